"""The forecast: a true weight is found, nothing is made of nothing, mirrors mirror, and every number is bounded."""

import math

import numpy as np
import pytest

from kernels import adverse, forecast, signals
from kernels.records import CANDLES, FLOW, FORECAST, MARKET
from tests.kernels.flows import SECOND, fresh_candles, fresh_flow

SIGMA, FAIR = 5.0, 50_000.0


def fresh(**values: float) -> np.void:
    state = np.zeros(1, FORECAST)[0]
    defaults = {"enabled": 1, "interval_ns": SECOND, "steps": 4, "update_ns": 10 * SECOND, "span": 1e9, "z": 2.576}
    limits = {"min_samples": 30, "prior": 1.0, "cap_ticks": math.inf, "cap_bps": 1e6}
    for name, value in {**defaults, **limits, "toxic_weight": 1.0, "toxic_cap_bps": 1e6, **values}.items():
        state[name] = value
    state["given_bps"] = math.nan
    return state


def learnt(
    truth: dict[int, float], *, n: int = 3000, seed: int = 1, sign: float = 1.0, lasting: float = 0.0, **values: float
) -> np.void:
    """A state that has seen signals drawn at random, and a mid that moves by ``truth`` times them over the horizon.

    ``lasting``: of each signal, what is left of it in the next sample.
    """
    rng = np.random.default_rng(seed)
    state = fresh(**values)
    x = np.zeros(forecast.FEATURES)
    steps, mid, now = int(state["steps"]), FAIR, 0
    drift = np.zeros(n + steps)
    for k in range(n):
        x = lasting * x + math.sqrt(1.0 - lasting**2) * sign * rng.uniform(-1.0, 1.0, forecast.FEATURES)
        x[signals.DIRECTIONS :] = np.abs(x[signals.DIRECTIONS :])
        span = SIGMA * math.sqrt(steps)
        drift[k : k + steps] += sum(weight * x[i] for i, weight in truth.items()) * span / steps
        state["seen"][int(state["head"]) * forecast.FEATURES :][: forecast.FEATURES] = x
        forecast.sample(state, mid, SIGMA, now)
        mid += drift[k] + sign * SIGMA * rng.standard_normal()
        now += SECOND
    forecast.weigh(state, mid, SIGMA * math.sqrt(steps))
    return state


def test_a_true_weight_is_found_and_the_rest_have_none() -> None:
    state = learnt({2: 0.5, 3: -0.3})
    for i, weight in ((2, 0.5), (3, -0.3)):
        share = forecast.certain(state, i)
        assert 0.5 < share < 1.0
        assert state["weight"][i] == pytest.approx(weight * share, abs=0.1)
    assert [state["reason"][i] for i in (2, 3)] == [forecast.USED, forecast.USED]
    others = [i for i in range(forecast.FEATURES) if i not in (2, 3)]
    assert all(state["weight"][i] == 0.0 for i in others)
    assert all(state["reason"][i] != forecast.USED and state["low"][i] < 0.0 < state["high"][i] for i in others)


def test_the_interval_covers_nothing_as_often_as_it_says() -> None:
    """Moves overlap and signals are noise: an interval that ignored either would be too narrow."""
    outside = total = 0
    for seed in range(60):
        state = learnt({}, n=400, seed=seed, z=1.96)
        outside += sum(not (state["low"][i] <= 0.0 <= state["high"][i]) for i in range(signals.DIRECTIONS))
        total += signals.DIRECTIONS
    assert 0.01 <= outside / total <= 0.10


def test_a_signal_that_lasts_is_not_thought_to_be_many() -> None:
    """Forty moves that do not overlap, and signals that outlast them: correlations by chance are large, and an interval
    from the products of signal and move leaves zero out three times as often as it says.
    """
    values = {"steps": 20.0, "min_samples": 10.0, "z": 1.96}
    states = [learnt({}, n=800, seed=seed, lasting=0.98, **values) for seed in range(40)]
    rows = [(s, i) for s in states for i in range(signals.DIRECTIONS)]
    assert all(5.0 < forecast.overlap(s, i) <= 20.0 for s, i in rows)
    assert sum(not s["low"][i] <= 0.0 <= s["high"][i] for s, i in rows) / len(rows) < 0.09


