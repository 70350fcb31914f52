"""Pressure, imbalance, candles and their signals in plain Python: whole lists, every sum worked out anew."""

import itertools
import math
from dataclasses import dataclass

Trade = tuple[int, int, int, int]  # aggressor, ticks, lots, ns
Top = tuple[int, int, int, int, int]  # bid ticks, bid lots, ask ticks, ask lots, ns


def weights(times: list[int], decay_s: float, span: float) -> list[float]:
    """exp(-age/decay) (1 - 2/(span + 1))^(events since), the newest last with 1."""
    keep = 1 - 2 / (span + 1) if span > 1 else 0.0
    return [math.exp(-(times[-1] - t) * 1e-9 / decay_s) * keep ** (len(times) - 1 - i) for i, t in enumerate(times)]


def share_of(values: list[float], times: list[int], decay_s: float, span: float) -> float:
    w = weights(times, decay_s, span)
    total = sum(a * abs(b) for a, b in zip(w, values, strict=True))
    return sum(a * b for a, b in zip(w, values, strict=True)) / total if total > 0 else 0.0


def pressure(trades: list[Trade], decay_s: float, span: float) -> float:
    return share_of([float(t[0] * t[2]) for t in trades], [t[3] for t in trades], decay_s, span)


def order_imbalance(trades: list[Trade], decay_s: float, least: int) -> float:
    """Runs of trades of one side and one time are market orders; each counts once, however large."""
    orders = [
        (t[0], t[3]) for i, t in enumerate(trades) if i == 0 or (t[0], t[3]) != (trades[i - 1][0], trades[i - 1][3])
    ]
    faded = [(side, math.exp(-(trades[-1][3] - at) * 1e-9 / decay_s)) for side, at in orders]
    return math.tanh(sum(s * w for s, w in faded) / math.sqrt(sum(w for _, w in faded) + least))


def pushes(tops: list[Top]) -> list[tuple[float, int]]:
    """(net lots that pushed the price up, time) of every change, by the four cases of each side."""
    found = []
    for (b0, bl0, a0, al0, _), (b1, bl1, a1, al1, t) in itertools.pairwise(tops):
        bid = bl1 if b1 > b0 else -bl0 if b1 < b0 else bl1 - bl0
        ask = al1 if a1 < a0 else -al0 if a1 > a0 else al1 - al0
        if bid != ask:
            found.append((float(bid - ask), t))
    return found


@dataclass
class Candle:
    begin: int
    end: int
    prices: list[int]
    buys: int = 0
    sells: int = 0

    def row(self) -> tuple[int, ...]:
        p = self.prices
        return self.begin, self.end, p[0], max(p), min(p), p[-1], self.buys, self.sells


def candles(trades: list[Trade], threshold: int, max_age: int) -> tuple[list[Candle], Candle | None]:
    """Closed candles and the open one, lot by lot."""
    closed: list[Candle] = []
    now: Candle | None = None
    for side, ticks, lots, t in trades:
        if now is not None and t - now.begin >= max_age:
            now.end = now.begin + max_age
            closed.append(now)
            now = None
        for _ in range(lots):
            now = now or Candle(t, t, [])
            now.prices.append(ticks)
            now.buys += side > 0
            now.sells += side < 0
            if now.buys + now.sells == threshold:
                now.end = t
                closed.append(now)
                now = None
    return closed, now


def _flow(rows: list[Candle]) -> float:
    return sum(c.buys - c.sells for c in rows) / sum(c.buys + c.sells for c in rows)


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def signals(rows: list[Candle]) -> dict[str, float]:
    """Of the closed candles, oldest first; at least 4."""
    close = [c.prices[-1] for c in rows]
    steps = [b - a for a, b in itertools.pairwise(close)]
    moved = close[-1] - close[0]
    root = math.sqrt(sum(s * s for s in steps))
    z = math.tanh(moved / root) if root else 0.0
    half = len(rows) // 2
    at = len(rows) - 1 - half
    older, newer = close[at] - close[0], close[-1] - close[at]
    rate = [
        sum(s * s for s in part) / (span * 1e-9) if span else 0.0
        for part, span in ((steps[:at], rows[at].end - rows[0].end), (steps[at:], rows[-1].end - rows[at].end))
    ]
    slowing = min(max(1 - newer / older, 0), 1) if older * z > 0 else 0.0
    return {
        "momentum": z * max(0.0, _sign(moved) * _flow(rows)),
        "reversal": -z * max(0.0, -_sign(moved) * _flow(rows[-half:])),
        "exhaustion": -z * slowing,
        "volatility": (rate[1] - rate[0]) / (rate[1] + rate[0]) if rate[0] > 0 and rate[1] > 0 else 0.0,
        "toxicity": sum(abs(c.buys - c.sells) for c in rows) / sum(c.buys + c.sells for c in rows),
    }
