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


@given(st.floats(-100, 100), st.floats(0.1, 50))
def test_fade(position: float, limit: float) -> None:
    buys, sells = sizing.fade(position, limit, 1), sizing.fade(position, limit, -1)
    assert 0.0 <= buys <= 1.0
    assert max(buys, sells) == 1.0
    assert sells == sizing.fade(-position, limit, 1)
    assert buys == pytest.approx(float(quoting.fade(Fraction(position), Fraction(limit))), abs=1e-12)
    if position >= limit:
        assert buys == 0.0


def test_fade_has_no_cliff() -> None:
    factors = [sizing.fade(n / 1000, 10.0, 1) for n in range(-1000, 11_000)]
    assert factors == sorted(factors, reverse=True)
    assert max(a - b for a, b in itertools.pairwise(factors)) < 1.01e-4


def test_a_whole_factor_and_a_whole_capacity_take_nothing_away() -> None:
    assert sizing.level_lots(300, 1.0, 300, 300) == 300
    assert sizing.level_lots(300, 0.5, 300, 150) == 150
    assert sizing.fade(0.0, 10.0, 1) == sizing.fade(-0.0, 10.0, -1) == 1.0


def test_nothing_for_a_factor_that_is_none() -> None:
    for factor in (math.nan, -0.5, 1.5, math.inf, 0.0):
        assert sizing.level_lots(100, factor, 100, 1) == 0
    assert sizing.fade(math.nan, 10.0, 1) == 1.0  # no exposure known on this side; capacity still binds
    assert sizing.fade(1.0, math.nan, 1) == 0.0
