"""The next move of the mid from the signals, each with the weight it has earned so far, and the loss that fills bring.

On a grid of time every signal is noted with the mid; ``steps`` samples later the move is known, in spans (sigma times
the root of the horizon), and enters exponentially weighted moments. A signal counts when the interval of its
correlation with the move does not hold zero. Moves overlap and signals persist, so outcomes are fewer than samples: by
Bartlett (J. Royal Statistical Society Supplement 8(1), 1946) the variance of a correlation is that of independent
samples times the sum over lags of both autocorrelations, of which that of overlapping moves is known and the signal's
is estimated. (Estimating that of their product, as Newey and West do, takes far more than the samples of an hour.)

The weights of those that count are one regression, shrunk as if each were drawn around zero before (ridge), and each
by the share of its correlation that is certain, the end of the interval nearest to zero over the estimate: it grows
from zero, so what is let in by chance does little. Alpha is the weighted sum, capped: Cartea and Wang (IJTAF 23(3),
2020) to first order, both quotes move by the move expected over the horizon.

State is one Forecast record, owned by the thread that runs the core. Samples are taken after the requests have left;
a decision costs ``forecast`` alone.
"""

import math

from kernels import candles as candle_kernels
from kernels import flow as flow_kernels
from kernels import regime, vamp
from kernels import signals as signal_kernels
from kernels.adverse import BUYS, MOVE_MAX, PENDING_MAX, SELLS, count, horizon_steps, learn, widen
from kernels.kernel import Record, candles_record, f8, flow_record, forecast_record, i4, i8, kernel, market_record
from kernels.microprice import imbalance

FEATURES = 10  # Market.signals, then toxicity
TOXICITY = 9
GAP_STEPS = 3  # a silence of more sampling intervals leaves no pending sample its horizon
SWEEPS = 50  # of the joint regression: eight unknowns, a ridge, and it has long converged

USED = 0
OFF = 1
TOO_FEW = 2
NO_VARIANCE = 3
HOLDS_ZERO = 4
WRONG_SIGN = 5
GIVEN = 6
AGAINST_LIVE = 7


@kernel(f8(forecast_record))
def horizon_s(state: Record) -> float:
    """The horizon in seconds."""
    return float(horizon_steps(state) * state.interval_ns * 1e-9)


@kernel(f8(forecast_record))
def independent(state: Record) -> float:
    """Outcomes that do not overlap, those fading out of memory counted in part."""
    if not (state.weight_squares > 0.0):
        return 0.0
    return float(state.weight_sum * state.weight_sum / state.weight_squares / horizon_steps(state))


@kernel(i4(forecast_record, f8))
def _learn_moves(state: Record, move: float) -> int:
    """Weights and the moments of the move."""
    keep = 1.0 - 1.0 / max(state.span, 2.0)
    state.weight_sum = keep * state.weight_sum + 1.0
    state.weight_squares = keep * keep * state.weight_squares + 1.0
    gain = 1.0 / state.weight_sum
    off = move - state.move_mean
    state.move_mean += gain * off
    state.move_variance = keep * state.move_variance + off * (move - state.move_mean)
    size = abs(move)
    off = size - state.size_mean
    state.size_mean += gain * off
    state.size_variance = keep * state.size_variance + off * (size - state.size_mean)
    return 0


