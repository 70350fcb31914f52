"""Settings resolved at a price: every member's formula, what wins, scaling, refusals, and no setting without effect."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import avellaneda, glft, resolve
from kernels.records import MODEL, SETTINGS

BASE: dict[str, float] = {
    "tick_usd": 0.5,
    "lot_contracts": 0.001,
    "gamma": 0.1,
    "kappa": 1.5,
    "intensity": 0.9,
    "horizon_s": math.inf,
    "min_spread_ticks": 3,
    "max_spread_ticks": 20,
    "base_size": 0.3,
    "max_position": 20.0,
    "level_spacing_ticks": 8,
    "levels": 5,
    "min_lots": 1,
    "post_only": 1,
}
SIZES = [1.0, 1.3, 1.8, 2.2, 2.8]


def settings(**values: float) -> np.void:
    record = np.zeros(1, SETTINGS)[0]
    for name in SETTINGS.names or ():
        if SETTINGS[name].base == np.dtype("f8"):
            record[name] = math.nan
    record["size_multipliers"][:5] = SIZES
    for name, value in {**BASE, **values}.items():
        record[name] = value
    return record


def resolved(price: float = 60_000.0, **values: float) -> np.void:
    model = np.zeros(1, MODEL)[0]
    assert resolve.resolve(settings(**values), price, model) == resolve.OK
    return model


def test_reference_settings() -> None:
    model = resolved()
    assert model["gamma"] == 0.1
    assert model["kappa"] == 1.5
    assert (model["liquidity_usd"], model["skew_per_sigma"]) == glft.coefficients(0.1, 0.1, 1.5, 0.9, 0.3)
    assert model["order_contracts"] == 0.3
    finite = resolved(horizon_s=1.0)
    assert finite["liquidity_usd"] == avellaneda.liquidity_usd(0.1, 1.5)
    assert finite["order_contracts"] == 1.0
    assert (model["half_min_usd"], model["half_max_usd"]) == (0.75, 5.0)
    assert (model["min_spread_ticks"], model["max_spread_ticks"], model["spacing_ticks"]) == (3, 20, 8)
    assert model["level_lots"].tolist() == [300, 390, 540, 660, 840, 0, 0, 0, 0, 0]
    assert (model["inventory_weight"], model["inventory_target"], model["volatility_multiple"]) == (1.0, 0.0, 0.0)
    assert math.isinf(model["touch_multiple"])
    assert (model["fade_time_s"], model["fade_halves"], model["calm_sigma_usd"]) == (math.inf, 0.0, math.inf)
    assert resolved(calm_rate=1e-4)["calm_sigma_usd"] == pytest.approx(6.0)
    assert (model["levels"], model["min_lots"], model["post_only"]) == (5, 1, 1)
    assert model["resolved_at_usd"] == 60_000.0


def test_relative_settings() -> None:
    model = resolved(
        50_000.0,
        gamma=math.nan,
        risk=0.2,
        kappa=math.nan,
        kappa_per_bp=0.6,
        min_spread_ticks=math.nan,
        min_spread_bps=2.0,
        max_spread_ticks=math.nan,
        max_spread_bps=10.0,
        base_size=math.nan,
        size_usd=1000.0,
        level_spacing_ticks=math.nan,
        level_spacing_bps=0.5,
    )
    assert model["gamma"] == pytest.approx(0.2 / (20.0 * 50_000.0 * 1e-4))
    assert model["kappa"] == pytest.approx(0.6 * 1e4 / 50_000.0)
    assert (model["half_min_usd"], model["half_max_usd"]) == (pytest.approx(5.0), pytest.approx(25.0))
    assert (model["min_spread_ticks"], model["max_spread_ticks"], model["spacing_ticks"]) == (20, 100, 5)
    assert model["level_lots"][:5].tolist() == [20, 26, 36, 44, 56]


def test_absolute_settings_win_over_relative_ones() -> None:
    model = resolved(risk=9.0, kappa_per_bp=9.0, size_usd=9e9, level_spacing_bps=9.0)
    assert model.tobytes() == resolved().tobytes()


def test_the_widest_floor_and_the_tightest_ceiling_hold() -> None:
    assert resolved(min_spread_bps=0.5)["half_min_usd"] == pytest.approx(1.5)
    assert resolved(min_spread_bps=0.1)["half_min_usd"] == 0.75
    assert resolved(max_spread_bps=0.5)["half_max_usd"] == pytest.approx(1.5)
    fees = resolved(maker_fee_rate=1e-4, min_edge_bps=0.2, max_spread_ticks=100)
    assert fees["half_min_usd"] == pytest.approx(6.0 + 1.2)
    assert fees["min_spread_ticks"] == 29
    rebate = resolved(maker_fee_rate=-1e-4, min_edge_bps=0.2)
    assert rebate["half_min_usd"] == 0.75


def test_the_fee_is_added_to_the_distance() -> None:
    """A fee c a contract moves the best distance by c: A exp(-k d) (d - c) is largest at c + 1/k."""
    free, paid, rebate = (resolved(maker_fee_rate=rate) for rate in (0.0, 1e-4, -1e-5))
    assert paid["liquidity_usd"] - free["liquidity_usd"] == pytest.approx(6.0, rel=1e-12)
    assert rebate["liquidity_usd"] - free["liquidity_usd"] == pytest.approx(-0.6, rel=1e-12)
    assert paid["skew_per_sigma"] == free["skew_per_sigma"]
    assert resolved(horizon_s=9.0, maker_fee_rate=1e-4)["liquidity_usd"] == pytest.approx(
        6.0 + avellaneda.liquidity_usd(0.1, 1.5)
    )


def test_the_floor_wins_over_the_ceiling_and_no_ceiling_is_none() -> None:
    model = resolved(min_spread_ticks=30)
    assert model["half_max_usd"] == model["half_min_usd"] == 7.5
    assert model["min_spread_ticks"] == model["max_spread_ticks"] == 30
    free = resolved(max_spread_ticks=math.nan)
    assert math.isinf(free["half_max_usd"])
    assert free["max_spread_ticks"] == resolve.SPREAD_TICKS_MAX


def test_minimum_rounds_up_and_maximum_down() -> None:
    model = resolved(min_spread_ticks=3.2, max_spread_ticks=20.9)
    assert (model["min_spread_ticks"], model["max_spread_ticks"]) == (4, 20)
    assert [resolved(level_spacing_ticks=n)["spacing_ticks"] for n in (0.0, 0.4, 7.4, 7.6)] == [1, 1, 7, 8]
    assert resolved(tick_usd=0.1, min_spread_ticks=3)["min_spread_ticks"] == 3  # 3 * 0.1 / 0.1 is above 3


def test_sizes_are_raised_cut_and_rounded_down() -> None:
    assert resolved(min_size=0.5)["level_lots"][:5].tolist() == [500, 500, 540, 660, 840]
    assert resolved(min_size=0.5)["min_lots"] == 500
    assert resolved(max_size=0.6)["level_lots"][:5].tolist() == [300, 390, 540, 600, 600]
    assert resolved(base_size=0.0019)["level_lots"][:5].tolist() == [1, 2, 3, 4, 5]
    assert resolved(levels=2)["level_lots"].tolist() == [300, 390] + [0] * 8
    assert resolved(levels=7)["level_lots"][5:7].tolist() == [300, 300]
    record = settings(min_size=0.1)
    record["size_multipliers"][1] = 0.0
    model = np.zeros(1, MODEL)[0]
    assert resolve.resolve(record, 60_000.0, model) == resolve.OK
    assert model["level_lots"][:3].tolist() == [300, 0, 540]


@given(st.floats(0.01, 1.0), st.floats(0.05, 5.0), st.sampled_from([0.001, 0.1, 10.0, 1000.0]))
def test_relative_settings_scale_with_the_price(risk: float, kappa_per_bp: float, c: float) -> None:
    relative = {"gamma": math.nan, "kappa": math.nan, "risk": risk, "kappa_per_bp": kappa_per_bp, "min_spread_bps": 1.0}
    one, other = resolved(1000.0, **relative), resolved(1000.0 * c, tick_usd=0.5 * c, **relative)
    for name in ("liquidity_usd", "half_min_usd", "half_max_usd"):
        assert other[name] == pytest.approx(c * one[name], rel=1e-9)
    assert other["skew_per_sigma"] == pytest.approx(one["skew_per_sigma"], rel=1e-9)
    assert other["gamma"] * c == pytest.approx(one["gamma"], rel=1e-9)


@pytest.mark.parametrize(
    "code, bad",
    [
        (resolve.BAD_UNITS, {"tick_usd": 0.0}),
        (resolve.BAD_UNITS, {"lot_contracts": math.nan}),
        (resolve.BAD_GAMMA, {"gamma": -0.1}),
        (resolve.BAD_GAMMA, {"gamma": math.nan}),
        (resolve.BAD_KAPPA, {"kappa": 0.0}),
        (resolve.BAD_KAPPA, {"kappa": math.nan}),
        (resolve.BAD_INTENSITY, {"intensity": 0.0}),
        (resolve.BAD_INTENSITY, {"intensity": math.nan}),
        (resolve.BAD_HORIZON, {"horizon_s": 0.0}),
        (resolve.BAD_HORIZON, {"horizon_s": math.nan}),
        (resolve.BAD_POSITION_LIMIT, {"max_position": 0.0}),
        (resolve.BAD_POSITION_LIMIT, {"max_position": math.inf}),
        (resolve.BAD_SIZE, {"base_size": math.nan}),
        (resolve.BAD_SIZE, {"base_size": -1.0}),
        (resolve.BAD_LEVELS, {"levels": 0}),
        (resolve.BAD_LEVELS, {"levels": 11}),
        (resolve.NOT_FINITE, {"inventory_weight": math.inf}),
        (resolve.NOT_FINITE, {"min_spread_bps": math.inf}),
        (resolve.NOT_FINITE, {"gamma": 1.0, "kappa": 1e-300}),
    ],
)
def test_refusals_leave_a_model_that_cannot_quote(code: int, bad: dict[str, float]) -> None:
    model = resolved()
    assert resolve.resolve(settings(**bad), 60_000.0, model) == code
    assert model["levels"] == 0
    assert model["resolved_at_usd"] == 0.0


@given(st.floats(0.01, 1.0), st.floats(0.05, 5.0), st.floats(1e-4, 1e4))
def test_settings_in_usd_mean_the_same_for_a_coin_at_any_price(risk: float, kappa_per_bp: float, c: float) -> None:
    relative = {
        "gamma": math.nan,
        "kappa": math.nan,
        "base_size": math.nan,
        "size_usd": 3000.0,
        "risk": risk,
        "kappa_per_bp": kappa_per_bp,
    }
    one = resolved(1000.0, max_position=40.0, **relative)
    other = resolved(1000.0 * c, tick_usd=0.5 * c, lot_contracts=0.001 / c, max_position=40.0 / c, **relative)
    assert other["liquidity_usd"] == pytest.approx(c * one["liquidity_usd"], rel=1e-9)
    # The skew of a full position, for a volatility that scales with the price.
    assert other["skew_per_sigma"] * (c * 3.0) * (40.0 / c) == pytest.approx(
        c * one["skew_per_sigma"] * 3.0 * 40.0, rel=1e-9
    )
    assert other["order_contracts"] == pytest.approx(one["order_contracts"] / c, rel=1e-9)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_no_price_no_model(price: float) -> None:
    model = resolved()
    assert resolve.resolve(settings(), price, model) == resolve.BAD_PRICE
    assert model["levels"] == 0


def test_intensity_may_be_missing_where_the_horizon_is_finite() -> None:
    for intensity in (math.nan, 0.0):
        assert resolved(horizon_s=60.0, intensity=intensity)["skew_per_sigma"] == 0.0


CHANGES = {
    "tick_usd": 0.25,
    "lot_contracts": 0.01,
    "gamma": 0.2,
    "kappa": 3.0,
    "intensity": 2.0,
    "horizon_s": 9.0,
    "inventory_weight": 0.5,
    "inventory_target": 1.0,
    "min_spread_ticks": 5,
    "max_spread_ticks": 9,
    "min_spread_bps": 1.0,
    "max_spread_bps": 1.0,
    "maker_fee_rate": 1e-3,
    "min_edge_bps": 5.0,
    "base_size": 1.0,
    "min_size": 0.5,
    "max_size": 0.4,
    "max_position": 5.0,
    "level_spacing_ticks": 4,
    "volatility_multiple": 2.0,
    "touch_multiple": 3.0,
    "alpha_halves": 1.0,
    "fade_time_s": 60.0,
    "fade_halves": 1.0,
    "calm_rate": 1e-4,
    "levels": 3,
    "min_lots": 50,
    "post_only": 0,
}
HOLD = ("hold_within", "hold_within_usd", "hold_share", "hold_skew")
RELATIVE = {
    "risk": ("gamma", 0.1, 0.2),
    "kappa_per_bp": ("kappa", 0.1, 0.2),
    "size_usd": ("base_size", 100.0, 200.0),
    "level_spacing_bps": ("level_spacing_ticks", 1.0, 2.0),
}


@pytest.mark.parametrize("name", [n for n in SETTINGS.names or () if n not in ("size_multipliers", *HOLD)])
def test_every_setting_changes_the_model(name: str) -> None:
    if name in RELATIVE:
        absolute, before, after = RELATIVE[name]
        first, second = (resolved(**{absolute: math.nan, name: value}) for value in (before, after))
    else:
        first, second = resolved(), resolved(**{name: CHANGES[name]})
    assert first.tobytes() != second.tobytes()


@pytest.mark.parametrize("name", HOLD)
def test_a_position_to_hold_needs_a_skew_and_a_share_is_for_who_solves_it(name: str) -> None:
    refused = settings(**{name: 5.0})
    assert resolve.resolve(refused, 60_000.0, np.zeros(1, MODEL)[0]) == (
        resolve.BAD_HOLD if "within" in name else resolve.OK
    )
    assert resolved(**{"hold_within": 5.0, "hold_skew": 0.3, name: 5.0})["hold_skew"] > 0.0
