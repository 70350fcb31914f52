"""Makers who never take and takers whose reach has the stated law."""

import math
from random import Random

import pytest

from feed.exchange.crowd import Maker, MakerProfile, TakerOptions, Takers, lots_of
from feed.exchange.instruments import E8, Instrument
from tests.exchange.floor import BookFloor

COIN = Instrument("COIN-PERPETUAL", "COINUSD", "perpetual", E8 // 100, E8 // 10, min_lots=3)
EXACT = MakerProfile(10.0, 5.0, notional_usd=1_000.0, refresh_s=1.0, lag_steps=0, levels=3, noise_bps=0.0)


def prices(floor: BookFloor, buy: bool) -> list[int]:
    return list(floor.depth(COIN.name, buy))


def test_a_ladder_stands_where_the_profile_says_rounded_away_from_the_price() -> None:
    floor = BookFloor()
    Maker(COIN, EXACT, Random(1)).refresh(floor, 100.004, 1.0)
    # 10, 15 and 20 bps of 100.004: 99.9039…, 99.8539…, 99.8039…
    assert prices(floor, True) == [9990, 9985, 9980]
    assert prices(floor, False) == [10011, 10016, 10021]
    sizes = list(floor.depth(COIN.name, True).values())
    assert sizes == sorted(sizes)
    assert sizes[2] / sizes[0] == pytest.approx(1.3**2, rel=0.05)


def test_a_wider_regime_widens_the_ladder() -> None:
    floor = BookFloor()
    Maker(COIN, EXACT, Random(1)).refresh(floor, 100.0, 2.0)
    assert prices(floor, False) == [10020, 10030, 10040]


def test_orders_that_are_near_enough_stay_and_keep_their_priority() -> None:
    floor = BookFloor()
    maker = Maker(COIN, EXACT, Random(1))
    maker.refresh(floor, 100.0, 1.0)
    ids = set(floor.orders)
    maker.refresh(floor, 100.01, 1.0)
    assert set(floor.orders) == ids
    maker.refresh(floor, 100.2, 1.0)
    assert not set(floor.orders) & ids


def test_an_eaten_level_is_renewed() -> None:
    floor = BookFloor()
    maker = Maker(COIN, EXACT, Random(1))
    maker.refresh(floor, 100.0, 1.0)
    before = floor.depth(COIN.name, False)[10010]
    floor.client_insert(COIN.name, True, 10010, before * 3 // 4)
    maker.refresh(floor, 100.0, 1.0)
    assert floor.depth(COIN.name, False)[10010] > before // 2


def test_it_never_takes_even_when_a_client_stands_across_its_price() -> None:
    floor = BookFloor()
    maker = Maker(COIN, EXACT, Random(1))
    client = floor.client_insert(COIN.name, True, 10030, 5)
    maker.refresh(floor, 100.0, 1.0)
    assert floor.remaining(client) == 5
    assert floor.trades == []
    assert prices(floor, False) == [10031]
    maker.withdraw(floor)
    assert prices(floor, False) == []
    assert prices(floor, True) == [10030]


def test_depth_inside_a_limit_counts_what_rests_there() -> None:
    floor = BookFloor()
    maker = Maker(COIN, EXACT, Random(1))
    maker.refresh(floor, 100.0, 1.0)
    asks = floor.depth(COIN.name, False)
    assert maker.depth_lots(floor, False, 10009) == 0
    assert maker.depth_lots(floor, False, 10015) == asks[10010] + asks[10015]
    floor.client_insert(COIN.name, True, 10010, 2)
    assert maker.depth_lots(floor, False, 10010) == asks[10010] - 2
    assert maker.depth_lots(floor, True, 1) == sum(floor.depth(COIN.name, True).values())


def test_lots_are_whole_and_at_least_the_smallest_order() -> None:
    assert lots_of(COIN, 1_000.0, 100.0) == 100
    assert lots_of(COIN, 1.0, 100.0) == 3


def test_reaches_are_exponential_and_sizes_heavy_tailed() -> None:
    options = TakerOptions(decay_per_bp=0.4, size_usd=800.0, size_tail=1.5, informed_share=0.0)
    takers = Takers(options, Random(5))
    draws = [takers.draw(1.0) for _ in range(40_000)]
    for delta_bps in (1.0, 3.0, 6.0):
        share = sum(d.reach_bps >= delta_bps for d in draws) / len(draws)
        expected = math.exp(-0.4 * delta_bps)
        assert abs(share - expected) < 4 * math.sqrt(expected / len(draws))
    for size_usd in (1_600.0, 8_000.0):
        share = sum(d.notional_usd > size_usd for d in draws) / len(draws)
        expected = (size_usd / 800.0) ** -1.5
        assert abs(share - expected) < 4 * math.sqrt(expected / len(draws))
    assert sum(d.buy for d in draws) / len(draws) == pytest.approx(0.5, abs=0.01)
    assert max(d.notional_usd for d in draws) <= options.size_max_usd


def test_arrivals_are_two_sided_and_scale_with_activity() -> None:
    takers = Takers(TakerOptions(rate_per_s=0.8), Random(5))
    gaps = [takers.next_arrival_s(2.0) for _ in range(20_000)]
    assert len(gaps) / sum(gaps) == pytest.approx(2 * 0.8 * 2.0, rel=0.03)


@pytest.mark.parametrize("coming_log, side", [(0.001, True), (-0.001, False)])
def test_the_informed_trade_with_the_coming_move(coming_log: float, side: bool) -> None:
    takers = Takers(TakerOptions(informed_share=1.0), Random(5))
    assert {takers.draw(coming_log).buy for _ in range(50)} == {side}
    assert {takers.draw(0.0).buy for _ in range(50)} == {True, False}
