"""A, k and markouts learnt while quoting: as a journal tells them afterwards, and quoted with only while certain."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.analysis.own_quotes import AFTER_S, from_journal
from engine.config import load
from engine.journal.replay import replay
from engine.plan_builder import core_plan
from engine.sim.tape import Tape
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.crowd import Takers
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.seeded import SeededMarket, SeededOptions
from tests.engine.simulated import START_NS, run
from tests.engine.test_config import flags
from tests.engine.test_journal_replay import journal_of
from tests.engine.test_own_quotes import STEADY

NAME = "BTC-PERPETUAL"
LIVE = {"trading_strategy.calibration.live": True}


def steady(seed: int = 3, *, tape: Tape | None = None, **values: Any) -> World:
    """A market whose law does not change; A is 0.8 and k 0.4 per bp about its fair price."""
    told = core_plan(load(flags=flags(**values)).config)
    market = SeededMarket(default_instruments(START_NS)[:1], seed, SeededOptions(regimes=STEADY, jumps_per_hour=0.0))
    return World(told, Exchange(market, seed=seed), throwaway_key().token, START_NS, tape=tape)


def told(w: World) -> dict[str, Any]:
    return dict(w.core.status()["instruments"][NAME]["calibration"])


def used(w: World) -> tuple[float, float]:
    """k per bp and A that the last ladder was made with."""
    model = w.core.instruments[0].records()["model"]
    return float(model["kappa"] * model["resolved_at_usd"] * 1e-4), float(model["intensity"])


@pytest.fixture(scope="module", params=["mass_quote", "orders"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    tape = Tape()
    w = steady(tape=tape, **{**LIVE, "trading_strategy.execution.mode": request.param})
    run(w, 900)
    directory = tmp_path_factory.mktemp("journal") / "run"
    journal_of(tape, w.plan, directory)
    (own,) = from_journal(directory)
    return w, directory, own


def test_exposure_and_hits_are_those_of_the_journal(session: Any) -> None:
    w, _, own = session
    calibrator = w.core.instruments[0].calibrator
    for key, side in enumerate((1, -1)):
        counts = calibrator.counts(side)
        assert sum(counts["seconds"]) == pytest.approx(own.seconds[key].sum(), rel=0.02)
        # Cell by cell, where enough time was spent: looking four times a second is not looking all the time.
        near = own.seconds[key] > 100
        assert np.allclose(np.array(counts["seconds"])[near], own.seconds[key][near], rtol=0.1)
        hits = [h for h in own.hits if h.side == side and 0.0 <= h.distance_bps < 30.0]
        assert sum(counts["hits"]) == len(hits)
    both, fit = told(w)["both"], own.fit("both")
    assert fit.sufficient
    assert both["kappa_per_bp"] == pytest.approx(fit.kappa, rel=0.05)
    assert both["intensity"] == pytest.approx(fit.intensity, rel=0.1)
    assert both["kappa_high"] - both["kappa_low"] == pytest.approx(fit.kappa_high - fit.kappa_low, rel=0.15)


def test_markouts_are_those_of_the_journal(session: Any) -> None:
    w, _, own = session
    told = w.core.status()["instruments"][NAME]["markouts"]
    assert tuple(told["after_s"]) == (0.0, *AFTER_S)
    assert told["missed"] == 0
    compared = 0
    for row in own.markouts():
        if row.side == "both":
            continue
        mine = told[row.side]["all" if row.level < 0 else str(row.level)]
        at = told["after_s"].index(row.after_s)
        assert abs(mine["fills"][at] - row.fills) <= 2
        if row.after_s >= 1.0:
            assert mine["mean_bps"][at] == pytest.approx(row.mean_bps, abs=0.5 * (row.high_bps - row.low_bps))
            assert mine["error_bps"][at] == pytest.approx(0.5 * (row.high_bps - row.low_bps), rel=0.2)
        compared += 1
    assert compared > 15
    # The edge is what a quote earns at once: further out it is more.
    assert told["bid"]["0"]["mean_bps"][0] < told["bid"]["1"]["mean_bps"][0]


def test_a_certain_estimate_is_quoted_with_and_replays_to_the_same_bytes(session: Any) -> None:
    w, directory, _ = session
    state = told(w)
    assert state["used"] and state["why"] == "used"
    assert used(w) == pytest.approx((state["kappa_per_bp"], state["intensity"]), rel=2e-3)
    assert state["both"]["kappa_low"] < state["kappa_per_bp"] == state["both"]["kappa_per_bp"]
    result = replay(directory)
    assert result.identical, result.difference
    assert json.loads(json.dumps(w.core.status(), allow_nan=False))
    assert result.core.status()["instruments"][NAME]["calibration"] == state


def test_off_it_is_estimated_and_changes_nothing() -> None:
    w, never = steady(), steady(**{"trading_strategy.calibration.interval": 30_000.0, **MEMORY})
    one, other = run(w, 600), run(never, 600)
    assert (one["pnl_usd"], one["messages_sent"]) == (other["pnl_usd"], other["messages_sent"])
    state = told(w)
    assert not state["used"] and state["why"].endswith("calibration.live is off")
    assert 0.25 < state["both"]["kappa_per_bp"] < 0.55
    assert used(w) == pytest.approx((0.4, 0.8), rel=2e-3)
    assert told(never)["fits"] != state["fits"]


MEMORY = {"trading_strategy.calibration.memory": 100_000.0}


@pytest.mark.parametrize("form", ["kappa", "kappa_per_bp"])
def test_an_estimate_is_used_within_a_factor_of_what_is_configured(form: str) -> None:
    """Configured at a quarter and at four times the truth: never further from it than by half, and never more again."""
    values = {**LIVE, "trading_strategy.avellaneda.order_flow_intensity": 3.2}
    values[f"trading_strategy.avellaneda.{form}"] = 0.1 if form == "kappa_per_bp" else 0.1e4 / 60_000
    values |= {"trading_strategy.avellaneda.max_spread_bps": 16.0, "trading_strategy.calibration.most": 1.5}
    w = steady(5, **values)
    for _ in range(10):
        run(w, 90)
        k, a = used(w)
        assert 0.1 / 1.51 < k < 0.151 and 3.2 / 1.51 < a < 4.81
    state = told(w)
    assert state["used"] and "as far from the configured values" in state["why"]
    assert state["kappa_per_bp"] == pytest.approx(0.15, rel=0.01)
    assert state["intensity"] == pytest.approx(3.2 / 1.5)


def test_a_market_that_changes_is_found_out_and_the_configured_values_return(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times as many takers from one moment on: first drift, and the new law once the old one is forgotten."""
    factor, before = [1.0], Takers.next_arrival_s
    monkeypatch.setattr(Takers, "next_arrival_s", lambda self, activity: before(self, activity * factor[0]))
    w = steady(**LIVE, **{"trading_strategy.calibration.memory": 900.0, "trading_strategy.calibration.most": 9.0})
    run(w, 900)
    assert told(w)["used"]
    factor[0] = 3.0
    seen = []
    for _ in range(10):
        run(w, 60)
        seen.append(told(w))
    drifted = [state for state in seen if state["why"].startswith("drift")]
    assert drifted
    assert all(not state["used"] and state["kappa_per_bp"] is None for state in drifted)
    assert all(state["drift"] > state["drift_most"] for state in drifted)
    run(w, 1000)
    state = told(w)
    assert state["used"], state["why"]
    assert 1.5 < state["intensity"] < 4.0


