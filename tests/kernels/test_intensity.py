"""A and k: recovered, covered by their intervals at the stated rate, and refused where the data cannot tell them.

The estimators that look only at fills are shown failing on the same simulated data.
"""

import math

import numpy as np
import pytest

from kernels import intensity

A, K = 0.8, 0.15  # 1/s, 1/USD


def own_quotes(seed: int, seconds: float = 20_000.0, each_s: float = 2.0) -> tuple[np.ndarray, ...]:
    """(distance, exposure, fill) of quotes at random distances, each withdrawn after ``each_s`` or when hit."""
    rng = np.random.default_rng(seed)
    distance = rng.choice(np.arange(4.0, 33.0, 4.0), int(seconds / each_s))
    hit_after = rng.exponential(1.0 / (A * np.exp(-K * distance)))
    return distance, np.minimum(hit_after, each_s), (hit_after < each_s).astype(np.float64)


def tape(seed: int, seconds: float = 4_000.0) -> np.ndarray:
    """Depths of the sweeps of one side: a quote at d is hit at the rate A exp(-k d)."""
    rng = np.random.default_rng(seed)
    return rng.exponential(1.0 / K, rng.poisson(A * seconds))


def fit_tape(depth: np.ndarray, seconds: float = 4_000.0, scale: float = 1.0) -> intensity.Fit:
    return intensity.from_tape(depth, seconds, nearest_usd=4.0 * scale, farthest_usd=28.0 * scale)


def covered(fits: list[intensity.Fit]) -> tuple[float, float]:
    """Share of the intervals that hold the true A, and k."""
    assert all(fit.sufficient for fit in fits)
    return (
        sum(fit.intensity_low <= A <= fit.intensity_high for fit in fits) / len(fits),
        sum(fit.kappa_low <= K <= fit.kappa_high for fit in fits) / len(fits),
    )


@pytest.mark.parametrize("fit", [intensity.from_quotes(*own_quotes(1)), fit_tape(tape(2))], ids=["quotes", "tape"])
def test_the_truth_is_within_three_standard_errors(fit: intensity.Fit) -> None:
    assert fit.sufficient and not fit.reason
    error = (fit.kappa_high - fit.kappa_low) / (2 * intensity.Z_95)
    assert abs(fit.kappa - K) < 3 * error < 0.3 * K
    log_error = math.log(fit.intensity_high / fit.intensity_low) / (2 * intensity.Z_95)
    assert abs(math.log(fit.intensity / A)) < 3 * log_error
    assert -1.0 <= fit.correlation <= 1.0 and fit.correlation > 0.5


@pytest.mark.parametrize("source", ["quotes", "tape"])
def test_coverage_of_the_intervals_over_a_thousand_sessions(source: str) -> None:
    fits = (
        [intensity.from_quotes(*own_quotes(seed, 8_000.0)) for seed in range(1000)]
        if source == "quotes"
        else [fit_tape(tape(seed)) for seed in range(1000)]
    )
    for share in covered(fits):
        assert share == pytest.approx(0.95, abs=0.02)


def test_estimators_that_look_only_at_fills_are_biased() -> None:
    """Distances were quoted equally often, so fills thin out by k; their A ignores the quotes that were not hit."""
    distance, exposure, fills = own_quotes(3, 40_000.0)
    hit = fills > 0
    exact = intensity.from_quotes(distance, exposure, fills)
    assert exact.intensity == pytest.approx(A, rel=0.15)
    only_fills = intensity.from_quotes(distance[hit], exposure[hit], fills[hit])
    assert only_fills.intensity_low > 1.3 * A
    assert only_fills.kappa < 0.5 * K
    mean_distance = 1.0 / float(distance[hit].mean())  # "k is one over the mean distance of a fill"
    assert abs(mean_distance - K) > 3 * (exact.kappa_high - exact.kappa)


def test_units() -> None:
    """Distances times ten give k over ten and the same A; milliseconds for seconds a thousandth of A."""
    depth = tape(4)
    base, dear, slow = fit_tape(depth), fit_tape(10 * depth, scale=10.0), fit_tape(depth, seconds=4_000_000.0)
    assert dear.kappa == pytest.approx(base.kappa / 10, rel=1e-6)
    assert dear.intensity == pytest.approx(base.intensity, rel=1e-6)
    assert slow.intensity == pytest.approx(base.intensity / 1000, rel=1e-6)
    assert slow.kappa == pytest.approx(base.kappa, rel=1e-6)


