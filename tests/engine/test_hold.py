"""A position to hold, in a simulated session: held about that share of the time, not quoted where it cannot be."""

from typing import Any

import pytest

from engine.config import load
from engine.config_source import Given
from engine.plan_builder import core_plan
from tests.engine.simulated import SECOND_NS, World, run, world

HOLD = "trading_strategy.avellaneda.hold_within_usd"


def holding(seed: int, **given: Any) -> World:
    config = load(flags=[Given(path, value, "test") for path, value in given.items()]).config
    return world(seed, settings=core_plan(config).settings)


@pytest.mark.parametrize("bound_usd", [9_000.0, 15_000.0])
def test_a_simulated_session_holds_the_position_about_the_share_of_the_time(bound_usd: float) -> None:
    """Volatility changes by a factor of five between the market's regimes; the share does not follow it."""
    inside = total = 0
    for seed in (1, 2):
        w = holding(seed, **{HOLD: bound_usd})
        bound = bound_usd / 60_000
        for _ in range(1500):
            status = run(w, 1.0)
            inside += abs(status["position"]["BTC-PERPETUAL"]) <= bound
            total += 1
    assert 0.90 <= inside / total <= 0.99


def test_gamma_follows_the_volatility_so_that_the_skew_stays() -> None:
    w = holding(1, **{HOLD: 9_000.0})
    seen = set()
    for _ in range(300):
        run(w, 1.0)
        model = w.core.instruments[0].records()["model"]
        if model["held_sigma_usd"] > 0.0:
            skew = model["kappa"] * model["skew_per_sigma"] * model["held_sigma_usd"]
            assert skew == pytest.approx(model["hold_skew"])
            seen.add(float(model["gamma"]))
    assert len(seen) > 3 and w.core.status()["instruments"]["BTC-PERPETUAL"]["gamma"] in seen


def test_what_cannot_be_held_is_not_quoted_and_the_status_says_why() -> None:
    w = holding(1, **{HOLD: 3_100.0})
    w.run(w.now_ns + 5 * SECOND_NS)
    status = w.core.status()
    assert status["quotes_sent"] == 0 and status["mode"] == "ACTIVE"
    assert "too large" in status["instruments"]["BTC-PERPETUAL"]["why"]
