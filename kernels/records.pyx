"""NumPy dtypes of the shared records, compared with the C structs at import.

Owner thread: none, the dtypes are constants. A mismatch means that another build is on the path: the import fails.
"""

import numpy as np

from kernels cimport records as c

SETTINGS = np.dtype([
    ("tick_usd", "f8"),
    ("lot_contracts", "f8"),
    ("gamma", "f8"),
    ("risk", "f8"),
    ("kappa", "f8"),
    ("kappa_per_bp", "f8"),
    ("intensity", "f8"),
    ("horizon_s", "f8"),
    ("inventory_weight", "f8"),
    ("inventory_target", "f8"),
    ("min_spread_ticks", "f8"),
    ("max_spread_ticks", "f8"),
    ("min_spread_bps", "f8"),
    ("max_spread_bps", "f8"),
    ("maker_fee_rate", "f8"),
    ("min_edge_bps", "f8"),
    ("base_size", "f8"),
    ("size_usd", "f8"),
    ("min_size", "f8"),
    ("max_size", "f8"),
    ("max_position", "f8"),
    ("level_spacing_ticks", "f8"),
    ("level_spacing_bps", "f8"),
    ("volatility_multiple", "f8"),
    ("size_multipliers", "f8", (10,)),
    ("levels", "i8"),
    ("min_lots", "i8"),
    ("post_only", "i8"),
], align=True)

MODEL = np.dtype([
    ("resolved_at_usd", "f8"),
    ("tick_usd", "f8"),
    ("lot_contracts", "f8"),
    ("gamma", "f8"),
    ("kappa", "f8"),
    ("intensity", "f8"),
    ("horizon_s", "f8"),
    ("inventory_weight", "f8"),
    ("inventory_target", "f8"),
    ("order_contracts", "f8"),
    ("liquidity_usd", "f8"),
    ("skew_per_sigma", "f8"),
    ("half_min_usd", "f8"),
    ("half_max_usd", "f8"),
    ("volatility_multiple", "f8"),
    ("max_position", "f8"),
    ("spacing_ticks", "i8"),
    ("min_spread_ticks", "i8"),
    ("max_spread_ticks", "i8"),
    ("level_lots", "i8", (10,)),
    ("levels", "i8"),
    ("min_lots", "i8"),
    ("post_only", "i8"),
], align=True)

MARKET = np.dtype([
    ("now_ns", "i8"),
    ("bid_ticks", "i8"),
    ("bid_lots", "i8"),
    ("ask_ticks", "i8"),
    ("ask_lots", "i8"),
    ("buy_capacity_lots", "i8"),
    ("sell_capacity_lots", "i8"),
    ("position_lots", "i8"),
    ("fair_usd", "f8"),
    ("sigma_usd", "f8"),
    ("drift_usd_s", "f8"),
    ("mark_usd", "f8"),
    ("index_usd", "f8"),
    ("funding_rate", "f8"),
    ("signals", "f8", (8,)),
], align=True)

TARGET = np.dtype([
    ("reservation_usd", "f8"),
    ("half_bid_usd", "f8"),
    ("half_ask_usd", "f8"),
    ("skew_usd", "f8"),
    ("bid_count", "i8"),
    ("ask_count", "i8"),
    ("bid_ticks", "i8", (10,)),
    ("bid_lots", "i8", (10,)),
    ("ask_ticks", "i8", (10,)),
    ("ask_lots", "i8", (10,)),
], align=True)

VOLATILITY = np.dtype([
    ("default_rate", "f8"),
    ("floor_rate", "f8"),
    ("ceiling_rate", "f8"),
    ("ewma_span", "f8"),
    ("min_samples", "i8"),
    ("window", "i8"),
    ("min_interval_ns", "i8"),
    ("samples", "i8"),
    ("head", "i8"),
    ("last_ns", "i8"),
    ("last_usd", "f8"),
    ("ewma_variance", "f8"),
    ("ewma_weight", "f8"),
    ("kernel_variance", "f8"),
    ("noise_ratio", "f8"),
    ("sigma_rate", "f8"),
    ("returns", "f8", (256,)),
    ("spans_s", "f8", (256,)),
], align=True)