@kernel(i4(forecast_record, i8, f8))
def _learn_signals(state: Record, row: int, move: float) -> int:
    """Moments of each signal with the move (with its size for those without a direction), and its persistence."""
    keep = 1.0 - 1.0 / max(state.span, 2.0)
    gain = 1.0 / state.weight_sum
    steps = horizon_steps(state)
    at = state.outcomes % PENDING_MAX
    for i in range(FEATURES):
        directed = i < signal_kernels.DIRECTIONS
        x = state.seen[row * FEATURES + i]
        before = x - state.mean[i]
        state.mean[i] += gain * before
        after = x - state.mean[i]
        dy = move - state.move_mean if directed else abs(move) - state.size_mean
        state.variance[i] = keep * state.variance[i] + before * after
        state.covariance[i] = keep * state.covariance[i] + before * dy
        state.deviation[at * FEATURES + i] = after
        lagged = 0.0
        for lag in range(1, min(steps, state.outcomes + 1)):
            older = (at - lag + PENDING_MAX) % PENDING_MAX
            lagged += (1.0 - lag / steps) * state.deviation[older * FEATURES + i]
        state.long_run[i] = keep * state.long_run[i] + after * (after + 2.0 * lagged)
    for i in range(signal_kernels.DIRECTIONS):
        for j in range(signal_kernels.DIRECTIONS):
            both = (state.seen[row * FEATURES + i] - state.mean[i]) * (state.seen[row * FEATURES + j] - state.mean[j])
            state.cross[i * FEATURES + j] = keep * state.cross[i * FEATURES + j] + both
    return 0


@kernel(f8(forecast_record, i8))
def overlap(state: Record, i: int) -> float:
    """Samples that tell as much of a signal's correlation as one that does not overlap: 1 for a signal without memory,
    the horizon's for one that hardly changes.
    """
    steps = float(horizon_steps(state))
    return min(max(state.long_run[i] / state.variance[i], 1.0), steps) if state.variance[i] > 0.0 else steps


@kernel(i4(forecast_record, i8))
def judge(state: Record, i: int) -> int:
    """Set a signal's correlation with its interval; returns USED, or why it has no weight."""
    state.ic[i] = 0.0
    state.low[i] = -1.0
    state.high[i] = 1.0
    if not (independent(state) >= state.min_samples):
        return TOO_FEW
    spread = state.move_variance if i < signal_kernels.DIRECTIONS else state.size_variance
    if not (state.variance[i] > 1e-12 and spread > 1e-12):
        return NO_VARIANCE
    scale = math.sqrt(state.variance[i] * spread)
    ic = min(max(state.covariance[i] / scale, -1.0), 1.0)
    alone = (1.0 - ic * ic) * state.weight_squares / (state.weight_sum * state.weight_sum)
    error = state.z * math.sqrt(max(alone * overlap(state, i), 0.0))
    state.ic[i] = ic
    state.low[i] = max(ic - error, -1.0)
    state.high[i] = min(ic + error, 1.0)
    if state.low[i] <= 0.0 <= state.high[i]:
        return HOLDS_ZERO
    if i >= signal_kernels.DIRECTIONS and ic < 0.0:
        return WRONG_SIGN
    return USED


@kernel(f8(forecast_record, i8))
def certain(state: Record, i: int) -> float:
    """Share in [0, 1] of a signal's correlation that is certain: the end of its interval nearest to zero over it."""
    nearest = max(float(state.low[i]), -float(state.high[i]), 0.0)
    size = abs(float(state.ic[i]))
    return min(nearest / size, 1.0) if size > 0.0 else 0.0


@kernel(i4(forecast_record, f8, f8))
def weigh(state: Record, fair_usd: float, span_usd: float) -> int:
    """Set every signal's weight and reason from the moments, anew; returns 0."""
    for i in range(FEATURES):
        state.weight[i] = 0.0
        state.reason[i] = judge(state, i)
        given = state.given_bps[i]
        if state.reason[i] == USED and not math.isnan(given) and i < signal_kernels.DIRECTIONS:
            state.reason[i] = GIVEN if given * state.ic[i] > 0.0 else AGAINST_LIVE
            if state.reason[i] == GIVEN and span_usd > 0.0:
                state.weight[i] = given * 1e-4 * fair_usd / span_usd
    ridge = 1.0 / (max(independent(state), 1.0) * max(state.prior, 1e-6) ** 2)
    for _ in range(SWEEPS):
        for i in range(signal_kernels.DIRECTIONS):
            if state.reason[i] != USED:
                continue
            left = state.covariance[i]
            for j in range(signal_kernels.DIRECTIONS):
                if j != i:
                    left -= state.cross[i * FEATURES + j] * state.weight[j]
            state.weight[i] = left / (state.cross[i * FEATURES + i] * (1.0 + ridge) + 1e-12)
    for i in range(signal_kernels.DIRECTIONS, FEATURES):
        if state.reason[i] == USED:
            state.weight[i] = state.covariance[i] / (state.variance[i] * (1.0 + ridge))
    for i in range(FEATURES):
        if state.reason[i] == USED:
            state.weight[i] *= certain(state, i)
    state.updates += 1
    return 0


