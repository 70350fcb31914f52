"""Settings, which may be relative to the price, resolved at a price into the absolute numbers that a quote needs.

``resolve`` runs when the configuration or the price has moved enough, not per tick. NaN in a setting means "not
given". A relative setting makes the quotes scale with the price: gamma = risk/(max_position price 1e-4), kappa =
kappa_per_bp 1e4/price.
"""

import math

from kernels.avellaneda import liquidity_usd
from kernels.glft import coefficients, gamma_of_skew
from kernels.kernel import Record, f8, i4, i8, kernel, model_record, settings_record
from kernels.limits import LEVELS_MAX, LOTS_MAX

SPREAD_TICKS_MAX = 2**40  # stands for "no maximum" in whole ticks
NEARLY = 1e-9  # relative slack in which a quotient counts as the whole number it was meant to be

OK = 0
BAD_PRICE = 1
BAD_UNITS = 2  # tick or lot
BAD_GAMMA = 3
BAD_KAPPA = 4
BAD_INTENSITY = 5
BAD_HORIZON = 6
BAD_POSITION_LIMIT = 7
BAD_SIZE = 8
BAD_LEVELS = 9
NOT_FINITE = 10
BAD_HOLD = 11  # a position to hold, and no skew solved for it


@kernel(f8(f8, f8))
def given(value: float, otherwise: float) -> float:
    """The value, or the other where it is NaN."""
    return otherwise if math.isnan(value) else value


@kernel(i8(f8))
def whole_down(value: float) -> int:
    """Largest whole number not above the value (up to rounding error); at most SPREAD_TICKS_MAX, at least 0 (NaN
    too).
    """
    if not (value > 0.0):
        return 0
    if value >= SPREAD_TICKS_MAX:
        return SPREAD_TICKS_MAX
    return math.floor(value * (1.0 + NEARLY))


@kernel(i8(f8))
def whole_up(value: float) -> int:
    """Smallest whole number not below the value (up to rounding error); within the same bounds."""
    if not (value > 0.0):
        return 0
    if value >= SPREAD_TICKS_MAX:
        return SPREAD_TICKS_MAX
    return math.ceil(value * (1.0 - NEARLY))


@kernel(i4(settings_record, f8, model_record))
def _resolve_risk(settings: Record, price_usd: float, model: Record) -> int:
    """gamma, kappa and the constants that follow from them; the maker fee is part of the distance that is quoted."""
    gamma = given(settings.gamma, settings.risk / (settings.max_position * price_usd * 1e-4))
    kappa = given(settings.kappa, settings.kappa_per_bp * 1e4 / price_usd)
    if not (0.0 <= gamma < math.inf):
        return BAD_GAMMA
    if not (0.0 < kappa < math.inf):
        return BAD_KAPPA
    if not (settings.horizon_s > 0.0):
        return BAD_HORIZON
    if not (0.0 < settings.intensity < math.inf) and math.isinf(settings.horizon_s):
        return BAD_INTENSITY
    model.gamma = gamma
    model.kappa = kappa
    model.intensity = settings.intensity
    model.horizon_s = settings.horizon_s
    model.inventory_weight = given(settings.inventory_weight, 1.0)
    model.inventory_target = given(settings.inventory_target, 0.0)
    model.max_position = settings.max_position
    model.order_contracts = 1.0
    model.hold_skew = 0.0
    model.held_sigma_usd = 0.0
    model.liquidity_usd = liquidity_usd(gamma, kappa)
    model.skew_per_sigma = 0.0
    if math.isinf(settings.horizon_s):
        # Fills come in orders, not in contracts: with the size of one the quotes are the same for a coin at any price.
        size = given(settings.base_size, settings.size_usd / price_usd)
        if not (0.0 < size < math.inf):
            return BAD_SIZE
        model.order_contracts = size
        model.liquidity_usd, model.skew_per_sigma = coefficients(gamma, gamma, kappa, settings.intensity, size)
    # A cost of c a fill moves the best distance by c: exp(-k d) (d - c) is largest c farther out than exp(-k d) d.
    model.liquidity_usd += given(settings.maker_fee_rate, 0.0) * price_usd
    if settings.hold_within > 0.0 or settings.hold_within_usd > 0.0:
        model.hold_skew = settings.hold_skew / (model.order_contracts * model.inventory_weight)
        if not (0.0 < model.hold_skew < math.inf and math.isinf(settings.horizon_s)):
            return BAD_HOLD
    model.volatility_multiple = given(settings.volatility_multiple, 0.0)
    model.touch_multiple = given(settings.touch_multiple, math.inf)
    model.alpha_halves = max(given(settings.alpha_halves, math.inf), 0.0)
    model.fade_time_s = given(settings.fade_time_s, math.inf)
    model.fade_halves = max(given(settings.fade_halves, 0.0), 0.0)
    model.calm_sigma_usd = given(settings.calm_rate, math.inf) * price_usd
    total = model.liquidity_usd + model.skew_per_sigma + model.inventory_weight + model.inventory_target
    return OK if -math.inf < total + model.volatility_multiple < math.inf else NOT_FINITE


