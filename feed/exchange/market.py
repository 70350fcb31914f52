"""What a market is to the local exchange: somebody who trades on it and moves its index.

A market acts only through ``Floor``, as the anonymous crowd: its orders rest in the same books, queue by the same rules
and match with the same engine as the clients' orders.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from feed.exchange.instruments import Instrument

NEVER_NS = 2**63 - 1
"""``next_ns`` of a market with nothing left to do."""


class Floor(Protocol):
    """The exchange as its market sees it. Prices in ticks, amounts in lots, both integers."""

    def insert(self, instrument: str, buy: bool, price_ticks: int, lots: int, *, ioc: bool = False) -> int:
        """Insert an anonymous limit order; it matches at once where it crosses. Returns its id, 0 if nothing rests."""

    def reduce(self, order_id: int, lots: int) -> None:
        """Lower an order's remaining amount, keeping its priority; 0 removes it.

        Unknown ids (already traded) are ignored.
        """

    def remaining(self, order_id: int) -> int:
        """Remaining lots of an anonymous order, 0 when it is gone."""

    def best(self, instrument: str, buy: bool) -> tuple[int, int] | None:
        """Best price and total lots of a side, all orders included; None when the side is empty."""

    def together(self, act: Callable[[], None]) -> None:
        """Do several of the above as one event: what it changed is published once, at its end."""

    def set_index(self, underlying: str, price_usd: float) -> None:
        """Publish a new index price; marks and funding follow from it."""


class Market(Protocol):
    """A source of orders and index prices, driven by the exchange's clock."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """What it trades; the exchange lists exactly these."""

    def start(self, floor: Floor, now_ns: int) -> None:
        """Publish the first index and fill the books. Called once, before any client connects."""

    def next_ns(self) -> int:
        """Epoch time in ns of its next act, ``NEVER_NS`` when it has none."""

    def advance(self, now_ns: int) -> None:
        """Perform every act due at or before ``now_ns``, in order."""


@runtime_checkable
class Playback(Protocol):
    """A market whose coming acts may all be moved later: one that repeats what was, at a pace that somebody chose."""

    def hold_back(self, by_ns: int) -> None:
        """Move every act to come by so many ns."""
