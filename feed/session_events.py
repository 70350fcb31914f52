"""What a session tells its owner, in the order in which it happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feed.trade_history import TradeOfRecord


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The venue took the token; orders go to this account."""

    account: str


@dataclass(frozen=True, slots=True)
class MessageRate:
    """Matching messages a second that the venue allows on this connection."""

    rate: int


@dataclass(frozen=True, slots=True)
class SnapshotMissing:
    """These private channels did not send their first state in time; the queries that follow stand in for it."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftoverOrders:
    """Open orders of the account that are not of this session: of a person, another program or a persistent session.

    As ``private/open_orders`` tells them; of those that only ``account.orders`` names: id, label, persistent or not.
    """

    orders: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PositionsOfRecord:
    """The account's positions as the venue answered, by instrument, signed, in units of 1e-8 contracts."""

    positions_e8: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class InstrumentsKnown:
    """All active instruments as the venue answered; the planned ones are among them."""

    instruments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PricesKnown:
    """Mark price in USD of every planned instrument: what amounts given in USD are turned into contracts with."""

    prices: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TradesOfRecord:
    """The account's executions since the time asked for, oldest first; answer with ``Session.history_taken``.

    ``any_time``: the newest of all instead, because those did not explain the position of record.
    """

    trades: tuple[TradeOfRecord, ...]
    any_time: bool = False


@dataclass(frozen=True, slots=True)
class Armed:
    """The protection group of this product is full."""

    product: str


@dataclass(frozen=True, slots=True)
class ArmingFailed:
    """The group was not refilled, or nobody knows (``code`` 0: no answer). New mass quotes on it would be rejected."""

    product: str
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Resubscribed:
    """These channels were left and joined again: each starts with a new snapshot."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refetched:
    """``Session.refetch`` has joined these channels again: each starts with a new snapshot."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefetchFailed:
    """``Session.refetch`` came to nothing, and these channels may be silent until it is tried again. ``code`` 0: no
    answer."""

    channels: tuple[str, ...]
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to ``Session.request``. ``code`` 0: ``result`` holds; -1: no answer came in time, the outcome is
    unknown."""

    id: int
    result: Any
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Syncing:
    """Everything is subscribed: tell ``synced`` once books and prices are complete and fresh."""

    generation: int


@dataclass(frozen=True, slots=True)
class Live:
    """Quotes may be sent."""

    generation: int


@dataclass(frozen=True, slots=True)
class ReconnectRequested:
    """The venue will close this connection in ten seconds or more (section 8.13)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """This connection is of no use: close it. ``fatal``: another one would be of no use either."""

    reason: str
    fatal: bool
    state: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone, and every non-persistent order of the session with it or soon."""

    generation: int
    reason: str
    was_live: bool


Event = (
    LoggedIn
    | MessageRate
    | SnapshotMissing
    | LeftoverOrders
    | PositionsOfRecord
    | InstrumentsKnown
    | PricesKnown
    | TradesOfRecord
    | Armed
    | ArmingFailed
    | Resubscribed
    | Refetched
    | RefetchFailed
    | Answer
    | Syncing
    | Live
    | ReconnectRequested
    | Failed
    | Disconnected
)