@kernel(i4(forecast_record))
def adjust(state: Record) -> int:
    """Set the factors on sigma and sizes from the forecast size of the move, anew and within adjust_most; returns 0.

    1 while neither the volatility prediction nor toxicity has a weight, and never a function of what they were.
    """
    expected = 0.0
    row = (state.head - 1 + PENDING_MAX) % PENDING_MAX
    for i in range(signal_kernels.DIRECTIONS, FEATURES):
        expected += state.weight[i] * (state.seen[row * FEATURES + i] - state.mean[i])
    ratio = 1.0 + expected / state.size_mean if state.size_mean > 0.0 else 1.0
    most = state.adjust_most if 1.0 <= state.adjust_most < math.inf else 1.0
    state.sigma_factor = min(max(ratio, 1.0 / most), most)
    # Less is quoted when more is expected to happen; never more than the base.
    state.size_factor = min(1.0 / state.sigma_factor, 1.0)
    return 0


@kernel(i4(forecast_record, f8, f8, i8))
def sample(state: Record, fair_usd: float, sigma_usd: float, now_ns: int) -> int:
    """Note the signals (already in the newest row of ``seen``) with the mid, and learn from the sample whose horizon
    has passed; returns 0.
    """
    steps = horizon_steps(state)
    if state.pending > 0 and now_ns - state.last_ns > GAP_STEPS * max(state.interval_ns, 1):
        state.gaps += 1
        state.pending = 0
    row = state.head
    last = (row - 1 + PENDING_MAX) % PENDING_MAX
    for kind in range(4):
        if state.pending > 0:
            state.took[last * 4 + kind] = state.counted[kind]
        state.counted[kind] = 0.0
    state.span_usd = sigma_usd * math.sqrt(horizon_s(state))
    state.mids[row] = fair_usd
    state.spans_usd[row] = state.span_usd
    state.expected[row] = state.alpha_spans
    state.head = (row + 1) % PENDING_MAX
    state.pending = min(state.pending + 1, steps + 1)
    state.samples += 1
    state.last_ns = now_ns
    if state.pending > steps:
        old = (row - steps + PENDING_MAX) % PENDING_MAX
        move = (fair_usd - state.mids[old]) / state.spans_usd[old]
        move = min(max(move, -MOVE_MAX), MOVE_MAX)
        _learn_moves(state, move)
        _learn_signals(state, old, move)
        learn(state, old, move)
        state.outcomes += 1
    return 0


@kernel(i4(forecast_record, market_record))
def lean(state: Record, market: Record) -> int:
    """Alpha in spans of all signals but the book's imbalance, which changes with every top; returns 0."""
    total = 0.0
    for i in range(signal_kernels.DIRECTIONS):
        if i != signal_kernels.BOOK_IMBALANCE:
            total += state.weight[i] * market.signals[i]
    state.alpha_spans = total
    return 0


