"""The throttle against plain descriptions of a token bucket and of fixed windows."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.options import SECOND_NS
from feed.exchange.throttle import Throttle

GAPS = st.lists(st.integers(0, 300_000_000), max_size=80)


@settings(max_examples=100)
@given(GAPS, st.sampled_from([1, 4, 10, 50]))
def test_bucket(gaps, rate):
    throttle = Throttle(rate, 0, fixed=False)
    now_ns, level = SECOND_NS, Fraction(rate)
    for gap in gaps:
        now_ns += gap
        level = min(Fraction(rate), level + Fraction(gap * rate, SECOND_NS))
        admitted = level >= 1
        assert throttle.admit(now_ns) == admitted
        if admitted:
            level -= 1


@settings(max_examples=100)
@given(GAPS, st.sampled_from([1, 4, 10]))
def test_fixed_windows(gaps, rate):
    throttle = Throttle(rate, 0, fixed=True)
    now_ns, counts = SECOND_NS, {}
    for gap in gaps:
        now_ns += gap
        window = now_ns // SECOND_NS
        counts[window] = counts.get(window, 0) + 1
        assert throttle.admit(now_ns) == (counts[window] <= rate)


@pytest.mark.parametrize("fixed", [True, False])
def test_penalty_runs_from_the_first_message_over_the_limit(fixed):
    throttle = Throttle(2, 5 * SECOND_NS, fixed)
    now_ns = 10 * SECOND_NS
    assert [throttle.admit(now_ns) for _ in range(4)] == [True, True, False, False]
    assert not throttle.admit(now_ns + 5 * SECOND_NS - 1)
    assert throttle.admit(now_ns + 5 * SECOND_NS)


def test_units_and_no_limit():
    throttle = Throttle(10, SECOND_NS, fixed=False)
    assert throttle.admit(0, 10)
    assert not throttle.admit(0, 1)
    assert all(Throttle(0, SECOND_NS, False).admit(0, 1000) for _ in range(3))
