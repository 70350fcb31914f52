"""What each signal was worth on a recording: its rank correlation with the move that followed, with an interval.

    python -m engine.analysis.signals DIR [DIR ...]

The signals are the kernels the quoter has, fed with every trade and top in order; a value is taken every ``horizon``
seconds and compared with the move of the mid over the next ``horizon``, so that no two samples overlap. Volatility and
toxicity are compared with the size of the move instead. Intervals are 95 % (Fisher's z with Spearman's variance): of
twenty signals worth nothing one will look like something.
"""

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.analysis.history import Floats, History, history_of
from feed.exchange.recording import load_recording
from kernels import candles, flow, signals, vamp
from kernels.intensity import Z_95
from kernels.records import CANDLES, FLOW, MARKET

NAMES = (*signals.NAMES, "toxicity")
HORIZONS_S = (1.0, 10.0, 60.0)
SAMPLES_LEAST = 50
CANDLE_COUNT = 400  # the threshold is the recording's volume over this, if no threshold is given


@dataclass(frozen=True, slots=True)
class Worth:
    """One signal at one horizon. ``ic``: rank correlation; ``beta_ticks``: ticks of move for a signal of 1, with the
    half-width of its interval; NaN with too few samples. ``counts``: the interval of ``ic`` does not hold 0.
    """

    signal: str
    horizon_s: float
    samples: int
    ic: float
    low: float
    high: float
    beta_ticks: float
    beta_error_ticks: float

    @property
    def counts(self) -> bool:
        """Whether the signal may be given any weight."""
        return self.low > 0.0 or self.high < 0.0


def worths(history: History, horizon_s: float, threshold_lots: int | None = None) -> list[Worth]:
    """All signals of one recording at one horizon."""
    seen, moves = sampled(history, horizon_s, threshold_lots or usual_threshold(history))
    result = []
    for i, name in enumerate(NAMES):
        has = seen[:, i] != 0.0
        follows = moves if i < signals.DIRECTIONS else np.abs(moves)
        result.append(worth(name, horizon_s, seen[has, i], follows[has]))
    return result


def usual_threshold(history: History) -> int:
    """Lots of a volume candle that give the recording CANDLE_COUNT of them."""
    return max(1, int(history.trade_lots.sum()) // CANDLE_COUNT)


def states(threshold_lots: int) -> tuple[Any, Any]:
    """A Flow and a Candles record with the configuration's default windows."""
    moving, bars = np.zeros(1, FLOW)[0], np.zeros(1, CANDLES)[0]
    for name, value in {
        "decay_s": 60.0,
        "order_decay_s": 15.0,
        "window": 50,
        "fast_window": 20,
        "impact_window": 30,
        "min_events": 10,
    }.items():
        moving[name] = value
    moving["stale_ns"] = 60_000_000_000
    for name, number in {"threshold_lots": threshold_lots, "max_age_ns": 300 * 10**9, "capacity": 40}.items():
        bars[name] = number
    bars["min_candles"], bars["stale_ns"] = 8, 600 * 10**9
    return moving, bars


def sampled(history: History, horizon_s: float, threshold_lots: int) -> tuple[Floats, Floats]:
    """(signals at each sampling time, move in ticks until the next), only from what was before that time."""
    moving, bars = states(threshold_lots)
    market = np.zeros(1, MARKET)[0]
    step = int(horizon_s * 1e9)
    at = np.arange(int(history.top_ns[0]) + step, int(history.span_s * 1e9) - step + 1, step, dtype=np.int64)
    tops = list(
        zip(
            history.bid_ticks.tolist(),
            history.bid_lots.tolist(),
            history.ask_ticks.tolist(),
            history.ask_lots.tolist(),
            history.top_ns.tolist(),
            strict=True,
        )
    )
    trades = list(
        zip(
            history.trade_side.tolist(),
            history.trade_ticks.tolist(),
            history.trade_lots.tolist(),
            history.trade_ns.tolist(),
            strict=True,
        )
    )
    values = np.zeros((at.size, len(NAMES)))
    i = j = 0
    for row, now in enumerate(at.tolist()):
        while i < len(tops) and tops[i][4] <= now:
            flow.top(moving, *tops[i])
            i += 1
        while j < len(trades) and trades[j][3] <= now:
            vamp.trade(moving, *trades[j])
            candles.trade(bars, *trades[j])
            j += 1
        candles.close_due(bars, now)
        market["now_ns"] = now
        market["bid_lots"], market["ask_lots"] = moving["bid_lots"], moving["ask_lots"]
        signals.fill(moving, bars, market)
        values[row, : len(signals.NAMES)] = market["signals"]
        values[row, -1] = signals.toxicity(bars, now)
    moves = (history.mid_at(at + step) - history.mid_at(at)) / history.tick_usd
    return values, moves


def ranks(values: Floats) -> Floats:
    """Ranks from 0, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Floats = (ends - 0.5 * (counts + 1))[inverse]
    return shared


def worth(name: str, horizon_s: float, values: Floats, moves: Floats) -> Worth:
    """Rank correlation with its interval, and the slope with a heteroskedasticity-robust one."""
    n, nan = values.size, math.nan
    if n < SAMPLES_LEAST or np.ptp(values) == 0.0 or np.ptp(moves) == 0.0:
        return Worth(name, horizon_s, n, nan, nan, nan, nan, nan)
    ic = float(np.corrcoef(ranks(values), ranks(moves))[0, 1])
    z = math.atanh(min(max(ic, -0.999999), 0.999999))
    error = Z_95 * math.sqrt((1.0 + 0.5 * ic * ic) / (n - 3))  # Bonett and Wright 2000
    x = values - values.mean()
    beta = float(x @ moves / (x @ x))
    left = moves - moves.mean() - beta * x
    beta_error = Z_95 * math.sqrt(float(np.sum((x * left) ** 2))) / float(x @ x)
    return Worth(name, horizon_s, n, ic, math.tanh(z - error), math.tanh(z + error), beta, beta_error)


def table(found: list[Worth]) -> str:
    """Lines for people: one signal a line, one horizon a group."""
    lines = []
    for w in found:
        ic = f"{w.ic:+.3f} [{w.low:+.3f}, {w.high:+.3f}]" if w.samples and not math.isnan(w.ic) else "too few samples"
        beta = "" if math.isnan(w.beta_ticks) else f"{w.beta_ticks:+9.3g} ± {w.beta_error_ticks:.2g} ticks"
        verdict = "counts" if w.counts else "nil"
        lines.append(f"  {w.signal:<21} {w.horizon_s:>4.0f} s {w.samples:>6}  {ic:<27} {beta:<26} {verdict}")
    return "\n".join(lines)


def main(directories: list[str]) -> None:
    """Print the table of every recording."""
    for directory in directories:
        history = history_of(load_recording(directory))
        print(f"{directory}: signal, horizon, samples, rank correlation [95 %], slope, verdict")
        for horizon_s in HORIZONS_S:
            print(table(worths(history, horizon_s)))


if __name__ == "__main__":
    main(sys.argv[1:])