@kernel(i4(flow_record, candles_record, forecast_record, market_record, i8, i8, i8, i8, i8))
def trade(
    flow: Record,
    candles: Record,
    state: Record,
    market: Record,
    aggressor: int,
    price_ticks: int,
    lots: int,
    t_ns: int,
    begins: int,
) -> int:
    """Take in one public trade; returns TAKEN, or BAD_TRADE with nothing changed but the counters.

    ``begins``: 1 for the first trade of a market order that came just now, 0 for its others and for history.
    """
    if vamp.trade(flow, aggressor, price_ticks, lots, t_ns) != vamp.TAKEN:
        candles.refused += 1
        return vamp.BAD_TRADE
    candle_kernels.trade(candles, aggressor, price_ticks, lots, t_ns)
    if begins != 0:
        count(state, BUYS if aggressor > 0 else SELLS)
    market.signals[signal_kernels.PRESSURE] = vamp.pressure(flow, flow.trade_ns)
    market.signals[signal_kernels.FAST_PRESSURE] = vamp.fast_pressure(flow, flow.trade_ns)
    market.signals[signal_kernels.ORDER_IMBALANCE] = vamp.order_imbalance(flow, flow.trade_ns)
    lean(state, market)
    return vamp.TAKEN


@kernel(i4(flow_record, candles_record, forecast_record, market_record))
def refresh(flow: Record, candles: Record, state: Record, market: Record) -> int:
    """After a decision: take in the top that it saw, and when a sample is due, everything else; returns 1 then.

    A book without a side, or without a volatility yet, is no sample.
    """
    now_ns = market.now_ns
    flow_kernels.top(flow, market.bid_ticks, market.bid_lots, market.ask_ticks, market.ask_lots, now_ns)
    market.signals[signal_kernels.FLOW_IMBALANCE] = flow_kernels.imbalance(flow, now_ns)
    candle_kernels.close_due(candles, now_ns)
    if now_ns < state.next_ns:
        lean(state, market)
        return 0
    interval = max(state.interval_ns, 1)
    state.next_ns = now_ns - now_ns % interval + interval
    signal_kernels.fill(flow, candles, market)
    state.toxicity = signal_kernels.toxicity(candles, now_ns)
    if not (0.0 < market.fair_usd < math.inf and 0.0 < market.sigma_usd < math.inf):
        lean(state, market)
        return 0
    for i in range(FEATURES - 1):
        state.seen[state.head * FEATURES + i] = market.signals[i]
    state.seen[state.head * FEATURES + TOXICITY] = state.toxicity
    lean(state, market)
    state.alpha_spans += state.weight[signal_kernels.BOOK_IMBALANCE] * market.signals[signal_kernels.BOOK_IMBALANCE]
    sample(state, market.fair_usd, market.sigma_usd, now_ns)
    if now_ns >= state.due_ns:
        state.due_ns = now_ns + max(state.update_ns, 1)
        weigh(state, market.fair_usd, state.span_usd)
        adjust(state)
    lean(state, market)
    widen(state, market)
    regime.measure(state, market, 1 if independent(state) >= state.min_samples else 0)
    if state.half_usd > 0.0:
        book = state.weight[signal_kernels.BOOK_IMBALANCE] * market.signals[signal_kernels.BOOK_IMBALANCE]
        state.lean_halves = (state.alpha_spans + book) * state.span_usd / state.half_usd
    regime.step(state, now_ns)
    regime.act(state, market)
    return 1


@kernel(i4(forecast_record, market_record, f8))
def forecast(state: Record, market: Record, tick_usd: float) -> int:
    """Before a decision: the book's imbalance as it is, and alpha from it and the rest; returns 0."""
    book = imbalance(market.bid_lots, market.ask_lots)
    market.signals[signal_kernels.BOOK_IMBALANCE] = book
    market.alpha_usd = 0.0
    silence_ns = market.now_ns - state.last_ns
    if state.enabled == 0 or silence_ns > GAP_STEPS * max(state.interval_ns, 1):
        return 0
    alpha = (state.alpha_spans + state.weight[signal_kernels.BOOK_IMBALANCE] * book) * state.span_usd
    cap = min(state.cap_bps * 1e-4 * market.fair_usd, state.cap_ticks * tick_usd)
    if -math.inf < alpha < math.inf and cap > 0.0:
        market.alpha_usd = min(max(alpha, -cap), cap)
    return 0