def test_too_little_is_said_to_be_too_little() -> None:
    w = steady(**LIVE)
    assert told(w)["why"] == "not estimated yet"
    run(w, 25)
    assert told(w)["why"] == "too few fills: 30 are needed"
    assert told(w)["both"]["kappa_per_bp"] is None
    run(w, 60)
    assert told(w)["why"] in ("too few fills to test for drift: 15 are needed in each half of the memory", WIDE)
    assert used(w) == pytest.approx((0.4, 0.8), rel=2e-3)


WIDE = "k is not known to within half of it: too few fills"


def test_switched_while_running_it_acts_and_stops_acting() -> None:
    w = steady()
    run(w, 800)
    assert used(w) == pytest.approx((0.4, 0.8), rel=2e-3)
    w.configure(replace(w.plan, calibration=replace(w.plan.calibration, live=True)))
    run(w, 5)
    state = told(w)
    assert state["used"]
    assert used(w)[0] == pytest.approx(state["both"]["kappa_per_bp"], rel=2e-3) != pytest.approx(0.4, rel=1e-3)
    settings = w.plan.settings.copy()
    settings["kappa_per_bp"] = 0.5
    w.configure(replace(w.plan, settings=settings))
    run(w, 5)
    assert not told(w)["used"]
    assert used(w) == pytest.approx((0.5, 0.8), rel=2e-3)


def test_flow_of_one_side_estimates_one_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """No taker buys: asks have time and few fills, and nothing that is told is not a number."""
    before = Takers.draw
    monkeypatch.setattr(Takers, "draw", lambda self, coming: replace(before(self, coming), buy=False))
    w = steady(**LIVE, **{"risk.max_drawdown": 1.0})
    run(w, 300)
    state = told(w)
    # Makers who moved away from us are all that buys.
    assert state["bid"]["fills"] > 30 > state["ask"]["fills"]
    assert state["ask"]["quote_s"] > 0.0 and state["ask"]["kappa_per_bp"] is None
    assert json.dumps(w.core.status()["instruments"][NAME], allow_nan=False)
