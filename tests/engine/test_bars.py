"""Bars of the mid hold what the mid did in them, and their ranges find the volatility it was made of."""

import numpy as np
import pytest

from engine.analysis.bars import ESTIMATORS, bars, by_range_usd
from tests.engine.histories import history

SIGMA = 0.4


def test_a_bar_holds_what_the_mid_did_in_it() -> None:
    day = history(1_000.0, SIGMA, 0.6, 2.0)
    opens, highs, lows, closes = bars(day)
    first, step = int(day.top_ns[0]), 60 * 10**9
    assert opens.size == (int(1_000e9) - first) // step
    for i in range(opens.size):
        begin, end = first + i * step, first + (i + 1) * step
        seen = [float(day.mid_at(np.array([begin]))[0])]
        seen += [float(usd) for at, usd in zip(day.top_ns, day.mid_usd, strict=True) if begin <= at < end]
        assert (opens[i], highs[i], lows[i], closes[i]) == (seen[0], max(seen), min(seen), seen[-1])


def test_every_estimator_finds_the_volatility() -> None:
    found = by_range_usd(history(20_000.0, SIGMA, 0.6, 2.0))
    assert set(found) == set(ESTIMATORS)
    for name in ("parkinson", "garman_klass", "rogers_satchell", "yang_zhang"):
        # A mid that moves in ticks misses part of every range.
        assert found[name] == pytest.approx(SIGMA, rel=0.15), name


def test_too_short_a_day_has_no_opinion() -> None:
    assert set(by_range_usd(history(30.0, SIGMA, 0.6, 2.0)).values()) == {0.0}
