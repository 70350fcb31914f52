"""Volatility of one instrument from time-stamped prices: an EWMA of squared returns, corrected for bounce by a
realised kernel.

Every return is a sample of the variance rate r^2/dt, so irregular spacing needs no grid. Bid-ask bounce adds to r^2
whatever dt is, hence the EWMA is multiplied by (realised kernel variance) / (plain variance) of a longer window. The
kernel is that of Barndorff-Nielsen, Hansen, Lunde and Shephard (Econometrica 76(6), 2008; bandwidth: Econometrics
Journal 12(3), 2009): Parzen weights, never negative.

Units: rates are relative (fraction of the price) per square root of a second; answers are in USD per square root of a
second. State is one Volatility record, owned by the thread that runs the core.
"""

import math

from kernels.kernel import Record, f8, i8, kernel, volatility_record

SECONDS_PER_YEAR = 365.0 * 86400.0
WINDOW_MAX = 256  # length of the record's arrays
BANDWIDTH_CONSTANT = 3.5134  # c of H* = c xi^(4/5) n^(3/5) for the Parzen kernel
CHANGE_MAX = 1.0  # a larger log return (more than a factor e between two samples) counts as this
GAP_MULTIPLE = 4.0  # a longer silence counts as this many usual spans: one return holds no more news than that


def rate_from_annual(annual: float) -> float:
    """Fraction per year to relative rate per square root of a second (365 days of trading round the clock)."""
    return annual / math.sqrt(SECONDS_PER_YEAR)


def annual_from_rate(rate: float) -> float:
    """Relative rate per square root of a second to fraction per year."""
    return rate * math.sqrt(SECONDS_PER_YEAR)


@kernel(f8(f8))
def parzen(x: float) -> float:
    """Parzen weight of the lag fraction x: 1 at 0, falling to 0 at 1, symmetric, with non-negative spectrum."""
    x = abs(x)
    if x <= 0.5:
        return 1.0 - 6.0 * x * x + 6.0 * x * x * x
    if x <= 1.0:
        return 2.0 * (1.0 - x) ** 3
    return 0.0


@kernel(i8(volatility_record))
def window_length(state: Record) -> int:
    """Samples the window may hold: the setting, within 2 and WINDOW_MAX."""
    return int(min(max(state.window, 2), WINDOW_MAX))


@kernel(f8(volatility_record, i8, i8))
def autocovariance(state: Record, count: int, lag: int) -> float:
    """Sum of r[i] r[i - lag] over the last ``count`` returns in the window, oldest first; 0 <= lag < count."""
    length = window_length(state)
    late = (state.head - count + lag + length) % length
    early = (state.head - count + length) % length
    total = 0.0
    left = count - lag
    while left > 0:
        straight = min(left, length - late, length - early)  # until one of them is over the end of the ring
        for i in range(straight):
            total += state.returns[late + i] * state.returns[early + i]
        left -= straight
        late = (late + straight) % length
        early = (early + straight) % length
    return total


@kernel(f8(volatility_record, i8, i8))
def sparse_variance(state: Record, count: int, step: int) -> float:
    """Realised variance of returns over ``step`` samples, averaged over all starting points (subsampled); 1 <= step
    <= count.
    """
    length = window_length(state)
    late = (state.head - count + length) % length
    early = late
    change = 0.0
    total = 0.0
    for i in range(count):
        change += state.returns[late]
        late = 0 if late + 1 == length else late + 1
        if i + 1 >= step:
            total += change * change
            change -= state.returns[early]
            early = 0 if early + 1 == length else early + 1
    return total * count / (step * (count - step + 1.0))


