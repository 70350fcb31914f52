"""The plan: units, and what stays for the core to fill in."""

import math

import pytest

from engine.config import load
from engine.config_schema import Config
from engine.config_source import Given
from engine.plan_builder import core_plan, network_of


def planned(**values: object) -> Config:
    return load(flags=[Given(path, value, "test") for path, value in values.items()]).config


def test_volatility_is_converted_from_a_year_to_a_second() -> None:
    record = core_plan(planned(**{"volatility.default": 1.0})).volatility[0]
    seconds = 365 * 24 * 3600
    assert record["default_rate"] * math.sqrt(seconds) == pytest.approx(1.0, rel=1e-15)
    assert record["sigma_rate"] == record["default_rate"]
    assert record["floor_rate"] * math.sqrt(seconds) == pytest.approx(0.1)
    assert record["ceiling_rate"] * math.sqrt(seconds) == pytest.approx(5.0)
    assert record["min_interval_ns"] == 100_000_000
    assert record["samples"] == 0


def test_times_are_converted_to_ns() -> None:
    timing = core_plan(planned(**{"trading_strategy.quote_timing.min_interval": 0.3})).timing
    assert timing.min_interval_ns == 300_000_000
    assert timing.max_lifetime_ns == 30_000_000_000
    assert timing.data_stale_ns == 3_000_000_000


def test_the_decay_of_order_counts_reaches_the_flow() -> None:
    assert core_plan(planned(**{"trading_strategy.signals.order_decay": 7.0})).signals.order_decay_s == 7.0


def test_what_is_not_given_stays_open() -> None:
    plan = core_plan(Config())
    settings = plan.settings[0]
    for name in ("tick_usd", "lot_contracts", "gamma", "kappa", "max_spread_ticks", "base_size", "max_position"):
        assert math.isnan(settings[name])
    assert plan.limits.max_position == plan.limits.max_order == math.inf
    assert plan.limits.max_position_usd == 45_000
    assert plan.limits.max_order_usd == 25_000


def test_contracts_take_the_place_of_usd() -> None:
    plan = core_plan(
        planned(
            **{
                "risk.max_position": 2.0,
                "trading_strategy.avellaneda.base_size": 0.5,
                "trading_strategy.execution.max_size": 1.0,
            }
        )
    )
    assert plan.limits.max_position == plan.settings[0]["max_position"] == 2.0
    assert plan.limits.max_order == plan.settings[0]["max_size"] == 1.0
    assert plan.limits.max_position_usd == plan.limits.max_order_usd == math.inf


def test_sizes_in_contracts_are_capped_too() -> None:
    plan = core_plan(
        planned(**{"trading_strategy.avellaneda.base_size": 0.1, "trading_strategy.avellaneda.max_levels": 2})
    )
    assert plan.limits.max_order == pytest.approx(0.1 * (1 + 1.3) * 1.5)


def test_drawdown_is_a_fraction_of_the_notional_limit() -> None:
    plan = core_plan(planned(**{"risk.max_drawdown": 0.05, "risk.max_notional": 80_000.0}))
    assert plan.limits.max_drawdown_usd == pytest.approx(4000.0)


def test_the_last_size_multiplier_repeats() -> None:
    settings = core_plan(planned(**{"trading_strategy.avellaneda.size_multipliers": [1.0, 2.0]})).settings[0]
    assert list(settings["size_multipliers"]) == [1.0] + [2.0] * 9


def test_network_and_environment_agree() -> None:
    assert network_of(Config()) == "local"
    assert core_plan(Config()).environment is None
    keyed = planned(**{"credentials.key_file": "k.pem", "credentials.key_id": "K1", "credentials.account": "A1"})
    assert network_of(keyed) == "test"
    assert (core_plan(keyed).environment, core_plan(keyed).account) == ("testnet", "A1")
    local = planned(**{"market.network": "local", "credentials.account": "A1"})
    assert core_plan(local).account is None