POSITION = np.dtype([
    ("lots", "i8"),
    ("cash_ticklots", "i8"),
    ("realised_ticklots", "i8"),
    ("bought_lots", "i8"),
    ("sold_lots", "i8"),
    ("fills", "i8"),
    ("head", "i8"),
    ("count", "i8"),
    ("head_remainder_ticklots", "i8"),
    ("fees_usd", "f8"),
    ("funding_usd", "f8"),
    ("fifo_lots", "i8", (512,)),
    ("fifo_ticks", "i8", (512,)),
], align=True)


def _compare(name: str, dtype: np.dtype, size: int, offsets: dict) -> None:
    """Raise ImportError unless the dtype has exactly the C struct's members, size and offsets."""
    if set(dtype.names) != set(offsets):
        raise ImportError(f"record {name}: members differ: {sorted(set(dtype.names) ^ set(offsets))}")
    if dtype.itemsize != size:
        raise ImportError(f"record {name}: C has {size} bytes, NumPy {dtype.itemsize}; rebuild the extensions")
    for field, offset in offsets.items():
        if dtype.fields[field][1] != offset:
            raise ImportError(
                f"record {name}.{field}: C offset {offset}, NumPy {dtype.fields[field][1]}; rebuild the extensions"
            )


def layouts() -> dict:
    """``{record name: (C size in bytes, {member: C offset in bytes})}``, as the C compiler laid the structs out."""
    cdef c.Settings* settings = NULL
    cdef c.Model* model = NULL
    cdef c.Market* market = NULL
    cdef c.Target* target = NULL
    cdef c.Volatility* volatility = NULL
    cdef c.Position* position = NULL
    return {
        "Settings": (sizeof(c.Settings), {
            "tick_usd": <size_t>&settings.tick_usd,
            "lot_contracts": <size_t>&settings.lot_contracts,
            "gamma": <size_t>&settings.gamma,
            "risk": <size_t>&settings.risk,
            "kappa": <size_t>&settings.kappa,
            "kappa_per_bp": <size_t>&settings.kappa_per_bp,
            "intensity": <size_t>&settings.intensity,
            "horizon_s": <size_t>&settings.horizon_s,
            "inventory_weight": <size_t>&settings.inventory_weight,
            "inventory_target": <size_t>&settings.inventory_target,
            "min_spread_ticks": <size_t>&settings.min_spread_ticks,
            "max_spread_ticks": <size_t>&settings.max_spread_ticks,
            "min_spread_bps": <size_t>&settings.min_spread_bps,
            "max_spread_bps": <size_t>&settings.max_spread_bps,
            "maker_fee_rate": <size_t>&settings.maker_fee_rate,
            "min_edge_bps": <size_t>&settings.min_edge_bps,
            "base_size": <size_t>&settings.base_size,
            "size_usd": <size_t>&settings.size_usd,
            "min_size": <size_t>&settings.min_size,
            "max_size": <size_t>&settings.max_size,
            "max_position": <size_t>&settings.max_position,
            "level_spacing_ticks": <size_t>&settings.level_spacing_ticks,
            "level_spacing_bps": <size_t>&settings.level_spacing_bps,
            "volatility_multiple": <size_t>&settings.volatility_multiple,
            "size_multipliers": <size_t>&settings.size_multipliers,
            "levels": <size_t>&settings.levels,
            "min_lots": <size_t>&settings.min_lots,
            "post_only": <size_t>&settings.post_only,
        }),
        "Model": (sizeof(c.Model), {
            "resolved_at_usd": <size_t>&model.resolved_at_usd,
            "tick_usd": <size_t>&model.tick_usd,
            "lot_contracts": <size_t>&model.lot_contracts,
            "gamma": <size_t>&model.gamma,
            "kappa": <size_t>&model.kappa,
            "intensity": <size_t>&model.intensity,
            "horizon_s": <size_t>&model.horizon_s,
            "inventory_weight": <size_t>&model.inventory_weight,
            "inventory_target": <size_t>&model.inventory_target,
            "order_contracts": <size_t>&model.order_contracts,
            "liquidity_usd": <size_t>&model.liquidity_usd,
            "skew_per_sigma": <size_t>&model.skew_per_sigma,
            "half_min_usd": <size_t>&model.half_min_usd,
            "half_max_usd": <size_t>&model.half_max_usd,
            "volatility_multiple": <size_t>&model.volatility_multiple,
            "max_position": <size_t>&model.max_position,
            "spacing_ticks": <size_t>&model.spacing_ticks,
            "min_spread_ticks": <size_t>&model.min_spread_ticks,
            "max_spread_ticks": <size_t>&model.max_spread_ticks,
            "level_lots": <size_t>&model.level_lots,
            "levels": <size_t>&model.levels,
            "min_lots": <size_t>&model.min_lots,
            "post_only": <size_t>&model.post_only,
        }),
        "Market": (sizeof(c.Market), {
            "now_ns": <size_t>&market.now_ns,
            "bid_ticks": <size_t>&market.bid_ticks,
            "bid_lots": <size_t>&market.bid_lots,
            "ask_ticks": <size_t>&market.ask_ticks,
            "ask_lots": <size_t>&market.ask_lots,
            "buy_capacity_lots": <size_t>&market.buy_capacity_lots,
            "sell_capacity_lots": <size_t>&market.sell_capacity_lots,
            "position_lots": <size_t>&market.position_lots,
            "fair_usd": <size_t>&market.fair_usd,
            "sigma_usd": <size_t>&market.sigma_usd,
            "drift_usd_s": <size_t>&market.drift_usd_s,
            "mark_usd": <size_t>&market.mark_usd,
            "index_usd": <size_t>&market.index_usd,
            "funding_rate": <size_t>&market.funding_rate,
            "signals": <size_t>&market.signals,
        }),
        "Target": (sizeof(c.Target), {
            "reservation_usd": <size_t>&target.reservation_usd,
            "half_bid_usd": <size_t>&target.half_bid_usd,
            "half_ask_usd": <size_t>&target.half_ask_usd,
            "skew_usd": <size_t>&target.skew_usd,
            "bid_count": <size_t>&target.bid_count,
            "ask_count": <size_t>&target.ask_count,
            "bid_ticks": <size_t>&target.bid_ticks,
            "bid_lots": <size_t>&target.bid_lots,
            "ask_ticks": <size_t>&target.ask_ticks,
            "ask_lots": <size_t>&target.ask_lots,
        }),
        "Volatility": (sizeof(c.Volatility), {
            "default_rate": <size_t>&volatility.default_rate,
            "floor_rate": <size_t>&volatility.floor_rate,
            "ceiling_rate": <size_t>&volatility.ceiling_rate,
            "ewma_span": <size_t>&volatility.ewma_span,
            "min_samples": <size_t>&volatility.min_samples,
            "window": <size_t>&volatility.window,
            "min_interval_ns": <size_t>&volatility.min_interval_ns,
            "samples": <size_t>&volatility.samples,
            "head": <size_t>&volatility.head,
            "last_ns": <size_t>&volatility.last_ns,
            "last_usd": <size_t>&volatility.last_usd,
            "ewma_variance": <size_t>&volatility.ewma_variance,
            "ewma_weight": <size_t>&volatility.ewma_weight,
            "kernel_variance": <size_t>&volatility.kernel_variance,
            "noise_ratio": <size_t>&volatility.noise_ratio,
            "sigma_rate": <size_t>&volatility.sigma_rate,
            "returns": <size_t>&volatility.returns,
            "spans_s": <size_t>&volatility.spans_s,
        }),
        "Position": (sizeof(c.Position), {
            "lots": <size_t>&position.lots,
            "cash_ticklots": <size_t>&position.cash_ticklots,
            "realised_ticklots": <size_t>&position.realised_ticklots,
            "bought_lots": <size_t>&position.bought_lots,
            "sold_lots": <size_t>&position.sold_lots,
            "fills": <size_t>&position.fills,
            "head": <size_t>&position.head,
            "count": <size_t>&position.count,
            "head_remainder_ticklots": <size_t>&position.head_remainder_ticklots,
            "fees_usd": <size_t>&position.fees_usd,
            "funding_usd": <size_t>&position.funding_usd,
            "fifo_lots": <size_t>&position.fifo_lots,
            "fifo_ticks": <size_t>&position.fifo_ticks,
        }),
    }


DTYPES = {
    "Settings": SETTINGS,
    "Model": MODEL,
    "Market": MARKET,
    "Target": TARGET,
    "Volatility": VOLATILITY,
    "Position": POSITION,
}

for _name, (_size, _offsets) in layouts().items():
    _compare(_name, DTYPES[_name], _size, _offsets)