@kernel(i8(f8, f8, i8))
def bandwidth(plain: float, sparse: float, count: int) -> int:
    """H* = c xi^(4/5) n^(3/5) rounded up, at most n/3, from realised variances (any unit) of all and of sparse
    returns.

    xi^2 = noise variance / integrated variance, with noise variance plain/(2n), its upper bound, as the 2009 paper
    advises.
    """
    if not (plain > 0.0 and sparse > 0.0):
        return 0
    ratio = min(plain / (2.0 * count * sparse), 1.0)
    return min(math.ceil(BANDWIDTH_CONSTANT * math.pow(ratio, 0.4) * math.pow(count, 0.6)), count // 3)


@kernel(f8(volatility_record, i8))
def realised_kernel(state: Record, count: int) -> float:
    """Sum of Parzen-weighted autocovariances of the last ``count`` returns: the squared relative move without bounce,
    >= 0.

    0 unless 2 <= count <= the window.
    """
    if count < 2 or count > window_length(state):
        return 0.0
    plain = autocovariance(state, count, 0)
    lags = bandwidth(plain, sparse_variance(state, count, max(1, count // 12)), count)
    total = plain
    for lag in range(1, lags + 1):
        total += 2.0 * parzen(lag / (lags + 1.0)) * autocovariance(state, count, lag)
    return max(total, 0.0)


@kernel(f8(volatility_record))
def _refresh(state: Record) -> float:
    """Compute the kernel variance of the window and its ratio to the plain one, and return the ratio."""
    count = min(state.samples, window_length(state))
    plain = autocovariance(state, count, 0)
    span_s = 0.0
    for i in range(count):
        span_s += state.spans_s[i]
    if plain > 0.0 and span_s > 0.0:
        quiet = realised_kernel(state, count)
        state.kernel_variance = quiet / span_s
        state.noise_ratio = quiet / plain
    return float(state.noise_ratio)


@kernel(f8(volatility_record))
def rate(state: Record) -> float:
    """The relative rate inside floor and ceiling; the default before ``min_samples`` returns."""
    if state.samples < max(state.min_samples, 1):
        found = state.default_rate
    else:
        found = math.sqrt(state.ewma_variance * state.noise_ratio)
    return float(min(max(found, state.floor_rate), state.ceiling_rate))


@kernel(i8(volatility_record, f8, f8))
def _add(state: Record, change: float, span_s: float) -> int:
    """Take one log return over ``span_s`` > 0 seconds into the EWMA and the window; returns the samples seen."""
    state.samples += 1
    alpha = max(2.0 / (max(state.ewma_span, 1.0) + 1.0), 1.0 / state.samples)
    weight_s = span_s if state.samples == 1 else min(span_s, GAP_MULTIPLE * state.ewma_weight)
    squared = change * change * weight_s / span_s
    total_s = (1.0 - alpha) * state.ewma_weight + alpha * weight_s
    state.ewma_variance = ((1.0 - alpha) * state.ewma_weight * state.ewma_variance + alpha * squared) / total_s
    state.ewma_weight = total_s
    length = window_length(state)
    slot = state.head % length if state.head >= 0 else 0
    state.returns[slot] = change * math.sqrt(weight_s / span_s)
    state.spans_s[slot] = weight_s
    state.head = (slot + 1) % length
    if state.samples == 1:
        state.noise_ratio = 1.0
    elif state.samples % max(1, length // 4) == 0:
        _refresh(state)
    state.sigma_rate = rate(state)
    return int(state.samples)


@kernel(f8(volatility_record, f8, i8))
def update(state: Record, price_usd: float, t_ns: int) -> float:
    """Take in a price in USD at t_ns nanoseconds and return sigma in USD per square root of a second.

    A price that is not finite and positive, and a time not after the last sample's, change nothing. A span shorter
    than ``min_interval_ns`` is folded into the next return. The answer is never NaN: before any price it is 0, which
    the quote kernel refuses; from the first price on it is rate times the last sampled price.
    """
    if not (0.0 < price_usd < math.inf):
        return float(state.sigma_rate * state.last_usd)
    if not (0.0 < state.last_usd < math.inf):
        state.last_usd = price_usd
        state.last_ns = t_ns
        state.sigma_rate = rate(state)
        return float(state.sigma_rate * price_usd)
    span_ns = t_ns - state.last_ns
    if span_ns >= max(state.min_interval_ns, 1):
        change = math.log(price_usd / state.last_usd)
        _add(state, min(max(change, -CHANGE_MAX), CHANGE_MAX), span_ns * 1e-9)
        state.last_usd = price_usd
        state.last_ns = t_ns
    return float(state.sigma_rate * state.last_usd)


@kernel(i8(volatility_record))
def reset(state: Record) -> int:
    """Forget every sample and keep the settings; returns 0."""
    state.samples = 0
    state.head = 0
    state.last_ns = 0
    state.last_usd = 0.0
    state.ewma_variance = 0.0
    state.ewma_weight = 0.0
    state.kernel_variance = 0.0
    state.noise_ratio = 1.0
    state.sigma_rate = 0.0
    return 0
