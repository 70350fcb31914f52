"""Volatility from bars: Parkinson, Garman-Klass, Rogers-Satchell and Yang-Zhang, as relative variance per bar.

Sources: Parkinson 1980, Garman and Klass 1980, Rogers and Satchell 1991, Yang and Zhang 2000 (all Journal of Business
or Annals of Applied Probability). Arrays are open, high, low, close of the bars, oldest first, of one length, in any
one unit of price: only logarithms of ratios enter. Where a bar holds few trades its range is too small and every one
of these is biased down; the close-to-close variance, which is not, belongs beside them. 0.0 means no opinion: too few
bars, or a bar that is none (a price that is not positive and finite, a high below or a low above the rest).
"""

import math

from kernels.kernel import Record, f8, i4, kernel

BARS = f8[::1]
LN2 = math.log(2.0)


@kernel(i4(BARS, BARS, BARS, BARS))
def are_bars(opens: Record, highs: Record, lows: Record, closes: Record) -> int:
    """1 where the arrays hold at least 2 bars that can be, else 0."""
    count = opens.size
    if count < 2 or highs.size != count or lows.size != count or closes.size != count:
        return 0
    for i in range(count):
        if not (0.0 < lows[i] <= min(opens[i], closes[i]) and max(opens[i], closes[i]) <= highs[i] < math.inf):
            return 0
    return 1


@kernel(f8(BARS, BARS, BARS, BARS))
def parkinson(opens: Record, highs: Record, lows: Record, closes: Record) -> float:
    """mean of ln(H/L)^2/(4 ln 2); assumes no drift."""
    if not are_bars(opens, highs, lows, closes):
        return 0.0
    total = 0.0
    for i in range(opens.size):
        total += math.log(highs[i] / lows[i]) ** 2
    return float(total / (4.0 * LN2 * opens.size))


@kernel(f8(BARS, BARS, BARS, BARS))
def garman_klass(opens: Record, highs: Record, lows: Record, closes: Record) -> float:
    """mean of ln(H/L)^2/2 - (2 ln 2 - 1) ln(C/O)^2; assumes no drift. Never negative."""
    if not are_bars(opens, highs, lows, closes):
        return 0.0
    total = 0.0
    for i in range(opens.size):
        spread, move = math.log(highs[i] / lows[i]), math.log(closes[i] / opens[i])
        total += 0.5 * spread * spread - (2.0 * LN2 - 1.0) * move * move
    return float(max(total / opens.size, 0.0))


@kernel(f8(BARS, BARS, BARS, BARS))
def rogers_satchell(opens: Record, highs: Record, lows: Record, closes: Record) -> float:
    """mean of u(u - c) + d(d - c) with u, d, c = ln of H, L, C over O; whatever the drift."""
    if not are_bars(opens, highs, lows, closes):
        return 0.0
    total = 0.0
    for i in range(opens.size):
        up, down = math.log(highs[i] / opens[i]), math.log(lows[i] / opens[i])
        move = math.log(closes[i] / opens[i])
        total += up * (up - move) + down * (down - move)
    return float(max(total / opens.size, 0.0))


@kernel(f8(BARS, BARS, BARS, BARS))
def yang_zhang(opens: Record, highs: Record, lows: Record, closes: Record) -> float:
    """Variance of the gaps + k variance of the moves + (1 - k) Rogers-Satchell, k = 0.34/(1.34 + (n + 1)/(n - 1));
    whatever the drift, gaps included. Needs 3 bars: the first only gives the first gap.
    """
    if not are_bars(opens, highs, lows, closes) or opens.size < 3:
        return 0.0
    n = opens.size - 1
    gap = 0.0
    move = 0.0
    for i in range(1, n + 1):
        gap += math.log(opens[i] / closes[i - 1]) / n
        move += math.log(closes[i] / opens[i]) / n
    gaps = 0.0
    moves = 0.0
    for i in range(1, n + 1):
        gaps += (math.log(opens[i] / closes[i - 1]) - gap) ** 2 / (n - 1)
        moves += (math.log(closes[i] / opens[i]) - move) ** 2 / (n - 1)
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    return float(gaps + k * moves + (1.0 - k) * rogers_satchell(opens[1:], highs[1:], lows[1:], closes[1:]))


@kernel(f8(BARS))
def close_to_close(closes: Record) -> float:
    """Sample variance of ln(C/C before); 0.0 with less than 3 closes or one that is not positive and finite."""
    n = closes.size - 1
    if n < 2:
        return 0.0
    for i in range(closes.size):
        if not (0.0 < closes[i] < math.inf):
            return 0.0
    mean = math.log(closes[n] / closes[0]) / n
    total = 0.0
    for i in range(n):
        total += (math.log(closes[i + 1] / closes[i]) - mean) ** 2
    return float(total / (n - 1))


@kernel(f8(f8, f8))
def rate(variance: float, bar_s: float) -> float:
    """Relative volatility per root of a second of a variance per bar of ``bar_s`` seconds; 0.0 where either is none."""
    if not (0.0 < variance < math.inf and 0.0 < bar_s < math.inf):
        return 0.0
    return math.sqrt(variance / bar_s)
