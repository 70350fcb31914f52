"""Sizes: monotone, symmetric, within capacity, nothing at the limit."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import sizing
from tests.reference import quoting

wants = st.lists(st.integers(0, 5000), min_size=1, max_size=10)


def ladder(wanted: list[int], factor: float, capacity: int, least: int) -> list[int]:
    out = []
    for lots in wanted:
        out.append(sizing.level_lots(lots, factor, capacity, least))
        capacity -= out[-1]
    return out


@given(wants, st.integers(0, 64), st.integers(-5, 20_000), st.integers(-1, 300))
def test_against_the_slow_twin(wanted: list[int], sixtyfourths: int, capacity: int, least: int) -> None:
    factor = Fraction(sixtyfourths, 64)
    found = ladder(wanted, float(factor), capacity, least)
    assert found == quoting.sizes(wanted, factor, capacity, least)
    assert sum(found) <= max(capacity, 0)
    assert all(lots == 0 or lots >= least for lots in found)


@given(wants, st.floats(0, 1), st.integers(0, 20_000), st.integers(1, 300))
def test_more_capacity_or_less_exposure_never_shrinks(
    wanted: list[int], factor: float, capacity: int, least: int
) -> None:
    here = ladder(wanted, factor, capacity, least)
    assert all(a <= b for a, b in zip(here, ladder(wanted, factor, capacity + 1, least), strict=True))
    assert all(a <= b for a, b in zip(here, ladder(wanted, factor, capacity + 977, least), strict=True))
    assert sum(here) <= sum(wanted)


@given(wants, st.floats(0, 0.99), st.floats(0, 0.01), st.integers(1, 300))
def test_a_larger_factor_never_shrinks_without_a_capacity(
    wanted: list[int], factor: float, more: float, least: int
) -> None:
    here, there = (ladder(wanted, f, 10**6, least) for f in (factor, factor + more))
    assert all(a <= b for a, b in zip(here, there, strict=True))


positions = st.floats(-100, 100)
limits = st.floats(0.1, 50)
fulls = st.floats(0.01, 1.0)


@given(positions, limits, fulls)
def test_the_factor_of_a_side(position: float, limit: float, full: float) -> None:
    buys, sells = (sizing.size_factor(position, limit, side, full) for side in (1, -1))
    assert 0.0 <= min(buys, sells) <= full <= max(buys, sells) <= 1.0 + 1e-15
    assert sells == sizing.size_factor(-position, limit, 1, full)
    exact = quoting.factor(Fraction(position), Fraction(limit), Fraction(full))
    assert buys == pytest.approx(float(exact), abs=1e-12)
    if position >= limit:
        assert (buys, sells) == (0.0, 1.0)


@given(positions, st.floats(0, 10), limits, fulls)
def test_more_exposure_or_a_smaller_limit_never_gives_the_adding_side_more(
    position: float, more: float, limit: float, full: float
) -> None:
    here = sizing.size_factor(position, limit, 1, full)
    assert sizing.size_factor(position + more, limit, 1, full) <= here + 1e-12
    if position > 0:
        assert sizing.size_factor(position, limit * 0.9, 1, full) <= here
        assert sizing.exposure_share(position, limit * 0.9, 1) >= sizing.exposure_share(position, limit, 1)


@pytest.mark.parametrize("full", [1.0, 0.25])
def test_sizes_have_no_cliff(full: float) -> None:
    factors = [sizing.size_factor(n / 1000, 10.0, 1, full) for n in range(-11_000, 11_000)]
    assert factors == sorted(factors, reverse=True)
    assert max(a - b for a, b in itertools.pairwise(factors)) < 1.01e-4
    assert (factors[0], factors[11_000], factors[-1]) == (1.0, full, 0.0)


@given(limits, st.floats(-10, 5000), st.floats(1, 4000))
def test_the_room_of_an_old_position(limit: float, age: float, over: float) -> None:
    found = sizing.room(limit, age, over)
    assert found == pytest.approx(float(quoting.room(Fraction(limit), Fraction(age), Fraction(over))), abs=1e-9)
    assert sizing.room(limit, age + 1.0, over) <= found <= limit


def test_an_age_that_is_none_takes_nothing_and_a_time_that_is_none_everything() -> None:
    assert sizing.room(5.0, math.nan, 10.0) == sizing.room(5.0, 1e9, math.inf) == 5.0
    assert sizing.room(5.0, 1.0, math.nan) == sizing.room(5.0, 10.0, 10.0) == 0.0
    assert sizing.exposure_share(0.1, 0.0, 1) == 1.0
    assert sizing.exposure_share(0.1, 0.0, -1) == sizing.exposure_share(0.0, 0.0, 1) == 0.0


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0, 10))
def test_wilder_markets_never_get_more(sigma: float, limit: float, more: float) -> None:
    here = sizing.calm(sigma, limit)
    assert 0.0 < sizing.calm(sigma + more, limit) <= here <= 1.0
    assert here * sigma <= limit * (1 + 1e-12) or here == 1.0
    assert sizing.calm(sigma, math.inf) == 1.0


def test_a_whole_factor_and_a_whole_capacity_take_nothing_away() -> None:
    assert sizing.level_lots(300, 1.0, 300, 300) == 300
    assert sizing.level_lots(300, 0.5, 300, 150) == 150
    assert sizing.size_factor(0.0, 10.0, 1, 1.0) == sizing.size_factor(-0.0, 10.0, -1, 1.0) == 1.0


def test_nothing_for_a_factor_that_is_none() -> None:
    for factor in (math.nan, -0.5, 1.5, math.inf, 0.0):
        assert sizing.level_lots(100, factor, 100, 1) == 0
    assert sizing.size_factor(math.nan, 10.0, 1, 1.0) == 1.0  # no exposure known on this side; capacity still binds
    assert sizing.size_factor(1.0, math.nan, 1, 1.0) == 0.0
