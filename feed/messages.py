"""Messages of the venue as typed Python values: what the slow decoder makes of a frame.

Prices and amounts are exact ``Decimal``; marks, indices and rates are doubles; times are seconds since 1970. None:
the member was not there, or null. Payloads of channels that a quoter does not use, and results of requests other than
orders and quotes, stay plain JSON values (dict, list, str, int, Decimal, bool, None), checked as JSON only. Sections
are the protocol's.
"""

from dataclasses import dataclass
from decimal import Decimal


class Malformed(Exception):
    """A frame that is not a message of the venue: the reason, the path of the member at fault, and the frame's
    beginning.
    """

    def __init__(self, reason: str, path: str = "", excerpt: str = "") -> None:
        super().__init__(f"{path + ': ' if path else ''}{reason}{' in ' + excerpt if excerpt else ''}")
        self.reason = reason
        self.path = path
        self.excerpt = excerpt


@dataclass(frozen=True, slots=True)
class Ticker:
    """Full ticker (5, 8.2)."""

    mark_price: float
    mark_timestamp: float
    delta: float
    index: float
    best_bid_price: Decimal | None
    best_bid_amount: Decimal | None
    best_ask_price: Decimal | None
    best_ask_amount: Decimal | None
    last_price: Decimal | None
    iv: float | None
    volume_24h: float | None
    value_24h: float | None
    low_price_24h: float | None
    high_price_24h: float | None
    change_24h: float | None
    forward: float | None
    collar_low: float | None
    collar_high: float | None
    open_interest: float | None
    funding_rate: float | None
    funding_mark: float | None
    realised_funding_24h: float | None
    average_funding_rate_24h: float | None


@dataclass(frozen=True, slots=True)
class Level:
    """Price, amount (0: gone) and amount without implied orders (8.5)."""

    price: Decimal
    amount: Decimal
    outright: Decimal


@dataclass(frozen=True, slots=True)
class Lwt:
    """Lightweight ticker (8.3)."""

    bid: Level | None
    ask: Level | None
    mark_price: float
    iv: float | None
    last_price: Decimal | None


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade of the market (8.5, 8.6); ``side`` is the aggressor's, "buy" or "sell"."""

    instrument: str
    price: Decimal
    amount: Decimal
    side: str
    time: float
    implied: bool


@dataclass(frozen=True, slots=True)
class Book:
    """Changes of a book (8.5)."""

    bid_changes: tuple[Level, ...]
    ask_changes: tuple[Level, ...]
    trades: tuple[PublicTrade, ...]
    total_bid_amount: Decimal | None
    total_ask_amount: Decimal | None
    time: float


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order (6.6)."""

    trade_id: str
    price: Decimal
    amount: Decimal
    time: float | None
    maker: bool
    leg_index: int


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """An order (6.6). Words the protocol does not know are kept as they came."""

    order_id: str
    order_type: str
    time_in_force: str
    instrument: str | None
    direction: str
    price: Decimal | None
    amount: Decimal
    filled: Decimal
    remaining: Decimal
    label: str | None
    client_order_id: int | None
    status: str
    fills: tuple[Fill, ...]
    change_reason: str
    delete_reason: str | None
    insert_reason: str
    create_time: float
    close_time: float | None
    reduce_only: bool
    persistent: bool


@dataclass(frozen=True, slots=True)
class Position:
    """A line of the portfolio (8.17); ``position`` is signed."""

    instrument: str
    position: Decimal
    mark_price: float
    start_price: float | None
    average_price: float | None
    unrealised_pnl: float | None
    realised_pnl: float | None
    unrealised_perpetual_funding: float | None


@dataclass(frozen=True, slots=True)
class IndexPrice:
    """An index (8.7)."""

    index_name: str
    price: float
    timestamp: float
    previous_settlement_price: float | None
    expiration_progress: float | None
    expected_expiration_price: float | None


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument (5). Ticks and the minimum are USD and contracts; ``legs`` are (name, quantity)."""

    name: str
    type: str
    product: str | None
    underlying: str | None
    tick_size: Decimal | None
    volume_tick_size: Decimal | None
    min_order_amount: Decimal | None
    option_type: str | None
    expiry_date: str | None
    expiration_timestamp: int | None
    strike_price: Decimal | None
    legs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class InstrumentChange:
    """An instrument that came or went (8.11)."""

    added: bool
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class Protection:
    """State of a protection group (8.16); at or below 0 it needs a refill."""

    product: str
    remaining: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Banner:
    """A notice of the venue (8.12)."""

    id: int | None
    time: float
    severity: str
    title: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Cash:
    """One asset of the account (8.18)."""

    currency: str
    balance: float
    collateral_factor: float | None
    collateral_index_price: float | None
    transactable: bool | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Margin of the account in USD (8.18)."""

    cash: tuple[Cash, ...]
    unrealised_pnl: float
    cash_collateral: float
    margin: float
    required_margin: float
    remaining_margin: float
    session_realised_pnl: float | None


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """An event of the system channel (8.13), "reconnect"."""

    event: str


@dataclass(frozen=True, slots=True)
class QuoteError:
    """One quote of a mass quote that failed (7.1)."""

    code: int
    message: str
    side: str | None
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class MassQuoteResult:
    """Result of a mass quote (7.1)."""

    n_success: int
    n_fail: int
    errors: tuple[QuoteError, ...]


@dataclass(frozen=True, slots=True)
class VenueError:
    """The error of a reply (9); match on the code."""

    code: int
    message: str


Json = dict[str, "Json"] | list["Json"] | str | int | Decimal | bool | None

Payload = (
    Ticker
    | Lwt
    | Book
    | IndexPrice
    | Summary
    | SystemEvent
    | tuple[PublicTrade, ...]
    | tuple[OrderStatus, ...]
    | tuple[Position, ...]
    | tuple[InstrumentChange, ...]
    | tuple[Protection, ...]
    | tuple[Banner, ...]
    | Json
)


@dataclass(frozen=True, slots=True)
class Notification:
    """A message of a channel."""

    channel: str
    payload: Payload
    snapshot: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request: the result, or the error (then the result is None). ``id`` is any JSON value."""

    id: Json
    result: OrderStatus | MassQuoteResult | Json
    error: VenueError | None
