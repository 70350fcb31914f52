"""The preview: the compiled model at a reference price, scale-free with the defaults."""

import pytest

from engine.config import load
from engine.config_fees import Reference
from engine.config_schema import Config
from engine.config_source import Given
from engine.preview import Preview, preview

BTC = Reference(60_000.0, 1.0)


def seen(config: Config, reference: Reference = BTC) -> Preview:
    found = preview(config, reference)
    assert isinstance(found, Preview), found
    return found


def config_with(**values: object) -> Config:
    return load(flags=[Given(path.replace("__", "."), value, "test") for path, value in values.items()]).config


def test_the_defaults_earn_at_least_their_edge() -> None:
    found = seen(Config())
    assert found.edge_bps == pytest.approx(found.half_bps - 1.0)
    assert found.edge_bps >= 2.5  # 1/k with k = 0.4 a basis point
    assert found.round_trip_usd == pytest.approx(2 * found.edge_bps * 1e-4 * 3000)
    assert found.lean_bps > 0
    assert "half-spread" in str(found)


@pytest.mark.parametrize("price_usd", [1.2, 3_000.0, 1e6])
def test_the_defaults_mean_the_same_at_any_price(price_usd: float) -> None:
    fine = Reference(price_usd, price_usd / 1e7)  # a tick too small to round anything
    base, other = seen(Config(), Reference(60_000.0, 0.006)), seen(Config(), fine)
    assert other.half_bps == pytest.approx(base.half_bps, rel=1e-3)
    assert other.round_trip_usd == pytest.approx(base.round_trip_usd, rel=1e-3)
    assert other.lean_bps == pytest.approx(base.lean_bps, rel=1e-3)


def test_more_risk_aversion_leans_more_and_more_edge_widens() -> None:
    base = seen(Config())
    assert seen(config_with(trading_strategy__avellaneda__risk=1.0)).lean_bps > base.lean_bps
    wide = seen(config_with(trading_strategy__avellaneda__min_edge_bps=20.0))
    assert wide.half_bps == pytest.approx(21.0, abs=0.2)


def test_a_position_to_hold_shows_its_arithmetic_and_means_the_same_at_any_price() -> None:
    held = config_with(trading_strategy__avellaneda__hold_within_usd=9000.0)
    found = seen(held)
    assert "0.15 contracts (9,000 USD) 95.0 % of the time" in found.held and "3 levels" in found.held
    assert found.lean_bps > seen(Config()).lean_bps
    fine = seen(held, Reference(1.2, 1e-7))
    assert fine.lean_bps == pytest.approx(seen(held, Reference(60_000.0, 0.005)).lean_bps, rel=1e-2)
    small = preview(config_with(trading_strategy__avellaneda__hold_within_usd=3100.0), BTC)
    assert isinstance(small, str) and "refuses to hold" in small


def test_a_model_that_refuses_says_so() -> None:
    found = preview(config_with(trading_strategy__avellaneda__gamma=1e6), Reference(1e-9, 1e-9))
    assert isinstance(found, str)
    assert found.startswith("the model ")
