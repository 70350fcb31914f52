"""What the compiled model would quote at a reference price, before there is a market: for ``quoter check``."""

from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from engine.config_fees import BPS, Reference
from engine.config_schema import Config
from engine.plan_builder import settings_record, volatility_record
from kernels import inventory, quote, resolve
from kernels.records import MARKET, MODEL, TARGET

PLENTY_LOTS = 1_000_000_000
LOTS_A_LEVEL = 1000


@dataclass(frozen=True, slots=True)
class Preview:
    """The first level of a flat book at the default volatility, in bps of the price, and the lean of a full position.

    ``edge_bps`` is what a fill keeps after the maker fee, ``round_trip_usd`` what buying and selling the first level
    once keeps. ``lean_bps`` is the distance of the reservation price from the fair one at the position limit, ``gamma``
    in 1/(USD contract), ``held`` the arithmetic of a position to hold, empty without one.
    """

    half_bps: float
    edge_bps: float
    round_trip_usd: float
    lean_bps: float
    gamma: float
    held: str

    def __str__(self) -> str:
        """The numbers in one line."""
        return (
            f"the model at the default volatility: half-spread {self.half_bps:.2f} bps, edge {self.edge_bps:.2f} bps "
            f"a fill and {self.round_trip_usd:.2f} USD a round trip; leans {self.lean_bps:.1f} bps at the limit"
            + self.held
        )


def preview(config: Config, reference: Reference) -> Preview | str:
    """Run the compiled ``resolve`` and ``quote`` once flat and once at the limit; a text when the model refuses."""
    price_usd = reference.price_usd
    settings = settings_record(config)
    a = config.trading_strategy.avellaneda
    size = (a.size_usd / price_usd if a.base_size is None else a.base_size) * a.size_multipliers[0]
    settings["tick_usd"], settings["lot_contracts"], settings["min_lots"] = reference.tick_usd, size / LOTS_A_LEVEL, 1
    if isnan(settings["max_position"][0]):
        settings["max_position"] = min(config.risk.max_position_usd, config.risk.max_notional) / price_usd
    model = np.zeros(1, MODEL)
    holds = a.hold_within is not None or a.hold_within_usd is not None
    if holds:
        settings["hold_skew"] = 1.0  # stands in for what is sought, which the ladder does not depend on
    if (code := resolve.resolve(settings[0], price_usd, model[0])) != resolve.OK:
        return f"the model refuses these settings (code {code} of kernels.resolve)"
    if holds:
        try:
            settings["hold_skew"] = inventory.hold_skew(
                model[0], inventory.bound_of(settings[0], price_usd), a.hold_share
            )
        except ValueError as error:
            return f"the model refuses to hold the position: {error}"
        resolve.resolve(settings[0], price_usd, model[0])
    market, target = np.zeros(1, MARKET), np.zeros(1, TARGET)
    market["buy_capacity_lots"] = market["sell_capacity_lots"] = PLENTY_LOTS
    market["fair_usd"] = market["mark_usd"] = market["index_usd"] = price_usd
    market["sigma_usd"] = volatility_record(config)["default_rate"] * price_usd
    if holds:
        resolve.hold(model[0], float(market["sigma_usd"][0]))
    market["position_lots"] = round(a.inventory_target / model["lot_contracts"][0])
    if (code := quote.quote(market[0], model[0], target[0])) != quote.OK or not target["bid_count"][0]:
        return f"the model does not quote: {quote.REASONS[code]}"
    ticks = float(target["ask_ticks"][0][0] - target["bid_ticks"][0][0])
    half_bps = ticks * reference.tick_usd / 2 / price_usd / BPS
    edge_bps = half_bps - config.trading_fees.maker_fee_rate / BPS
    market["position_lots"] = round(model["max_position"][0] / model["lot_contracts"][0])
    quote.quote(market[0], model[0], target[0])
    lean_bps = (price_usd - float(target["reservation_usd"][0])) / price_usd / BPS
    held = _held(inventory.bound_of(settings[0], price_usd), model[0], price_usd) if holds else ""
    gamma = float(model["gamma"][0])
    return Preview(half_bps, edge_bps, 2 * edge_bps * BPS * size * price_usd, lean_bps, gamma, held)


def _held(bound: float, model: Any, price_usd: float) -> str:
    """The arithmetic of a position to hold, in words."""
    ladder = inventory.ladder_of(model)
    lean = float(model["hold_skew"] * model["inventory_weight"])
    share = inventory.share_within(ladder, lean, bound)
    lean_bps = lean / float(model["kappa"]) * float(model["order_contracts"]) / price_usd / BPS
    return (
        f"; within ±{bound:.4g} contracts ({bound * price_usd:,.0f} USD) {100 * share:.1f} % of the time: by the "
        f"stationary distribution of {len(ladder.contracts)} levels this takes a lean of {lean_bps:.2f} bps for each "
        f"first level held, hence gamma {float(model['gamma']):.4g} at the default volatility"
    )
