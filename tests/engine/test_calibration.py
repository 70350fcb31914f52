"""Calibration of a made-up market finds what it was made of, and says when it cannot."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from engine.analysis.calibration import calibrate, market_order_depths, time_median
from engine.analysis.history import history_of
from feed.exchange.recording import load_recording
from tests.engine.histories import history
from tests.shared import DATA, needs_data

SIGMA, A, K = 0.4, 0.6, 2.0


def test_known_truth_is_inside_the_intervals() -> None:
    found = calibrate(history(20_000.0, SIGMA, A, K))
    assert found.sufficient
    assert found.sigma.low_usd <= SIGMA <= found.sigma.high_usd
    assert found.sigma.usd == pytest.approx(SIGMA, rel=0.05)
    both, bid, ask = found.sides
    assert both.verdict == "the data suffice"
    for side, rate in ((both, A), (bid, A / 2), (ask, A / 2)):
        assert side.fit.sufficient
        assert side.fit.kappa == pytest.approx(K, rel=0.1)
        assert side.fit.kappa_low - 0.1 <= K <= side.fit.kappa_high + 0.1
        assert side.fit.intensity == pytest.approx(rate, rel=0.1)
        assert side.fit.dispersion < 3.0
    assert found.intensity_per_side == pytest.approx(A / 2, rel=0.1)
    assert found.kappa_per_bp == pytest.approx(K * 0.2, rel=0.1)  # 1 bp of 2,000 USD is 0.2 USD
    assert found.half_spread_usd == pytest.approx(0.1)


def test_dearer_prices_scale_every_number() -> None:
    base = history(5_000.0, SIGMA, A, K)
    cheap, dear = calibrate(base), calibrate(replace(base, tick_usd=10 * base.tick_usd))
    assert dear.sigma.usd == pytest.approx(10 * cheap.sigma.usd)
    assert dear.sides[0].fit.kappa == pytest.approx(cheap.sides[0].fit.kappa / 10)
    assert dear.sides[0].fit.intensity == pytest.approx(cheap.sides[0].fit.intensity)
    assert dear.kappa_per_bp == pytest.approx(cheap.kappa_per_bp)


def test_a_coarse_price_grid_does_not_pass_for_a_strange_decay() -> None:
    """Depths of a few ticks only: cells between the prices would be empty, and the counts seem to vary wildly."""
    found = calibrate(history(20_000.0, SIGMA, A, 25.0, half_ticks=1)).sides[0]
    assert found.farthest_usd - found.nearest_usd < 0.25
    assert found.fit.dispersion < 3.0
    assert found.fit.kappa == pytest.approx(25.0, rel=0.1)


def test_gamma_for_a_target() -> None:
    found = calibrate(history(20_000.0, SIGMA, A, K))
    tight, loose = (found.gamma_to_hold(hold, 0.1, 0.95) for hold in (0.5, 2.0))
    assert tight > loose > 0.0
    poor = calibrate(history(30.0, SIGMA, A, K))
    with pytest.raises(ValueError, match="not known well enough"):
        poor.gamma_to_hold(1.0, 0.1, 0.95)


def test_a_short_recording_says_what_is_missing() -> None:
    found = calibrate(history(30.0, SIGMA, A, K))
    assert not found.sufficient
    assert "60 are needed" in found.sigma.reason
    assert "30 are needed" in found.sides[0].fit.reason
    assert math.isnan(found.sides[0].fit.kappa)


def test_a_recording_without_trades_or_moves_has_no_numbers() -> None:
    base = history(1_000.0, SIGMA, A, K)
    none = np.empty(0, np.int64)
    silent = replace(
        base,
        trade_ns=none,
        trade_side=none,
        trade_ticks=none,
        trade_lots=none,
        trade_top=none,
        bid_ticks=base.bid_ticks * 0 + 99,
    )
    still = replace(silent, ask_ticks=base.ask_ticks * 0 + 101)
    found = calibrate(still)
    assert found.sigma.reason == "the mid never moved"
    assert [side.fit.events for side in found.sides] == [0, 0, 0]


def test_a_decay_that_is_not_exponential_is_named() -> None:
    base = history(20_000.0, SIGMA, A, K)
    shift = np.where(base.trade_ns % 3 == 0, 150, 0) * base.trade_side
    found = calibrate(replace(base, trade_ticks=base.trade_ticks + shift)).sides[0]
    assert found.fit.dispersion > 5.0
    assert "not exponential" in found.verdict or not found.fit.sufficient


def test_trades_of_one_side_at_one_time_are_one_order() -> None:
    base = history(100.0, SIGMA, A, K)
    mid = (base.bid_ticks[5] + base.ask_ticks[5]) // 2
    rows = {
        "trade_ns": [600, 600, 600, 600, 700],
        "trade_side": [1, 1, 1, -1, -1],
        "trade_ticks": [mid + 10, mid + 30, mid + 20, mid - 10, mid - 40],
        "trade_lots": [1] * 5,
        "trade_top": [5] * 5,
    }
    depths, side = market_order_depths(replace(base, **{name: np.array(row, np.int64) for name, row in rows.items()}))
    np.testing.assert_allclose(depths, [0.3, 0.1, 0.4])
    assert side.tolist() == [1.0, -1.0, -1.0]


def test_the_median_counts_time_not_messages() -> None:
    base = history(10.0, SIGMA, A, K)
    short = replace(base, top_ns=np.array([0, 10**9, 10**9 + 1, 10**9 + 2], np.int64), span_s=10.0)
    assert time_median(np.array([1.0, 2.0, 3.0, 4.0]), short) == 4.0


@needs_data
@pytest.mark.parametrize("name", ["binance_spot_nexousdt_20240723-24", "gemini_ethusd_2021-07-01"])
def test_recorded_days_suffice_and_are_ordered(name: str) -> None:
    day = history_of(load_recording(DATA / name))
    assert np.all(np.diff(day.top_ns) >= 0) and np.all(day.bid_ticks < day.ask_ticks)
    assert np.all(day.top_ns[np.maximum(day.trade_top, 0)] <= day.trade_ns)
    found = calibrate(day)
    assert found.sufficient
    assert 0.1 < found.sigma.annual < 3.0
    assert found.sides[0].fit.kappa_low > 0.0
    for coarse, fine in pairwise(reversed(found.sigma.by_grid_usd)):
        assert coarse < 1.5 * fine
