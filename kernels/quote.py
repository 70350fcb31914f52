"""The entry kernel: one market and one resolved model give one target ladder.

Deterministic, free of allocation and of exceptions: a refusal is a code and an empty target, and nothing that is not
finite ever reaches a target. Units are in the records' member names. A user's own strategy is a function of the same
three records.
"""

import math

from kernels.kernel import Record, f8, i4, kernel, market_record, model_record, pair, target_record
from kernels.ladder import best_quotes, write_asks, write_bids
from kernels.limits import LEVELS_MAX, TICKS_MAX
from kernels.sizing import calm, edge_share, exposure_share, room, size_factor

OK = 0  # a ladder; capacity or the position may have left a side, or both, empty
NO_FAIR_PRICE = 1  # not a positive number
NOT_FINITE = 2  # drift, or a result
BAD_SIGMA = 3  # not a positive finite number
CROSSED_BOOK = 4  # others' bid at or above their ask
NOT_RESOLVED = 5  # the model was never resolved, or was refused
OUT_OF_RANGE = 6  # a quote above TICKS_MAX or an ask below 1 tick

REASONS = (
    "ok",
    "no fair price",
    "input or result is not finite",
    "sigma is not a positive number",
    "the book of others is crossed",
    "the model is not resolved",
    "price out of range",
)


@kernel(pair(market_record, model_record))
def skew_and_half(market: Record, model: Record) -> tuple[float, float]:
    """(skew, half-spread) in USD before floors and ceilings; the reservation price is fair minus skew.

    A finite horizon gives Avellaneda-Stoikov with a rolling tau, an infinite one the GLFT closed form. The inventory
    counts from the target and its part of the skew is weighted; the drift's part is not: mu tau, or mu/(gamma
    sigma^2) contracts.
    """
    inventory = market.position_lots * model.lot_contracts - model.inventory_target
    sigma = market.sigma_usd
    drift = market.drift_usd_s
    if model.horizon_s < math.inf:
        unit = model.gamma * sigma * sigma * model.horizon_s
        skew = model.inventory_weight * inventory * unit - drift * model.horizon_s
    else:
        unit = model.skew_per_sigma * sigma
        skew = model.inventory_weight * inventory * unit
        if drift != 0.0 and model.gamma > 0.0:
            skew -= drift * model.skew_per_sigma / (model.gamma * sigma)
    return skew, model.liquidity_usd + 0.5 * model.order_contracts * unit


@kernel(i4(market_record, model_record))
def refusal(market: Record, model: Record) -> int:
    """The code for inputs that cannot be quoted on, or OK. A book with one side or none is fine: the caller gave a
    fair price.
    """
    if not (0.0 < market.fair_usd < math.inf):
        return NO_FAIR_PRICE
    if not (0.0 < market.sigma_usd < math.inf):
        return BAD_SIGMA
    opinion = abs(market.drift_usd_s) + abs(market.alpha_usd) + abs(market.toxic_bid_usd) + abs(market.toxic_ask_usd)
    if not opinion < math.inf:
        return NOT_FINITE
    if market.bid_lots > 0 and market.ask_lots > 0 and market.bid_ticks >= market.ask_ticks:
        return CROSSED_BOOK
    if model.levels < 1 or model.levels > LEVELS_MAX or not (model.resolved_at_usd > 0.0 and model.tick_usd > 0.0):
        return NOT_RESOLVED
    return OK


@kernel(i4(target_record, i4))
def empty(target: Record, code: int) -> int:
    """Make the target say nothing, and return the code."""
    target.reservation_usd = 0.0
    target.half_bid_usd = 0.0
    target.half_ask_usd = 0.0
    target.skew_usd = 0.0
    target.bid_count = 0
    target.ask_count = 0
    return code


@kernel(f8(model_record, f8, f8, f8))
def outer_half(model: Record, half: float, toxic_usd: float, share: float) -> float:
    """The half-spread of one side in USD: wider by what its fills cost, and by fade_halves times the share of the
    position's limit that it has used up; at most the ceiling.
    """
    away: float = half + max(toxic_usd, 0.0) + model.fade_halves * half * share
    return min(away, float(model.half_max_usd))


@kernel(i4(market_record, model_record, target_record))
def quote(market: Record, model: Record, target: Record) -> int:
    """Write the target ladder; returns OK, or a reason code with an empty target.

    half = max(min(model's half, touch_multiple times the half-spread of the others' best quotes), volatility_multiple
    sigma sqrt(1 s), floor), wider on each side (``outer_half``) and at most the ceiling. Alpha moves both quotes
    (Cartea and Wang 2020, first order), within alpha_halves of the half. Then kernels.ladder.best_quotes, and sizes
    faded and cut to capacity by kernels.sizing.
    """
    code = refusal(market, model)
    if code != OK:
        return empty(target, code)
    skew, half = skew_and_half(market, model)
    if market.bid_lots > 0 and market.ask_lots > 0:
        # Takers seldom reach many spreads deep: where the book is tight, a distance in basis points is never hit.
        half = min(half, model.touch_multiple * 0.5 * (market.ask_ticks - market.bid_ticks) * model.tick_usd)
    half = max(half, model.volatility_multiple * market.sigma_usd, model.half_min_usd)
    half = min(half, model.half_max_usd)
    if market.widen > 1.0:
        half = min(half * market.widen, model.half_max_usd)
    most = model.alpha_halves * half
    skew -= min(max(market.alpha_usd, -most), most)
    position = market.position_lots * model.lot_contracts
    limit = room(model.max_position, market.position_age_s, model.fade_time_s)
    half_bid = outer_half(model, half, market.toxic_bid_usd, exposure_share(position, limit, 1))
    half_ask = outer_half(model, half, market.toxic_ask_usd, exposure_share(position, limit, -1))
    reservation = market.fair_usd - skew
    if not (-math.inf < reservation < math.inf and half_bid < math.inf and half_ask < math.inf):
        return empty(target, NOT_FINITE)
    centre = reservation / model.tick_usd
    bid_away = half_bid / model.tick_usd
    ask_away = half_ask / model.tick_usd
    if not (centre + ask_away <= TICKS_MAX and centre + ask_away > 0.0 and max(bid_away, ask_away) <= TICKS_MAX):
        return empty(target, OUT_OF_RANGE)
    bid, ask = best_quotes(
        centre,
        bid_away,
        ask_away,
        model.min_spread_ticks,
        model.max_spread_ticks,
        market.bid_ticks if market.bid_lots > 0 else 0,
        market.ask_ticks if market.ask_lots > 0 else 0,
        model.post_only,
    )
    target.reservation_usd = reservation
    target.half_bid_usd = half_bid
    target.half_ask_usd = half_ask
    target.skew_usd = skew
    regime = market.size_factor if 0.0 < market.size_factor < 1.0 else 1.0
    full = regime * calm(market.sigma_usd, model.calm_sigma_usd)
    full_bid = full * edge_share(half, market.toxic_bid_usd)
    full_ask = full * edge_share(half, market.toxic_ask_usd)
    write_bids(target, model, bid, size_factor(position, limit, 1, full_bid), market.buy_capacity_lots)
    write_asks(target, model, ask, size_factor(position, limit, -1, full_ask), market.sell_capacity_lots)
    return OK