def test_what_is_let_in_grows_from_nothing() -> None:
    """The weight is continuous in the evidence: at the edge of the interval nothing, and never more than the slope."""
    state = learnt({2: 0.5})
    weights = []
    for z in np.linspace(0.0, 40.0, 400):
        state["z"] = z
        forecast.weigh(state, FAIR, 10.0)
        weights.append(float(state["weight"][2]))
    assert weights[0] == pytest.approx(0.5, abs=0.1)
    assert weights[-1] == 0.0
    steps = -np.diff(weights)
    assert (steps >= 0.0).all()
    assert steps.max() < 0.02 * weights[0]


def test_a_mirrored_market_mirrors_every_weight() -> None:
    one, other = learnt({0: 0.6, 2: 0.4}), learnt({0: 0.6, 2: 0.4}, sign=-1.0)
    directed = slice(0, signals.DIRECTIONS)
    np.testing.assert_allclose(one["weight"][directed], other["weight"][directed], atol=1e-9)
    np.testing.assert_allclose(one["mean"][directed], -other["mean"][directed], atol=1e-9)


def test_too_few_samples_give_no_weight() -> None:
    state = learnt({2: 3.0}, n=100)
    assert set(state["reason"]) == {forecast.TOO_FEW}
    assert not state["weight"].any()


def test_a_given_weight_needs_the_live_sign() -> None:
    for given, reason in ((2.0, forecast.GIVEN), (-2.0, forecast.AGAINST_LIVE)):
        state = learnt({2: 0.5})
        state["given_bps"][2] = given
        forecast.weigh(state, FAIR, 10.0)
        assert state["reason"][2] == reason
        assert state["weight"][2] * 10.0 == pytest.approx(2e-4 * FAIR if reason == forecast.GIVEN else 0.0)


def test_alpha_is_capped_off_when_off_and_stale_when_stale() -> None:
    state, market = learnt({2: 0.5}), np.zeros(1, MARKET)[0]
    market["fair_usd"], market["now_ns"] = FAIR, state["last_ns"]
    market["bid_lots"], market["ask_lots"] = 30, 10
    expected = state["weight"][2] * 0.5 * state["span_usd"]
    forecast.forecast(state, market, 1.0)
    assert market["alpha_usd"] == pytest.approx(expected)
    state["cap_ticks"] = 0.5
    forecast.forecast(state, market, 1.0)
    assert market["alpha_usd"] == 0.5
    market["bid_lots"], market["ask_lots"] = 10, 30
    forecast.forecast(state, market, 1.0)
    assert market["alpha_usd"] == -0.5
    market["now_ns"] += 4 * SECOND
    forecast.forecast(state, market, 1.0)
    assert market["alpha_usd"] == 0.0
    market["now_ns"], state["enabled"] = state["last_ns"], 0
    forecast.forecast(state, market, 1.0)
    assert market["alpha_usd"] == 0.0


def test_a_gap_voids_what_was_pending() -> None:
    state = fresh()
    for k in range(4):
        forecast.sample(state, FAIR, SIGMA, k * SECOND)
    forecast.sample(state, 2 * FAIR, SIGMA, 3600 * SECOND)
    assert (state["gaps"], state["outcomes"], state["pending"]) == (1, 0, 1)


