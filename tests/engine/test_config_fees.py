"""The arithmetic of the fees, checked by hand, and the refusal of settings that cannot pay them."""

import pytest

from engine.config import load
from engine.config_errors import ConfigRefused
from engine.config_fees import Reference, all_fee_arithmetic, base_of, fee_arithmetic, instruments_of
from engine.config_schema import Config
from engine.config_source import Given


def config_with(**values: object) -> Config:
    return load(flags=[Given(f"trading_strategy.avellaneda.{k}", v, "test") for k, v in values.items()]).config


def test_by_hand_in_basis_points() -> None:
    sums = fee_arithmetic(Config(), "BTC-PERPETUAL", Reference(60_000.0, 1.0))
    assert sums.floor_bps == pytest.approx(1.5)  # 1 bp fee and 0.5 bp edge
    assert sums.ceiling_bps == pytest.approx(30.0)
    assert sums.edge_bps == pytest.approx(0.5)
    assert sums.round_trip_usd == pytest.approx(2 * 0.5e-4 * 3000)
    assert "2 x 0.50 bps x 3,000 USD = 0.30 USD a round trip" in str(sums)


def test_by_hand_in_ticks() -> None:
    sums = fee_arithmetic(
        config_with(max_spread=20.0, min_spread=3.0, base_size=0.3), "BTC-PERPETUAL", Reference(60_000.0, 1.0)
    )
    assert sums.ceiling_bps == pytest.approx(10 / 6)  # 10 USD of 60,000
    assert sums.best_edge_bps == pytest.approx(10 / 6 - 1)
    assert sums.edge_bps == pytest.approx(0.5)
    assert sums.first_level_usd == pytest.approx(18_000)


def test_the_price_scale_cancels() -> None:
    big = fee_arithmetic(Config(), "X", Reference(60_000.0, 1.0))
    small = fee_arithmetic(Config(), "X", Reference(1.2, 1.2 / 60_000))
    assert (big.edge_bps, big.round_trip_usd) == pytest.approx((small.edge_bps, small.round_trip_usd))


@pytest.mark.parametrize("values", [{"max_spread_bps": 2.0, "min_spread_bps": 1.0}, {"max_spread": 12.0}])
def test_a_spread_that_cannot_pay_is_refused_with_the_arithmetic(values: dict[str, float]) -> None:
    with pytest.raises(ConfigRefused, match=r"cannot pay its fees: .* bps"):
        config_with(**values)
    assert config_with(**{name: value * 1.1 for name, value in values.items()})


def test_instruments_follow_from_the_underlying() -> None:
    def named(**market: object) -> tuple[str, ...]:
        return instruments_of(load(flags=[Given(f"market.{k}", v, "test") for k, v in market.items()]).config)

    assert named() == ("BTC-PERPETUAL",)
    assert named(underlying="ETHUSD") == ("ETH-PERPETUAL",)
    assert named(underlying="BTC-27MAR26") == ("BTC-27MAR26",)
    assert named(instruments="BTC-PERPETUAL, ETH-PERPETUAL") == ("BTC-PERPETUAL", "ETH-PERPETUAL")
    assert base_of("BTCUSD") == base_of("BTC-PERPETUAL") == base_of("BTC") == "BTC"


def test_only_known_orders_of_magnitude_are_judged() -> None:
    config = load(flags=[Given("market.instruments", ["WIF-PERPETUAL", "ETH-PERPETUAL"], "test")]).config
    assert [sums.instrument for sums in all_fee_arithmetic(config)] == ["ETH-PERPETUAL"]
