"""Pauses grow, are spread, are capped, and start over only after a stable life."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.backoff import HOUR_NS, Backoff, BackoffSettings

SECOND = 1_000_000_000
SETTINGS = BackoffSettings(first_ns=SECOND, cap_ns=30 * SECOND, stable_ns=60 * SECOND, attempts_an_hour=1000)


def drop(backoff: Backoff, now: int, at_least_ns: int = 0) -> int:
    pause = backoff.pause_ns(now, at_least_ns)
    assert pause is not None
    return pause


@given(st.integers(0, 2**32))
def test_pauses_double_within_their_jitter_up_to_the_cap(seed):
    backoff = Backoff(Random(seed), SETTINGS)
    now = 0
    for attempt in range(12):
        ceiling = min(30 * SECOND, SECOND << attempt)
        pause = drop(backoff, now)
        assert ceiling // 2 <= pause <= ceiling
        now += pause


def test_the_jitter_spreads_many_clients():
    pauses = {Backoff(Random(seed), SETTINGS).pause_ns(0) for seed in range(50)}
    assert len(pauses) > 40


def test_only_a_stable_life_resets():
    backoff = Backoff(Random(1), SETTINGS)
    now = 0
    for _ in range(8):
        now += drop(backoff, now)
        backoff.live(now)
        now += 59 * SECOND
    assert drop(backoff, now) >= 15 * SECOND, "dropped again and again shortly after login"
    backoff.live(now)
    now += 60 * SECOND
    assert drop(backoff, now) <= SECOND


def test_life_counts_from_its_beginning():
    backoff = Backoff(Random(1), SETTINGS)
    for _ in range(5):
        drop(backoff, 0)
    backoff.live(0)
    backoff.live(59 * SECOND)
    assert drop(backoff, 61 * SECOND) <= SECOND


def test_what_the_venue_asks_for_is_honoured():
    assert drop(Backoff(Random(1), SETTINGS), 0, at_least_ns=90 * SECOND) == 90 * SECOND


def test_the_budget_of_an_hour():
    settings = BackoffSettings(first_ns=SECOND, cap_ns=SECOND, attempts_an_hour=5)
    backoff = Backoff(Random(3), settings)
    now = 0
    for _ in range(5):
        now += drop(backoff, now)
    assert backoff.pause_ns(now) is None
    free = backoff.budget_free_ns(now)
    assert 0 < free - HOUR_NS <= now
    assert backoff.pause_ns(free) is not None


@given(st.lists(st.integers(0, 600 * SECOND), max_size=60), st.integers(1, 10))
def test_no_hour_holds_more_attempts_than_the_budget(gaps, budget):
    backoff = Backoff(Random(0), BackoffSettings(attempts_an_hour=budget))
    now, attempts = 0, []
    for gap in gaps:
        now += gap
        pause = backoff.pause_ns(now)
        if pause is not None:
            now += pause
            attempts.append(now)
    assert all(b - a >= HOUR_NS for a, b in zip(attempts, attempts[budget:], strict=False))


def test_many_failures_do_not_overflow():
    backoff = Backoff(Random(0), BackoffSettings(attempts_an_hour=10**6))
    for _ in range(5000):
        assert drop(backoff, 0) <= 30 * SECOND


@pytest.mark.parametrize("bad", [{"first_ns": 0}, {"cap_ns": 1}, {"stable_ns": 0}, {"attempts_an_hour": 0}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError):
        BackoffSettings(**bad)