def adverse_state(loss: float, *, foreseen: float = 0.0, n: int = 2000, seed: int = 3) -> np.void:
    """Market orders of both sides at random; buys are followed by a rise of ``loss`` spans, sells by nothing. Of the
    rise alpha expected the part ``foreseen``.
    """
    rng = np.random.default_rng(seed)
    state = fresh()
    steps, mid = int(state["steps"]), FAIR
    drift = np.zeros(n + steps)
    for k in range(n):
        bought = rng.random() < 0.3
        state["alpha_spans"] = foreseen * (loss if bought else 0.0)
        forecast.sample(state, mid, SIGMA, k * SECOND)
        if bought:
            adverse.count(state, adverse.BUYS)
            drift[k : k + steps] += loss * SIGMA * math.sqrt(steps) / steps
        if rng.random() < 0.3:
            adverse.count(state, adverse.SELLS)
        mid += drift[k] - 0.3 * loss * SIGMA * math.sqrt(steps) / steps * steps + SIGMA * rng.standard_normal()
    return state


def test_toxicity_widens_the_side_it_hurts() -> None:
    state, market = adverse_state(0.8), np.zeros(1, MARKET)[0]
    market["fair_usd"] = FAIR
    adverse.widen(state, market)
    assert market["toxic_ask_usd"] > 0.3 * state["span_usd"]
    assert market["toxic_bid_usd"] < 0.25 * market["toxic_ask_usd"]
    state["toxic_cap_bps"] = 0.1
    adverse.widen(state, market)
    assert market["toxic_ask_usd"] == pytest.approx(0.1e-4 * FAIR)


def test_nothing_widens_without_losses() -> None:
    state, market = adverse_state(0.0), np.zeros(1, MARKET)[0]
    market["fair_usd"] = FAIR
    adverse.widen(state, market)
    assert max(market["toxic_bid_usd"], market["toxic_ask_usd"]) == 0.0


def test_what_alpha_expected_widens_nothing_as_well() -> None:
    """It moves both quotes already: the same loss would be paid for twice."""
    found = {}
    for foreseen in (0.0, 0.5, 1.0):
        state, market = adverse_state(0.8, foreseen=foreseen), np.zeros(1, MARKET)[0]
        market["fair_usd"] = FAIR
        adverse.widen(state, market)
        found[foreseen] = market["toxic_ask_usd"] / state["span_usd"]
    assert found[0.0] > found[0.5] + 0.2
    assert found[1.0] == 0.0


def test_bad_input_is_counted_and_never_a_number_that_is_none() -> None:
    flow, bars, state, market = (np.zeros(1, d)[0] for d in (FLOW, CANDLES, FORECAST, MARKET))
    for side, ticks, lots in ((0, 100, 1), (1, 0, 1), (1, 100, 0), (1, 100, -5), (-1, -7, 3), (1, 2**62, 2**62)):
        assert forecast.trade(flow, bars, state, market, side, ticks, lots, SECOND, 1) != 0
    assert (flow["refused"], bars["refused"], flow["trades"], bars["traded_lots"]) == (6, 6, 0, 0)
    for fair in (math.nan, 0.0, -1.0, math.inf):
        market["fair_usd"], market["sigma_usd"] = fair, 1.0
        market["now_ns"] += SECOND
        assert forecast.refresh(flow, bars, state, market) == 0
        forecast.forecast(state, market, 1.0)
        assert market["alpha_usd"] == 0.0
    assert state["samples"] == 0


def test_one_sided_flow_has_an_opinion_and_no_weight() -> None:
    flow, bars, state = fresh_flow(), fresh_candles(), fresh(update_ns=SECOND)
    market = np.zeros(1, MARKET)[0]
    for k in range(600):
        forecast.trade(flow, bars, state, market, 1, 10_000, 7, k * SECOND, 1)
        market["now_ns"], market["fair_usd"], market["sigma_usd"] = k * SECOND, 10_000.5, 1.0
        market["bid_ticks"], market["ask_ticks"], market["bid_lots"], market["ask_lots"] = 10_000, 10_001, 5, 5
        forecast.refresh(flow, bars, state, market)
    assert market["signals"][signals.PRESSURE] == 1.0
    assert not state["weight"].any()
    assert all(np.isfinite(state[name]).all() for name in FORECAST.names if name not in ("given_bps", "cap_ticks"))
