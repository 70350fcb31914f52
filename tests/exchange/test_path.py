"""The efficient price: scale, volatility, regimes in their proportions, and a future that comes true."""

import math
from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from feed.exchange.path import CALM_NORMAL_WILD, Premium, PricePath, Regime

FLAT = (Regime("flat", volatility=0.5, activity=1.0, spread=1.0, dwell_s=1e9, weight=1.0),)


def path(seed: int = 1, start_usd: float = 60_000.0, **options: object) -> PricePath:
    settings: dict[str, object] = {"step_s": 0.2, "lag_steps": 2, "ahead_steps": 50, **options}
    return PricePath(start_usd, Random(seed), **settings)  # type: ignore[arg-type]


def test_a_price_ten_times_as_high_walks_the_same_way() -> None:
    low, high = path(start_usd=1.2), path(start_usd=12.0)
    for _ in range(500):
        low.step()
        high.step()
        assert high.price_usd == pytest.approx(10 * low.price_usd, rel=1e-12)


def test_what_is_told_of_the_future_comes_true_and_the_past_is_remembered() -> None:
    walk = path()
    told, prices = [], []
    for _ in range(200):
        told.append(walk.price_usd * math.exp(walk.coming_log))
        prices.append(walk.price_usd)
        walk.step()
        if len(prices) > 2:
            assert walk.past_usd(1) == pytest.approx(prices[-1], rel=1e-12)
            assert walk.past_usd(2) == pytest.approx(prices[-2], rel=1e-12)
    for i in range(150):
        assert prices[i + 50] == pytest.approx(told[i], rel=1e-12)


def test_it_starts_at_the_price_given_in_the_first_regime() -> None:
    walk = path(start_usd=3_000.0, regimes=CALM_NORMAL_WILD)
    assert walk.price_usd == pytest.approx(3_000.0)
    assert walk.regime is CALM_NORMAL_WILD[0]


def test_regimes_share_time_as_their_stays_and_weights_say() -> None:
    """Two regimes alternate, so their shares of time are as their mean stays: 3 to 1."""
    pair = (
        Regime("long", 0.3, 1.0, 1.0, dwell_s=3.0, weight=1.0),
        Regime("short", 0.9, 1.0, 1.0, dwell_s=1.0, weight=1.0),
    )
    walk = path(regimes=pair, step_s=0.1)
    counts: Counter[str] = Counter()
    for _ in range(60_000):
        walk.step()
        counts[walk.regime.name] += 1
    assert counts["long"] / 60_000 == pytest.approx(0.75, abs=0.04)


def test_jumps_have_the_rate_size_and_symmetry_asked_for() -> None:
    walk = path(regimes=(Regime("still", 0.0, 1.0, 1.0, 1e9, 1.0),), jumps_per_hour=360.0, jump_bps=20.0)
    moves, last = [], math.log(walk.price_usd)
    for _ in range(100_000):
        walk.step()
        now = math.log(walk.price_usd)
        if now != last:
            moves.append((now - last) * 1e4)
        last = now
    assert len(moves) == pytest.approx(2_000, rel=0.1)
    assert sum(map(abs, moves)) / len(moves) == pytest.approx(20.0, rel=0.1)
    assert sum(m > 0 for m in moves) / len(moves) == pytest.approx(0.5, abs=0.05)


def test_returns_of_a_regime_are_those_of_its_volatility() -> None:
    walk = path(regimes=FLAT, jumps_per_hour=0.0)
    start = math.log(walk.price_usd)
    logs = [start]
    for _ in range(20_000):
        walk.step()
        logs.append(math.log(walk.price_usd))
    squares = [(b - a) ** 2 for a, b in pairwise(logs)]
    annual = math.sqrt(sum(squares) / len(squares) * 365 * 86_400 / 0.2)
    assert annual == pytest.approx(0.5, rel=0.025)


def test_a_premium_keeps_its_deviation_and_its_memory() -> None:
    premium = Premium(Random(3), deviation_bps=2.0, memory_s=10.0, step_s=1.0)
    values = []
    for _ in range(50_000):
        premium.step()
        values.append(premium.value * 1e4)
    variance = sum(v * v for v in values) / len(values)
    lag = sum(a * b for a, b in zip(values, values[10:], strict=False)) / len(values)
    assert math.sqrt(variance) == pytest.approx(2.0, rel=0.08)
    assert lag / variance == pytest.approx(math.exp(-1), abs=0.08)