@kernel(i4(model_record, f8))
def hold(model: Record, sigma_usd: float) -> int:
    """Set gamma so that the skew holds the position at this volatility; returns OK, or BAD_GAMMA and a model without
    levels.

    The share of the time within a bound depends on k times the skew alone, and the skew grows with sigma and with
    gamma: so gamma falls where volatility rises. The rest of the model stays.
    """
    gamma = gamma_of_skew(model.hold_skew, model.kappa, model.intensity, sigma_usd, model.order_contracts)
    if not (0.0 < gamma < math.inf):
        model.levels = 0
        return BAD_GAMMA
    size = model.order_contracts
    before, _ = coefficients(model.gamma, model.gamma, model.kappa, model.intensity, size)
    after, model.skew_per_sigma = coefficients(gamma, gamma, model.kappa, model.intensity, size)
    model.liquidity_usd += after - before  # the fee in it stays
    model.gamma = gamma
    model.held_sigma_usd = sigma_usd
    return OK


@kernel(i4(settings_record, f8, model_record))
def _resolve_spread(settings: Record, price_usd: float, model: Record) -> int:
    """Floors and ceilings of the spread, and the spacing of the levels."""
    tick = settings.tick_usd
    minimum = max(
        0.5 * given(settings.min_spread_ticks, 0.0) * tick,
        0.5e-4 * given(settings.min_spread_bps, 0.0) * price_usd,
        (given(settings.maker_fee_rate, 0.0) + 1e-4 * given(settings.min_edge_bps, 0.0)) * price_usd,
        0.0,
    )
    maximum = min(
        0.5 * given(settings.max_spread_ticks, math.inf) * tick,
        0.5e-4 * given(settings.max_spread_bps, math.inf) * price_usd,
    )
    if not minimum < math.inf:
        return NOT_FINITE
    model.half_min_usd = minimum
    model.half_max_usd = max(maximum, minimum)
    model.min_spread_ticks = max(1, whole_up(2.0 * minimum / tick))
    model.max_spread_ticks = max(model.min_spread_ticks, whole_down(2.0 * maximum / tick))
    spacing = given(settings.level_spacing_ticks, 1e-4 * given(settings.level_spacing_bps, 0.0) * price_usd / tick)
    model.spacing_ticks = max(1, whole_down(spacing + 0.5))
    return OK


@kernel(i4(settings_record, f8, model_record))
def _resolve_sizes(settings: Record, price_usd: float, model: Record) -> int:
    """Lots per level, before capacity and fading."""
    base = given(settings.base_size, settings.size_usd / price_usd)
    smallest = max(given(settings.min_size, 0.0), 0.0)
    largest = given(settings.max_size, math.inf)
    if not (0.0 < base < math.inf and largest > 0.0 and smallest < math.inf):
        return BAD_SIZE
    for level in range(LEVELS_MAX):
        multiplier = given(settings.size_multipliers[level], 1.0)
        size = min(max(base * multiplier, smallest), largest)
        lots = min(whole_down(size / settings.lot_contracts), LOTS_MAX)
        model.level_lots[level] = lots if level < settings.levels and multiplier > 0.0 else 0
    model.levels = settings.levels
    model.min_lots = max(settings.min_lots, whole_up(smallest / settings.lot_contracts), 1)
    model.post_only = settings.post_only
    return OK


@kernel(i4(settings_record, f8, model_record))
def resolve(settings: Record, price_usd: float, model: Record) -> int:
    """Write the model for this price in USD. Returns OK, or the code of the first setting that is out of its domain.

    On any other code the model has ``levels`` 0 and ``resolved_at_usd`` 0, with which ``quote`` refuses. The spread
    floor per side is the largest of half the minimum spread (ticks or bps) and maker fee + edge; it wins over the
    ceiling. Sizes are base times multiplier, raised to min_size, cut to max_size, rounded down to lots; min_size is
    also the least that is sent at all. A multiplier of 0 or less switches its level off.
    """
    model.levels = 0
    model.resolved_at_usd = 0.0
    if not (0.0 < price_usd < math.inf):
        return BAD_PRICE
    if not (0.0 < settings.tick_usd < math.inf and 0.0 < settings.lot_contracts < math.inf):
        return BAD_UNITS
    if not (0.0 < settings.max_position < math.inf):
        return BAD_POSITION_LIMIT
    if settings.levels < 1 or settings.levels > LEVELS_MAX:
        return BAD_LEVELS
    code = _resolve_risk(settings, price_usd, model)
    if code == OK:
        code = _resolve_spread(settings, price_usd, model)
    if code == OK:
        code = _resolve_sizes(settings, price_usd, model)
    if code != OK:
        model.levels = 0
        return code
    model.tick_usd = settings.tick_usd
    model.lot_contracts = settings.lot_contracts
    model.resolved_at_usd = price_usd
    return OK