def test_counts_that_vary_more_widen_the_interval() -> None:
    depth = tape(5)
    clumped = np.repeat(depth[::8], 8)  # the same number, in eights: 1/8 of the information
    wide, narrow = fit_tape(clumped), fit_tape(depth)
    assert wide.dispersion > 3.0 and narrow.dispersion < 2.5
    assert wide.kappa_high - wide.kappa_low > 1.7 * (narrow.kappa_high - narrow.kappa_low)


def test_poor_data_say_why() -> None:
    ones = np.ones(100)
    spread_out = np.linspace(1.0, 10.0, 100)
    cases = [
        (intensity.from_quotes(np.empty(0), np.empty(0), np.empty(0)), "no time was watched"),
        (intensity.from_quotes(np.full(100, 5.0), ones, ones), "less than 3 distances"),
        (intensity.from_quotes(spread_out, ones, (spread_out < 2.0).astype(float)), "events, 30 are needed"),
        (intensity.from_quotes(spread_out, ones, np.where(spread_out == 1.0, 99.0, 0.0)), "no maximum"),
        (intensity.from_quotes(spread_out, ones, spread_out), "do not become rarer"),
        (intensity.from_tape(tape(6), 4e3, nearest_usd=4.0, farthest_usd=6.0), "% only: too few events"),
        (fit_tape(tape(6), 0.0), "no time was watched"),
    ]
    for fit, reason in cases:
        assert not fit.sufficient
        assert reason in fit.reason
    bad = np.array([math.nan, math.inf, -1.0])
    assert intensity.from_quotes(spread_out[:3], bad, ones[:3]).events == 0


def test_rows_without_meaning_are_left_out() -> None:
    distance, exposure, fills = own_quotes(7)
    more = [np.concatenate((a, b)) for a, b in ((distance, [math.nan, 5.0]), (exposure, [1.0, -1.0]), (fills, [1, 1]))]
    assert intensity.from_quotes(*more) == intensity.from_quotes(distance, exposure, fills)


@pytest.mark.parametrize(
    ("near", "far", "cells"), [(5.0, 5.0, 9), (math.nan, 5.0, 9), (1.0, math.inf, 9), (1.0, 5.0, 2)]
)
def test_cells_that_cannot_be_are_refused(near: float, far: float, cells: int) -> None:
    with pytest.raises(ValueError, match="nearest"):
        intensity.from_tape(tape(1), 1.0, nearest_usd=near, farthest_usd=far, cells=cells)


@pytest.mark.parametrize(("bound", "share"), [(3, 0.95), (10, 0.95), (10, 0.5), (40, 0.99)])
def test_gamma_for_a_target_holds_it(bound: int, share: float) -> None:
    gamma = intensity.gamma_for(0.3, 0.9, 0.3, bound, share=share)
    assert intensity.within_share(gamma, 0.3, 0.9, 0.3, bound) == pytest.approx(share, abs=1e-6)
    assert intensity.within_share(2 * gamma, 0.3, 0.9, 0.3, bound) > share
    assert intensity.gamma_for(0.3, 0.9, 0.3, bound, share=share, order_contracts=0.1) == pytest.approx(10 * gamma)


def test_the_share_against_a_simulated_birth_and_death_chain() -> None:
    kappa, rate, sigma, bound = 0.3, 0.9, 0.5, 3
    gamma = intensity.gamma_for(kappa, rate, sigma, bound, share=0.9)
    slope = sigma * intensity.skew_per_sigma(gamma, kappa, rate)
    rng = np.random.default_rng(8)
    inventory, inside, total = 0, 0.0, 0.0
    for draw, wait in zip(rng.random(200_000).tolist(), rng.exponential(size=200_000).tolist(), strict=True):
        up = math.exp(-kappa * slope * (2 * inventory + 1) / 2)
        down = math.exp(kappa * slope * (2 * inventory - 1) / 2)
        time = wait / (up + down)
        total += time
        inside += time if abs(inventory) <= bound else 0.0
        inventory += 1 if draw < up / (up + down) else -1
    assert inside / total == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    "arguments",
    [(0.0, 1.0, 1.0, 3), (0.3, math.nan, 1.0, 3), (0.3, 1.0, -1.0, 3), (0.3, 1.0, 1.0, 0), (1e-9, 1e3, 1e-12, 3)],
)
def test_a_target_that_cannot_be_is_refused(arguments: tuple[float, float, float, int]) -> None:
    with pytest.raises(ValueError, match=r"must be|no risk aversion"):
        intensity.gamma_for(*arguments)
