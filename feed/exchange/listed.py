"""One listed instrument at run time: book, index, mark, funding, collars and how it is shown (protocol 5, 8 and 11)."""

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from feed.exchange.instruments import E8, Instrument
from feed.exchange.matching import Book
from feed.exchange.numbers import as_float, plain
from feed.exchange.options import SECOND_NS, Options
from feed.exchange.tape import Tape

if TYPE_CHECKING:
    from feed.exchange.books import BookFeed
    from feed.exchange.feeds import Feed, TradesFeed

FUNDING_PERIOD_SECS = 8 * 3600
FUNDING_SCALE = 10**12
TWAP_NS = 1800 * SECOND_NS
PRINTS_KEPT = 100

Print = tuple[int | float, int | float, str, float, str]
"""A trade as shown: price, amount, aggressor's side, time, instrument."""


class Underlying:
    """An index: price in 1e-8 USD, when it was published, and the average that fixes an expiry."""

    __slots__ = ("feeds", "fixing_count", "fixing_sum", "index_e8", "index_ns", "name", "previous_settlement_e8")

    def __init__(self, name: str) -> None:
        self.name = name
        self.index_e8 = 0
        self.index_ns = 0
        self.previous_settlement_e8 = 0
        self.fixing_sum = 0
        self.fixing_count = 0
        self.feeds: list[Feed] = []

    @property
    def fixing_e8(self) -> int:
        """Average of the index over the fixing so far; the index itself before the first sample."""
        return self.fixing_sum // self.fixing_count if self.fixing_count else self.index_e8


