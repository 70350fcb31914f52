"""A recording as two series on one clock: every change of the best prices, and every trade with the top before it.

Integer ticks, lots and ns since the first book. Whoever reads it decides what a client could have known when: the
order is that of exchange time, trades before the depth change that already counts them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from feed.exchange.recording import DEPTH, TRADE, Recording
from kernels.book import Book

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEVELS = 65_536  # most levels of a recorded book; one with more is refused


@dataclass(frozen=True, slots=True)
class History:
    """``top_*``: n changes of an uncrossed top of two sides. ``trade_*``: m trades; ``trade_top`` is the index of the
    last top before it, -1 where there was none, and ``trade_side`` the aggressor's, +1 or -1.
    """

    name: str
    tick_usd: float
    lot_contracts: float
    span_s: float
    top_ns: Ints
    bid_ticks: Ints
    bid_lots: Ints
    ask_ticks: Ints
    ask_lots: Ints
    trade_ns: Ints
    trade_side: Ints
    trade_ticks: Ints
    trade_lots: Ints
    trade_top: Ints

    @property
    def mid_usd(self) -> Floats:
        """Mid price of every top."""
        mid: Floats = (self.bid_ticks + self.ask_ticks).astype(np.float64) * (0.5 * self.tick_usd)
        return mid

    def mid_at(self, at_ns: Ints) -> Floats:
        """Mid price in USD as of each time: that of the last top at or before it (of the first, before any)."""
        return self.mid_usd[np.maximum(np.searchsorted(self.top_ns, at_ns, side="right") - 1, 0)]


def history_of(recording: Recording) -> History:
    """Play the recording's book and keep its tops. Raises ValueError where it never has two sides."""
    book = Book(LEVELS)
    starts, snapshots = recording.group_start.tolist(), recording.group_snapshot.tolist()
    buys, ticks, lots = (
        column.tolist() for column in (recording.depth_buy, recording.depth_ticks, recording.depth_lots)
    )
    tops: list[tuple[int, int, int, int, int]] = []
    traded: list[tuple[int, int, int]] = []
    for at, kind, row in zip(
        recording.act_ns.tolist(), recording.act_kind.tolist(), recording.act_row.tolist(), strict=True
    ):
        if kind == TRADE:
            traded.append((at, row, len(tops) - 1))
        elif kind == DEPTH:
            if recording.top_of_book or row == 0 or snapshots[row]:
                book.clear()
            for i in range(starts[row], starts[row + 1]):
                book.apply(bool(buys[i]), ticks[i], lots[i])
            top = _top(book)
            if top is not None and (not tops or tops[-1][1:] != top):
                tops.append((at, *top))
    if not tops:
        raise ValueError("the recorded book never has two sides")
    top_ns, bid_ticks, bid_lots, ask_ticks, ask_lots = np.array(tops, np.int64).T.copy()
    trades = np.array(traded, np.int64).reshape(-1, 3).T.copy()
    rows = trades[1]
    return History(
        recording.instrument.name,
        recording.instrument.tick_usd,
        recording.instrument.lot_e8 / 1e8,
        float(recording.act_ns[-1] - recording.act_ns[0]) * 1e-9,
        top_ns,
        bid_ticks,
        bid_lots,
        ask_ticks,
        ask_lots,
        trades[0],
        2 * recording.trade_buy[rows] - 1,
        recording.trade_ticks[rows],
        recording.trade_lots[rows],
        trades[2],
    )


def _top(book: Any) -> tuple[int, int, int, int] | None:
    bid, ask = book.best(True), book.best(False)
    if bid is None or ask is None or bid[0] >= ask[0]:
        return None
    return bid[0], bid[1], ask[0], ask[1]
