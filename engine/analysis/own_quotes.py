"""What a journal tells of our own quotes: how long each stood at which distance and how often it was hit, what the
price did after each fill, and the market around them as a ``History``.

The journal drives the same core again (``engine.journal.replay``), and the core is looked at behind every input. A
quote counts at its distance from the middle of the book of others, in bps; time is counted while the core knew a
price, at most GAP_S at a stretch. A fill counts in the cell where its quote last stood. Fills of one market order on
several levels are one event for the intervals. Times are those of the core's clock, and the venue's stamps are taken
to be on it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import ujson

from engine.analysis.history import Floats, History
from engine.core.step import Core
from engine.journal.replay import CannotReplay, Event, replay
from feed.journal import Kind
from kernels.intensity import Z_95, Fit, from_quotes

CELL_BPS = 0.5
CELLS = 60  # quotes further than their reach are not counted
GAP_S = 1.0
AFTER_S = (0.1, 1.0, 10.0, 60.0, 300.0)
"""Times of the markouts."""
FILLS_LEAST = 10  # fewer have no interval worth showing
SIDES = {"both": 0, "bid": 1, "ask": -1}


@dataclass(frozen=True, slots=True)
class Hit:
    """One fill of a resting quote: core and venue time, side (+1 bought), price, level (0 the best), distance in bps
    from the price before.
    """

    at_ns: int
    time_s: float
    side: int
    price_usd: float
    level: int
    distance_bps: float


@dataclass(frozen=True, slots=True)
class Markout:
    """Mean of (price later - price of the fill) in our direction, bps of the price, before fees, with its interval."""

    side: str
    level: int
    after_s: float
    fills: int
    mean_bps: float
    low_bps: float
    high_bps: float


@dataclass(slots=True)
class OwnQuotes:
    """Everything of one instrument. ``seconds``: by side (0 bid, 1 ask) and cell."""

    name: str
    tick_usd: float = math.nan
    lot_contracts: float = math.nan
    seconds: Floats = field(default_factory=lambda: np.zeros((2, CELLS)))
    hits: list[Hit] = field(default_factory=list)
    tops: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)
    _standing: list[tuple[int, int, float]] = field(default_factory=list)
    _fair_usd: float = math.nan
    _last_ns: int = 0
    _trade_ids: set[str] = field(default_factory=set)

    def passed(self, now_ns: int) -> None:
        """Count the time since the last look for the quotes that stood then."""
        span_s = min((now_ns - self._last_ns) * 1e-9, GAP_S)
        for side, _, distance in self._standing:
            cell = int(distance / CELL_BPS)
            if distance >= 0.0 and cell < CELLS and span_s > 0.0:
                self.seconds[0 if side > 0 else 1, cell] += span_s
        self._last_ns = now_ns

    def filled(self, fill: dict[str, Any], side: int, now_ns: int) -> None:
        """Count a fill once, where its quote stood."""
        if fill["trade_id"] in self._trade_ids or fill["maker_taker"] != "maker" or math.isnan(self._fair_usd):
            return
        self._trade_ids.add(fill["trade_id"])
        price, ticks = float(fill["price"]), round(float(fill["price"]) / self.tick_usd)
        better = {t for s, t, _ in self._standing if s == side and (t - ticks) * side > 0}
        distance = side * (self._fair_usd / price - 1.0) * 1e4
        self.hits.append(Hit(now_ns, float(fill["time"]), side, price, len(better), distance))

    def look(self, core: Core, instrument: Any, index: int, orders: list[dict[str, Any]], now_ns: int) -> None:
        """Remember what stands, and the top of others where it changed."""
        market = instrument.records()["market"]
        self.tick_usd, self.lot_contracts = instrument.tick_e8 * 1e-8, instrument.lot_e8 * 1e-8
        self._fair_usd = float(market["fair_usd"]) if core.session.is_live else math.nan
        self._standing = []
        if not self._fair_usd > 0.0:
            return
        top = tuple(int(market[name]) for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots"))
        if not self.tops or self.tops[-1][1:] != top:
            self.tops.append((now_ns, *top))  # type: ignore[arg-type]
        for order in orders:
            if order["instrument"] == index and order["state"] == "live":
                side, ticks = order["side"], order["price_ticks"]
                distance = side * (self._fair_usd / (ticks * self.tick_usd) - 1.0) * 1e4
                self._standing.append((side, ticks, distance))

    def fit(self, side: str) -> Fit:
        """A in 1/s and k in 1/bp from the quotes of a side, or of both (then A is that of one of them)."""
        rows = [i for i, sign in enumerate((1, -1)) if SIDES[side] in (0, sign)]
        hits = [h for h in self.hits if SIDES[side] in (0, h.side) and 0.0 <= h.distance_bps < CELL_BPS * CELLS]
        counts, together = np.zeros((2, CELLS)), np.zeros((2, 2))
        orders: dict[tuple[float, int], Floats] = {}
        for hit in hits:
            cell = int(hit.distance_bps / CELL_BPS)
            counts[0 if hit.side > 0 else 1, cell] += 1
            score = np.array([1.0, CELL_BPS * (cell + 0.5)])
            key = (hit.time_s, hit.side)
            orders[key] = orders.get(key, 0.0) + score
        for score in orders.values():
            together += np.outer(score, score)
        centres = np.tile(CELL_BPS * (np.arange(CELLS) + 0.5), len(rows))
        return from_quotes(centres, self.seconds[rows].ravel(), counts[rows].ravel(), together)

    def markouts(self) -> Iterator[Markout]:
        """Of every side and level and of all together, at every time; fills too close to the end are left out."""
        if not self.tops:
            return
        at = np.array([top[0] for top in self.tops], np.int64)
        mid = np.array([top[1] + top[3] for top in self.tops]) * (0.5 * self.tick_usd)
        groups = [("both", -1)] + [(side, level) for side in ("bid", "ask") for level in range(-1, 10)]
        for side, level in groups:
            chosen = [h for h in self.hits if SIDES[side] in (0, h.side) and level in (-1, h.level)]
            for after_s in AFTER_S:
                due = [h for h in chosen if h.at_ns + int(after_s * 1e9) <= self._last_ns]
                if len(due) < FILLS_LEAST:
                    continue
                later = np.array([h.at_ns for h in due], np.int64) + int(after_s * 1e9)
                price = mid[np.maximum(np.searchsorted(at, later, side="right") - 1, 0)]
                moves = np.array([h.side * (p / h.price_usd - 1.0) * 1e4 for h, p in zip(due, price, strict=True)])
                error = Z_95 * float(np.std(moves, ddof=1)) / math.sqrt(moves.size)
                mean = float(moves.mean())
                yield Markout(side, level, after_s, moves.size, mean, mean - error, mean + error)

    def history(self) -> History:
        """The market: tops of others as they came, trades by the venue's time. Raises ValueError without a top."""
        if not self.tops:
            raise ValueError(f"{self.name}: the run never saw a book of two sides")
        tops = np.array(self.tops, np.int64).T.copy()
        trades = np.array(sorted(self.trades), np.int64).reshape(-1, 4).T.copy()
        start = int(tops[0][0])
        # What a trade did to the book comes behind it.
        before = np.searchsorted(tops[0], trades[0], side="left") - 1
        span_s = (self._last_ns - start) * 1e-9
        bid_ticks, bid_lots, ask_ticks, ask_lots = tops[1:]
        return History(
            self.name, self.tick_usd, self.lot_contracts, span_s, tops[0] - start, bid_ticks, bid_lots, ask_ticks,
            ask_lots, trades[0] - start, trades[1], trades[2], trades[3], before,
        )  # fmt: skip


