"""VPIN: its closed form under fair coins, its bounds, and the bulk classification beside it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from kernels import vpin
from tests.kernels.flows import fresh_candles, play, trade_lists
from tests.reference import flow as reference


@pytest.mark.parametrize("flips", [25, 100, 400])
def test_fair_coins_give_the_closed_form(flips: int) -> None:
    rng = np.random.default_rng(flips)
    found = []
    for _ in range(6):
        sides = rng.choice([-1, 1], flips * 100).tolist()
        state = play([(side, 100, 1, i) for i, side in enumerate(sides)], threshold_lots=flips, capacity=100)
        found.append(vpin.vpin(state, 100))
    assert np.mean(found) == pytest.approx(math.sqrt(2 / (math.pi * flips)), rel=0.07)


def test_one_sided_flow_is_one_and_balanced_flow_nothing() -> None:
    assert vpin.vpin(play([(1, 100, 10, i) for i in range(60)]), 50) == 1.0
    assert vpin.vpin(play([(1 if i % 2 else -1, 100, 5, i) for i in range(60)]), 50) == 0.0


def test_nothing_known_is_nothing_said() -> None:
    state = fresh_candles()
    assert vpin.vpin(state, 50) == vpin.vpin_bulk(state, 50) == 0.0
    assert vpin.vpin(play([(1, 100, 10, i) for i in range(9)]), 0) == 0.0
    assert vpin.vpin_bulk(play([(1, 100, 10, i) for i in range(9)]), 50) == 0.0


@settings(max_examples=60)
@given(trade_lists)
def test_bounds_and_mirror(trades: list[reference.Trade]) -> None:
    state = play(trades, threshold_lots=3)
    other = play([(-s, 20_000 - p, n, t) for s, p, n, t in trades], threshold_lots=3)
    for kernel in (vpin.vpin, vpin.vpin_bulk):
        assert 0.0 <= kernel(state, 50) <= 1.0
        assert kernel(other, 50) == pytest.approx(kernel(state, 50), abs=1e-12)


def test_bulk_classification_follows_informed_moves() -> None:
    rng = np.random.default_rng(1)
    price, quiet, loud = 10_000, [], []
    for i in range(120):
        price += int(rng.integers(-3, 4))
        quiet.append((1, price, 10, i))
        loud.append((1, price + (200 if i > 60 and i % 3 == 0 else 0), 10, i))
    assert vpin.vpin_bulk(play(quiet), 100) == pytest.approx(0.5, abs=0.12)  # E|2 Phi(z) - 1| of a normal z
    assert vpin.vpin_bulk(play(loud), 100) != vpin.vpin_bulk(play(quiet), 100)
