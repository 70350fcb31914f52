"""The books that the core believes against the exchange's, whenever nothing of them is on its way."""

from engine.core.step import Core
from engine.sim.options import SECOND_NS
from engine.sim.violation import Violation
from feed.exchange.exchange import Exchange
from kernels.book import Book

BOOK = b'{"channel_name":"book.'
SNAPSHOT = b'"snapshot":true'
UNSEEN_MAX = 3
"""Messages of a book after a lost one by which the loss must have shown: totals that agree by chance do so once."""
UNSEEN_NS = SECOND_NS


class BookWatch:
    """Invariant 24: a book flagged consistent is the exchange's, or differs for want of messages that were lost; then
    the messages that follow show it. ``wrong``: how often one differed.
    """

    def __init__(self, core: Core, exchange: Exchange) -> None:
        self.wrong = 0
        self._core = core
        self._exchange = exchange
        self._heard: dict[str, int] = {}
        self._since: dict[str, tuple[int, int]] = {}

    def restarted(self, core: Core) -> None:
        """Another process."""
        self._core = core
        self.reset()

    def reset(self) -> None:
        """A connection begins or ends: there is no book."""
        self._heard.clear()
        self._since.clear()

    def delivered(self, data: bytes) -> None:
        """A message of a book reaches the core."""
        name = data[len(BOOK) : data.index(b".", len(BOOK))].decode()
        self._heard[name] = self._heard.get(name, 0) + 1
        if SNAPSHOT in data:
            self._since.pop(name, None)

    def judge(self, now_ns: int) -> None:
        """Compare; to be called when nothing is on its way to the core."""
        for instrument in self._core.instruments:
            name = instrument.name.decode()
            if not instrument.book_synced or not self.difference(name, instrument.book):
                self._since.pop(name, None)
                continue
            heard = self._heard.get(name, 0)
            if name not in self._since:
                self.wrong += 1
                self._since[name] = (now_ns, heard)
            since_ns, heard_then = self._since[name]
            if heard - heard_then >= UNSEEN_MAX and now_ns - since_ns > UNSEEN_NS:
                told = f"after {heard - heard_then} messages and {(now_ns - since_ns) / SECOND_NS:.2f} s"
                what = self.difference(name, instrument.book)
                raise Violation(24, f"the book of {name} is still not the exchange's {told}: {what}")

    def difference(self, name: str, book: Book) -> str:
        """Where a believed book differs from the exchange's, as text; empty when it does not."""
        listing = self._exchange.listings[name]
        for bid in (True, False):
            truth = listing.book.levels[bid]
            count = book.bid_levels if bid else book.ask_levels
            believed = book.levels(bid, count) if count else []
            if count != len(truth) or any(ticks not in truth or truth[ticks].lots != lots for ticks, lots in believed):
                shown = sorted((ticks, level.lots) for ticks, level in truth.items())
                return f"{'bids' if bid else 'asks'} {shown}, believed {sorted(believed)}"
        return ""
