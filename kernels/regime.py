"""How cautious an instrument is quoted: normal, widened, one-sided or pulled, with hysteresis.

=========  ===========================================  ==================================================
regime     entered at once when                         what it does
=========  ===========================================  ==================================================
pulled     stress >= pull_at                            nothing is quoted
bids only  expected move >= one_side_at half-spreads    no asks: they would be bought from before the rise
asks only  expected move <= -one_side_at half-spreads   no bids
widened    stress >= widen_at                           half-spreads times widen_by
normal     none of these                                the model's quotes
=========  ===========================================  ==================================================

Stress is the larger of sigma over the top of its usual range (the mean and two standard deviations over the memory),
and the half-spread with toxicity over the one without. Sigma alone is no stress: the model's spread, skew and sizes
have it already, and a market that has calm and wild hours is expected to be wild. What the model cannot know is a
market wilder than any that its parameters were learnt in.

The first row that applies holds. A stricter regime is entered at once; a milder one when the measure of the present one
has been below ``calm`` times its limit for ``hold_ns``. Every change is noted with its time, reason and measure.

State is part of one Forecast record (kernels.forecast), owned by the thread that runs the core; one step a sample.
"""

import math

from kernels.kernel import Record, f8, forecast_record, i4, i8, kernel, market_record

NORMAL = 0
WIDENED = 1
BIDS_ONLY = 2
ASKS_ONLY = 3
PULLED = 4

CALM = 0
VOLATILITY = 1
TOXICITY = 2
EXPECTED_MOVE = 3
SWITCHED_OFF = 4

CHANGES_MAX = 16
USUAL = 2.0  # standard deviations above the mean that sigma usually stays below


@kernel(f8(forecast_record))
def stress(state: Record) -> float:
    """The larger of both stresses."""
    return float(max(state.vol_stress, state.toxic_stress))


@kernel(i4(forecast_record, i8, f8))
def holds(state: Record, regime: int, share: float) -> int:
    """1 when the measure of a regime is at ``share`` of its limit, else 0; normal always holds."""
    if regime == PULLED:
        return 1 if stress(state) >= state.pull_at * share else 0
    if regime == BIDS_ONLY:
        return 1 if state.lean_halves >= state.one_side_at * share else 0
    if regime == ASKS_ONLY:
        return 1 if -state.lean_halves >= state.one_side_at * share else 0
    if regime == WIDENED:
        return 1 if stress(state) >= state.widen_at * share else 0
    return 1


@kernel(i8(forecast_record))
def wanted(state: Record) -> int:
    """The strictest regime whose condition is met."""
    for regime in (PULLED, BIDS_ONLY, ASKS_ONLY, WIDENED):
        if holds(state, regime, 1.0) != 0:
            return regime
    return NORMAL


@kernel(i4(forecast_record, i8, i8, i8))
def change(state: Record, regime: int, reason: int, now_ns: int) -> int:
    """Go to a regime and note it; returns 1."""
    at = state.changes % CHANGES_MAX
    state.change_ns[at] = now_ns
    state.change_from[at] = state.regime
    state.change_to[at] = regime
    state.change_reason[at] = reason
    value = stress(state)
    if reason == EXPECTED_MOVE or (reason == CALM and state.regime in (BIDS_ONLY, ASKS_ONLY)):
        value = state.lean_halves
    state.change_value[at] = value
    state.changes += 1
    state.regime = regime
    state.regime_ns = now_ns
    state.calm_ns = 0
    return 1


@kernel(i4(forecast_record, i8))
def step(state: Record, now_ns: int) -> int:
    """Go where the measures lead; returns 1 when the regime changed."""
    if state.enabled == 0:
        return change(state, NORMAL, SWITCHED_OFF, now_ns) if state.regime != NORMAL else 0
    regime = wanted(state)
    if regime == state.regime:
        state.calm_ns = 0
        return 0
    opposite = regime + state.regime == BIDS_ONLY + ASKS_ONLY and regime >= BIDS_ONLY and state.regime >= BIDS_ONLY
    if regime > state.regime or opposite:
        reason = EXPECTED_MOVE
        if regime in (PULLED, WIDENED):
            reason = VOLATILITY if state.vol_stress >= state.toxic_stress else TOXICITY
        return change(state, regime, reason, now_ns)
    if holds(state, state.regime, state.calm) != 0:
        state.calm_ns = 0
        return 0
    if state.calm_ns == 0:
        state.calm_ns = now_ns
    if now_ns - state.calm_ns < state.hold_ns:
        return 0
    return change(state, regime, CALM, now_ns)


@kernel(i4(forecast_record, market_record, i8))
def measure(state: Record, market: Record, warm: int) -> int:
    """Set the measures from this sample; before the warm-up nothing is unusual. Returns 0."""
    gain = 1.0 / min(float(max(state.samples, 1)), max(state.span, 1.0))
    off = market.sigma_usd - state.sigma_slow
    state.sigma_slow += gain * off
    state.sigma_variance = (1.0 - gain) * (state.sigma_variance + gain * off * off)
    state.vol_stress = 1.0
    state.toxic_stress = 1.0
    state.lean_halves = 0.0
    if warm == 0 or not (state.sigma_slow > 0.0):
        return 0
    top = state.sigma_slow + USUAL * math.sqrt(max(state.sigma_variance, 0.0))
    state.vol_stress = market.sigma_usd / top
    toxic = max(market.toxic_bid_usd, market.toxic_ask_usd)
    if state.half_usd > 0.0:
        state.toxic_stress = state.half_usd / max(state.half_usd - toxic, 0.1 * state.half_usd)
    return 0


@kernel(i4(forecast_record, market_record))
def act(state: Record, market: Record) -> int:
    """Write what the regime and the forecast of volatility make of spread and size; returns 0."""
    market.widen = 1.0
    market.size_factor = 1.0
    if state.enabled == 0:
        return 0
    if state.regime == WIDENED and 1.0 < state.widen_by < math.inf:
        market.widen = state.widen_by
    market.size_factor = state.size_factor
    return 0
