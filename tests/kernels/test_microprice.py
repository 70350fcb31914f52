"""Imbalance and micro-price: bounds and mirror, and a chain whose true micro-price is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import microprice

lots = st.integers(1, 10**12)


@given(lots, lots, st.integers(2, 50))
def test_imbalance_and_its_bucket_are_mirror_symmetric(bid: int, ask: int, buckets: int) -> None:
    found = microprice.imbalance(bid, ask)
    assert -1.0 <= found <= 1.0
    assert microprice.imbalance(ask, bid) == -found
    if found != 0.0:
        assert microprice.bucket(found, buckets) == buckets - 1 - microprice.bucket(-found, buckets)
    assert 0 <= microprice.bucket(found, buckets) < buckets


@given(st.floats(), st.integers(-5, 50))
def test_any_bucket_is_inside(value: float, buckets: int) -> None:
    assert 0 <= microprice.bucket(value, buckets) <= max(buckets - 1, 0)


def test_levels_are_weighted() -> None:
    bids, asks = np.array([10, 100], np.int64), np.array([30, 0], np.int64)
    assert microprice.imbalance_levels(bids, asks, 0.0) == pytest.approx(-0.5)
    assert microprice.imbalance_levels(bids, asks, 0.5) == pytest.approx((60 - 30) / 90)
    assert microprice.imbalance_levels(bids, asks, math.nan) == pytest.approx(-0.5)
    assert microprice.imbalance_levels(bids, np.zeros(2, np.int64), 1.0) == 0.0
    assert microprice.imbalance_levels(bids[:0], asks, 1.0) == 0.0


@pytest.mark.parametrize("book", [(0, 5), (5, 0), (-1, 5)])
def test_no_opinion_on_one_side(book: tuple[int, int]) -> None:
    assert microprice.imbalance(*book) == 0.0


def chain(n: int, seed: int, up: float = 0.9) -> tuple[np.ndarray, ...]:
    """A book of spread 1 whose next mid move is up with the bid's share of the size, in two states of imbalance.

    Each step the book is heavy on one side with equal chance; then the price moves by a tick towards the thin side with
    probability ``up``, else against it. So E[move | heavy bid] = 2 up - 1, and later moves have no mean.
    """
    rng = np.random.default_rng(seed)
    heavy = rng.random(n) < 0.5
    with_it = rng.random(n) < up
    steps = np.where(heavy == with_it, 1, -1)
    bid = 10_000 + np.concatenate(([0], np.cumsum(steps)[:-1]))
    return bid, np.where(heavy, 80, 20), bid + 1, np.where(heavy, 20, 80)


def test_the_known_micro_price_is_found() -> None:
    bid, bid_lots, ask, ask_lots = chain(60_000, 5)
    found = microprice.estimate(bid, bid_lots, ask, ask_lots, buckets=4, spreads=2)
    assert found.sufficient
    assert found.adjustment[3, 0] == pytest.approx(0.8, abs=0.02)
    np.testing.assert_allclose(found.adjustment, -found.adjustment[::-1], atol=1e-12)
    assert np.all(np.abs(found.adjustment) <= 1.0)
    mid = (bid + ask) / 2
    price = np.array(
        [
            microprice.microprice(m, b, bl, a, al, found.adjustment)
            for m, b, bl, a, al in zip(mid, bid, bid_lots, ask, ask_lots, strict=True)
        ]
    )
    forecast, move = price[:-1] - mid[:-1], np.diff(mid)
    assert float(np.mean(move * np.sign(forecast))) == pytest.approx(0.8, abs=0.02)
    # A martingale: its own changes are not forecast by it.
    assert abs(np.corrcoef(forecast, np.diff(price))[0, 1]) < 0.02


def test_too_few_tops_adjust_nothing() -> None:
    found = microprice.estimate(*chain(200, 1))
    assert not found.sufficient
    assert not np.any(found.adjustment)


def test_states_outside_the_table_have_the_mid() -> None:
    table = np.full((4, 2), 0.3)
    assert microprice.microprice(100.5, 100, 9, 101, 1, table) == 100.8
    assert microprice.microprice(101.5, 100, 9, 103, 1, table) == 101.5
    assert microprice.microprice(100.5, 100, 0, 101, 1, table) == 100.5
    assert microprice.microprice(100.5, 101, 9, 100, 1, table) == 100.5
    assert microprice.microprice(100.5, 100, 9, 101, 1, np.empty((0, 2))) == 100.5


@pytest.mark.parametrize(("buckets", "spreads"), [(1, 2), (51, 2), (9, 0), (9, 17)])
def test_a_table_out_of_range_is_refused(buckets: int, spreads: int) -> None:
    with pytest.raises(ValueError, match="buckets must be"):
        microprice.estimate(*chain(10, 1), buckets=buckets, spreads=spreads)


def test_arrays_of_different_lengths_are_refused() -> None:
    bid, bid_lots, ask, ask_lots = chain(10, 1)
    with pytest.raises(ValueError, match="one length"):
        microprice.estimate(bid, bid_lots[1:], ask, ask_lots)
