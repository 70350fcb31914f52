"""What a fill costs beyond the spread: the move of the mid against it, by side, and how that widens the side.

The mean adverse move after market orders of each side, and after our own fills, is the epsilon of Cartea, Jaimungal and
Ricci (SIAM J. Financial Math. 5(1), 2014), in spans (sigma times the root of the forecast's horizon). Our own fills
decide once they are enough, market orders before. The lower end of the mean's interval is what widens: what cannot be
told from nothing widens nothing, and what can does so continuously.

State is part of one Forecast record (kernels.forecast), owned by the thread that runs the core.
"""

import math

from kernels.kernel import Record, f8, forecast_record, i4, i8, kernel, market_record

PENDING_MAX = 64  # rows of the record's rings
MOVE_MAX = 4.0  # spans: a larger move counts as this, so that no jump decides alone

SELLS = 0  # market orders that hit bids
BUYS = 1
OWN_BIDS = 2  # our own fills
OWN_ASKS = 3


@kernel(i8(forecast_record))
def horizon_steps(state: Record) -> int:
    """Samples to the horizon, within 1 and PENDING_MAX - 1."""
    return int(min(max(state.steps, 1), PENDING_MAX - 1))


@kernel(i4(forecast_record, i8))
def count(state: Record, kind: int) -> int:
    """Note a market order (SELLS, BUYS) or a fill of ours (OWN_BIDS, OWN_ASKS) at the last sample's mid; returns 0."""
    if 0 <= kind < 4:
        state.counted[kind] += 1.0
    return 0


@kernel(f8(forecast_record, i8, f8))
def error(state: Record, kind: int, overlap: float) -> float:
    """Standard error of a mean adverse move; inf without trades."""
    weight = state.adverse_weight[kind]
    if not (weight > 0.0):
        return math.inf
    return float(math.sqrt(max(state.adverse_variance[kind], 0.0) * overlap) / weight)


@kernel(i4(forecast_record, i8, f8))
def learn(state: Record, row: int, move: float) -> int:
    """Mean adverse move after each kind of trade, and the lower end of its interval, in spans.

    Of the move only what alpha did not expect counts: the rest is in the quotes already, on both sides.
    """
    keep = 1.0 - 1.0 / max(state.span, 2.0)
    steps = horizon_steps(state)
    surprise = move - state.expected[row]
    for kind in range(4):
        trades = state.took[row * 4 + kind]
        loss = surprise if kind in (BUYS, OWN_ASKS) else -surprise
        state.adverse_weight[kind] = keep * state.adverse_weight[kind] + trades
        state.adverse_rows[kind] = keep * state.adverse_rows[kind] + (1.0 if trades > 0.0 else 0.0)
        state.adverse_sum[kind] = keep * state.adverse_sum[kind] + trades * loss
        weight = state.adverse_weight[kind]
        mean = state.adverse_sum[kind] / weight if weight > 0.0 else 0.0
        state.adverse[kind] = mean
        state.adverse_variance[kind] = keep * state.adverse_variance[kind] + (trades * (loss - mean)) ** 2
        # Moves that overlap are not news of their own: the denser the trades, the more of them do.
        dense = state.adverse_rows[kind] / state.weight_sum
        low = mean - state.z * error(state, kind, 1.0 + (steps - 1.0) * dense)
        state.adverse_low[kind] = max(low, -MOVE_MAX)
    return 0


@kernel(i4(forecast_record, i8))
def enough(state: Record, kind: int) -> int:
    """1 when there are ``min_samples`` of its samples that do not overlap, else 0."""
    overlap = 1.0 + (horizon_steps(state) - 1.0) * state.adverse_rows[kind] / max(state.weight_sum, 1.0)
    return 1 if state.adverse_rows[kind] / overlap >= state.min_samples else 0


@kernel(f8(forecast_record, i8, i8))
def toxic_spans(state: Record, own: int, public: int) -> float:
    """What widens a side, in spans: the lower end of the interval, 0.0 where it holds zero: from our own fills when
    they are enough to tell, else from the market orders of that side.
    """
    kind = own if enough(state, own) != 0 else public
    return max(float(state.adverse_low[kind]), 0.0) if enough(state, kind) != 0 else 0.0


@kernel(i4(forecast_record, market_record))
def widen(state: Record, market: Record) -> int:
    """Each side's toxicity in USD from the adverse moves, capped; returns 0."""
    market.toxic_bid_usd = 0.0
    market.toxic_ask_usd = 0.0
    cap = state.toxic_cap_bps * 1e-4 * market.fair_usd
    scale = state.toxic_weight * state.span_usd
    if state.enabled == 0 or not (0.0 < cap < math.inf and 0.0 < scale < math.inf):
        return 0
    market.toxic_bid_usd = min(max(scale * toxic_spans(state, OWN_BIDS, SELLS), 0.0), cap)
    market.toxic_ask_usd = min(max(scale * toxic_spans(state, OWN_ASKS, BUYS), 0.0), cap)
    return 0