class Listing:
    """One instrument that trades. Prices in ticks, amounts in lots, marks and collars in 1e-8 USD, times epoch ns."""

    __slots__ = (
        "active", "book", "book_feeds", "collar_high_e8", "collar_low_e8", "crowd_step", "depth_lots", "funding_mark",
        "funding_mark_e12", "funding_rate", "lot_e8", "mark_e8", "mark_ns", "name", "open_interest_lots", "options",
        "perpetual", "premium", "prints", "spec", "tape", "tick_e8", "top", "top_feeds", "trade_feeds", "underlying",
        "updated_ns", "value",
    )  # fmt: skip

    def __init__(self, spec: Instrument, underlying: Underlying, options: Options) -> None:
        self.spec = spec
        self.name = spec.name
        self.tick_e8 = spec.tick_e8
        self.lot_e8 = spec.lot_e8
        self.perpetual = spec.kind == "perpetual"
        self.underlying = underlying
        self.options = options
        self.value = as_float if options.whole_numbers_as_float else plain
        self.book = Book()
        self.tape = Tape()
        self.active = True
        self.crowd_step = 1
        self.prints: deque[Print] = deque(maxlen=PRINTS_KEPT)
        self.updated_ns = 0
        self.premium = 0.0
        self.mark_e8 = self.mark_ns = 0
        self.collar_low_e8 = self.collar_high_e8 = 0
        self.funding_rate = 0.0
        self.funding_mark = 0.0
        self.funding_mark_e12 = 0
        self.open_interest_lots = 0
        self.depth_lots = 0
        self.top: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
        self.book_feeds: list[BookFeed] = []
        self.top_feeds: list[Feed] = []
        self.trade_feeds: list[TradesFeed] = []

    def refine(self, parts: int) -> None:
        """Divide the price tick, with an empty book; the tape begins anew. The crowd keeps to its old prices."""
        self.spec = replace(self.spec, tick_e8=self.tick_e8 // parts)
        self.tick_e8 = self.spec.tick_e8
        self.crowd_step *= parts
        self.tape = Tape()

    # --- numbers --------------------------------------------------------------------------------------------------

    def price(self, ticks: int) -> int | float:
        """A price in ticks as it is printed."""
        return self.value(ticks * self.tick_e8)

    def amount(self, lots: int) -> int | float:
        """An amount in lots as it is printed."""
        return self.value(lots * self.lot_e8)

    def touch(self) -> tuple[int, int, int, int, int]:
        """Best bid, its lots, best ask, its lots, last price; zero lots where a side is empty."""
        bid, ask = self.book.best(True), self.book.best(False)
        return (
            bid.price if bid else 0,
            bid.lots if bid else 0,
            ask.price if ask else 0,
            ask.lots if ask else 0,
            self.tape.last,
        )

    # --- marks and funding ----------------------------------------------------------------------------------------

    def first_index(self, now_ns: int) -> None:
        """Take the first index as the mark, and size the depth the fair mid is measured at."""
        index = self.underlying.index_e8 / E8
        contracts = self.options.mark_depth.get(self.underlying.name, self.options.mark_depth_usd / index)
        self.depth_lots = max(1, round((contracts if self.perpetual else contracts / 10) / self.spec.lot_contracts))
        self._set_mark(now_ns)

    def tick(self, now_ns: int, elapsed_ns: int) -> None:
        """One update of the mark, about once a second: index + EMA of (fair mid - index); funding accrues meanwhile."""
        if self.perpetual and self.mark_e8:
            self._fund(now_ns, elapsed_ns)
        index_e8 = self.underlying.index_e8
        buy = self.book.average_ticks(True, self.depth_lots)
        sell = self.book.average_ticks(False, self.depth_lots)
        if buy is not None and sell is not None:
            sample = (buy + sell) / 2 * self.tick_e8 - index_e8
        else:
            sample = 0.0 if self.perpetual else self.premium
        self.premium += self.options.mark_ema_weight * (sample - self.premium)
        self._set_mark(now_ns)
        bid, bid_lots, ask, ask_lots, _ = self.touch()
        top: list[float | None] = [None, None, None, None]
        if bid_lots:
            top[:2] = self.price(bid), self.amount(bid_lots)
        if ask_lots:
            top[2:] = self.price(ask), self.amount(ask_lots)
        self.tape.mark(now_ns, self.mark_e8 / E8, index_e8 / E8, top)

    def _set_mark(self, now_ns: int) -> None:
        index_e8 = self.underlying.index_e8
        self.mark_e8 = max(1, index_e8 + round(self.premium))
        self.mark_ns = now_ns
        width = round(self.mark_e8 * self.options.collar_width)
        self.collar_low_e8 = self.mark_e8 - width
        self.collar_high_e8 = self.mark_e8 + width
        premium = self.mark_e8 / index_e8 - 1
        dampener = self.options.funding_dampener
        self.funding_rate = max(0.0, premium - dampener) + min(0.0, premium + dampener)

    def _fund(self, now_ns: int, elapsed_ns: int) -> None:
        payment = -self.funding_rate * self.underlying.index_e8 / E8 * elapsed_ns / (FUNDING_PERIOD_SECS * SECOND_NS)
        self.funding_mark += payment
        self.funding_mark_e12 = round(self.funding_mark * FUNDING_SCALE)
        self.tape.funded(now_ns, payment, self.funding_rate)

    def settle(self) -> None:
        """Start the funding of a new day: it has been paid out."""
        self.funding_mark = 0.0
        self.funding_mark_e12 = 0

    # --- how it is shown ------------------------------------------------------------------------------------------

    def instrument(self) -> dict[str, Any]:
        """The instrument as ``public/instrument`` shows it."""
        spec = self.spec
        out: dict[str, Any] = {
            "instrument_name": spec.name,
            "product": spec.product,
            "tick_size": self.value(spec.tick_e8),
            "volume_tick_size": self.value(spec.lot_e8),
            "min_order_amount": self.amount(spec.min_lots),
            "underlying": spec.underlying,
            "type": spec.kind,
        }
        if spec.expiry_ns:
            out["expiry_date"] = self.expiry_date
            out["expiration_timestamp"] = spec.expiry_ns // SECOND_NS
        out["base_currency"] = "USD"
        out["create_time"] = spec.create_ns / SECOND_NS
        return out

    @property
    def expiry_date(self) -> str:
        """Day of expiry as YYYY-MM-DD, empty for a perpetual."""
        if not self.spec.expiry_ns:
            return ""
        return datetime.fromtimestamp(self.spec.expiry_ns // SECOND_NS, UTC).strftime("%Y-%m-%d")

    def ticker(self) -> dict[str, Any]:
        """The ticker, members in the venue's order."""
        value = self.value
        tape = self.tape
        bid, bid_lots, ask, ask_lots, last = self.touch()
        out: dict[str, Any] = {"mark_price": value(self.mark_e8), "mark_timestamp": self.mark_ns / SECOND_NS}
        null = self.options.empty_side == "null"
        if bid_lots:
            out["best_bid_price"] = value(bid * self.tick_e8)
            out["best_bid_amount"] = value(bid_lots * self.lot_e8)
        elif null:
            out["best_bid_price"] = out["best_bid_amount"] = None
        if ask_lots:
            out["best_ask_price"] = value(ask * self.tick_e8)
            out["best_ask_amount"] = value(ask_lots * self.lot_e8)
        elif null:
            out["best_ask_price"] = out["best_ask_amount"] = None
        out["last_price"] = value(last * self.tick_e8) if last else None
        out["delta"] = 1
        out["volume_24h"] = value(tape.lots * self.lot_e8)
        out["value_24h"] = tape.value * self.tick_e8 * self.lot_e8 / E8**2
        if tape.lots:
            out["low_price_24h"] = value(tape.low * self.tick_e8)
            out["high_price_24h"] = value(tape.high * self.tick_e8)
            out["change_24h"] = value((last - tape.day_first()) * self.tick_e8)
        else:
            out["change_24h"] = None
        out["index"] = value(self.underlying.index_e8)
        out["collar_low"] = value(self.collar_low_e8)
        out["collar_high"] = value(self.collar_high_e8)
        out["open_interest"] = value(self.open_interest_lots * self.lot_e8)
        if self.perpetual:
            out["funding_rate"] = self.funding_rate
            out["funding_mark"] = self.funding_mark
            out["realised_funding_24h"] = tape.funding
            out["average_funding_rate_24h"] = tape.rate_sum / tape.rates if tape.rates else 0.0
        return out

    def lwt(self) -> dict[str, Any]:
        """The light-weight ticker of ``lwt.<instrument>``: a side without orders is left out."""
        bid, bid_lots, ask, ask_lots, last = self.touch()
        out: dict[str, Any] = {}
        if bid_lots:
            out["b"] = [self.price(bid), self.amount(bid_lots), self.amount(bid_lots)]
        if ask_lots:
            out["a"] = [self.price(ask), self.amount(ask_lots), self.amount(ask_lots)]
        if last:
            out["l"] = self.price(last)
        out["m"] = self.value(self.mark_e8)
        return out

    def lwt_row(self) -> list[Any]:
        """The row of ``lwt_futures``: 6 items, for a perpetual 8."""
        bid, bid_lots, ask, ask_lots, last = self.touch()
        row: list[Any] = [
            self.mark_ns / SECOND_NS,
            self.value(self.mark_e8),
            self.value(self.underlying.index_e8),
            [self.price(bid), self.amount(bid_lots)] if bid_lots else [],
            [self.price(ask), self.amount(ask_lots)] if ask_lots else [],
            self.price(last) if last else None,
        ]
        if self.perpetual:
            row += [self.funding_mark, self.funding_rate]
        return row

    def depth(self, buy: bool, count: int | None) -> list[list[int | float]]:
        """Rows [price, amount, outright amount] of a side, best first."""
        rows: list[list[int | float]] = []
        for level in self.book.side(buy, count):
            amount = self.amount(level.lots)
            rows.append([self.price(level.price), amount, amount])
        return rows