def from_journal(directory: Path, progress: Callable[[float], None] = lambda share: None) -> list[OwnQuotes]:
    """Everything of every instrument of a recorded run.

    Raises ``feed.journal.JournalDamaged`` and ``engine.journal.replay.CannotReplay``, the latter also where the replay
    does not send what was sent.
    """
    found: dict[str, OwnQuotes] = {}

    def after(event: Event, core: Core) -> None:
        now_ns = event.input.now_ns
        for instrument in core.instruments:
            found.setdefault(instrument.name.decode(), OwnQuotes(instrument.name.decode())).passed(now_ns)
        if event.input.kind is Kind.MESSAGE:
            _message(event.input.data, found, now_ns)
        orders = core.table.orders()
        for i, instrument in enumerate(core.instruments):
            if instrument.tick_e8:
                found[instrument.name.decode()].look(core, instrument, i, orders, now_ns)

    result = replay(directory, after=after, progress=progress)
    if result.difference is not None:
        raise CannotReplay(f"{directory}: the replay differs from record {result.difference.event.input.sequence} on")
    return list(found.values())


def _message(data: bytes, found: dict[str, OwnQuotes], now_ns: int) -> None:
    """Fills of our orders and public trades of one text."""
    ours, public = b'"fills"' in data, b'"recent_trades.' in data
    if not ours and not public:
        return
    try:
        told = ujson.loads(data)
    except ValueError:
        return  # the core has refused it, too
    if public:
        if not told.get("snapshot"):
            for price, size, direction, time_s, name, *_ in told.get("notification", ()):
                if (own := found.get(name)) is not None and own.tick_usd > 0.0:
                    side = 1 if direction == "buy" else -1
                    ticks, lots = round(price / own.tick_usd), round(size / own.lot_contracts)
                    own.trades.append((round(time_s * 1e9), side, ticks, lots))
        return
    for order in _orders(told):
        own = found.get(order.get("instrument_name", ""))
        if own is not None and order.get("change_reason") != "existing":
            for fill in order.get("fills", ()):
                own.filled(fill, 1 if order.get("direction") == "buy" else -1, now_ns)


def _orders(value: Any) -> Iterator[dict[str, Any]]:
    """Every order status inside a message, wherever it is."""
    if isinstance(value, dict):
        if "fills" in value:
            yield value
        else:
            for member in value.values():
                yield from _orders(member)
    elif isinstance(value, list):
        for member in value:
            yield from _orders(member)
