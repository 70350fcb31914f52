"""What a signal is worth: found where flow is informed, nil where it is not, with intervals that cover."""

from dataclasses import replace

import numpy as np
import pytest

from engine.analysis import signals
from tests.engine.histories import history


def of(found: list[signals.Worth], name: str) -> signals.Worth:
    return next(worth for worth in found if worth.signal == name)


def test_informed_flow_is_found_and_its_slope_is_up() -> None:
    found = signals.worths(history(3_000.0, 0.4, 4.0, 2.0, alpha=0.7), 1.0)
    pressure = of(found, "vamp_fast_pressure")
    assert pressure.counts and pressure.low > 0.1
    assert pressure.beta_ticks - pressure.beta_error_ticks > 0.0


def test_uninformed_flow_is_nil() -> None:
    """Of the directions of five markets without any information a twentieth may seem to count."""
    found = [
        worth
        for seed in range(5)
        for worth in signals.worths(history(1_000.0, 0.4, 4.0, 2.0, seed=seed), 1.0)[: len(signals.NAMES) - 2]
    ]
    assert sum(worth.counts for worth in found) <= 6
    assert all(abs(worth.ic) < 0.15 for worth in found)


def test_signals_are_taken_before_the_moves_that_they_are_compared_with() -> None:
    """Trades after a sampling time do not change what was seen at it."""
    whole = history(400.0, 0.4, 4.0, 2.0, alpha=0.7)
    seen, moves = signals.sampled(whole, 10.0, 100)
    half = len(seen) // 2
    later = whole.trade_ns > int(whole.top_ns[0]) + (half + 1) * 10_000_000_000
    changed = whole.trade_side.copy()
    changed[later] *= -1
    other, _ = signals.sampled(replace(whole, trade_side=changed), 10.0, 100)
    np.testing.assert_array_equal(seen[: half + 1], other[: half + 1])
    assert np.any(seen[half + 2 :] != other[half + 2 :])
    assert len(moves) == len(seen)


def test_rank_correlation_and_its_interval_cover() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(300):
        x = rng.normal(size=200)
        y = 0.5 * x + rng.normal(size=200)
        worth = signals.worth("x", 1.0, x, y)
        truth = 6 / np.pi * np.arcsin(0.5 / np.sqrt(1.25) / 2)  # Spearman's of a normal pair
        inside += worth.low <= truth <= worth.high
        assert abs(worth.beta_ticks - 0.5) < 0.35
    assert inside / 300 == pytest.approx(0.95, abs=0.035)


def test_ranks_share_ties() -> None:
    assert signals.ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0.0, 2.5, 1.0]


def test_too_few_samples_say_nothing_and_count_for_nothing() -> None:
    worth = signals.worth("x", 1.0, np.ones(10), np.ones(10))
    assert np.isnan(worth.ic) and not worth.counts
    assert "too few samples" in signals.table([worth])
    constant = signals.worth("x", 1.0, np.ones(100), np.arange(100.0))
    assert np.isnan(constant.ic) and not constant.counts
