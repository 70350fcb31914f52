"""Bars of the mid price, and what their ranges say of volatility."""

import numpy as np

from engine.analysis.history import Floats, History
from kernels import ranges

BAR_S = 60.0
ESTIMATORS = ("parkinson", "garman_klass", "rogers_satchell", "yang_zhang")


def bars(history: History, bar_s: float = BAR_S) -> tuple[Floats, Floats, Floats, Floats]:
    """Open, high, low and close of the mid, USD, arrays of shape (n,): whole bars only, from the first top on."""
    step = int(bar_s * 1e9)
    first, end = int(history.top_ns[0]), int(history.span_s * 1e9)
    edges = np.arange(first, end + 1, step, dtype=np.int64)
    if edges.size < 2:
        none = np.empty(0)
        return none, none, none, none
    opens, closes = history.mid_at(edges[:-1]), history.mid_at(edges[1:] - 1)
    highs, lows = np.maximum(opens, closes), np.minimum(opens, closes)
    bar = (history.top_ns - first) // step
    inside = (history.top_ns >= first) & (bar < edges.size - 1)
    np.maximum.at(highs, bar[inside], history.mid_usd[inside])
    np.minimum.at(lows, bar[inside], history.mid_usd[inside])
    return opens, highs, lows, closes


def by_range_usd(history: History, bar_s: float = BAR_S) -> dict[str, float]:
    """Sigma in USD per root of a second by each range estimator (``kernels.ranges``); 0.0: too few bars."""
    sample = bars(history, bar_s)
    price_usd = float(np.median(history.mid_usd))
    return {name: price_usd * ranges.rate(getattr(ranges, name)(*sample), bar_s) for name in ESTIMATORS}
