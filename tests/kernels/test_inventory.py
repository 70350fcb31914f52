"""How much a ladder holds: the chain against its closed form and a simulation of itself, and the skew for a target."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import inventory, resolve
from kernels.inventory import Ladder, bound_of, hold_skew, share_within, skew_to_hold, stationary
from kernels.records import MODEL
from tests.kernels import test_resolve

ONE = Ladder((1.0,), (0.0,))
THREE = Ladder((1.0, 1.3, 1.8), (0.0, 0.8, 1.6), 15.0)


@pytest.mark.parametrize("skew", [0.01, 0.1, 1.0])
def test_one_level_is_the_known_birth_and_death_chain(skew: float) -> None:
    share = stationary(np.ones(1), np.ones(1), math.inf, skew, 1.0, 40)
    known = np.exp(-skew * np.arange(-40.0, 41.0) ** 2)
    assert share == pytest.approx(known / known.sum(), rel=1e-9, abs=1e-300)


def simulated(ladder: Ladder, skew: float, bound: float, orders: int) -> float:
    """The same market played order by order: share of the time within the bound."""
    rng, position, inside, total = Random(4), 0.0, 0.0, 0.0
    for _ in range(orders):
        buying, selling = math.exp(-skew * position), math.exp(skew * position)
        span = rng.expovariate(buying + selling)
        total += span
        inside += span if abs(position) <= bound else 0.0
        side = 1 if rng.random() * (buying + selling) < buying else -1
        depth = rng.expovariate(1.0)
        room = max(0.0, 1.0 - max(side * position, 0.0) / ladder.max_position)
        position += side * room * sum(c for c, r in zip(ladder.contracts, ladder.reach, strict=True) if r <= depth)
    return inside / total


@pytest.mark.parametrize(("skew", "bound"), [(0.05, 6.0), (0.3, 4.0), (0.8, 2.5)])
def test_a_ladder_holds_what_a_simulation_of_it_holds(skew: float, bound: float) -> None:
    assert share_within(THREE, skew, bound) == pytest.approx(simulated(THREE, skew, bound, 100_000), abs=0.02)


@given(st.floats(2.0, 12.0), st.floats(0.6, 0.98))
@settings(max_examples=25, deadline=None)
def test_the_skew_holds_the_share_and_more_skew_holds_more(bound: float, share: float) -> None:
    try:
        skew = skew_to_hold(THREE, bound, share)
    except ValueError as refused:
        # 3.1 contracts may come at once, and a ladder that fades holds much by itself.
        assert bound < 5.0 if "no skew" in str(refused) else bound > 5.0 and "without any" in str(refused)
        return
    assert share_within(THREE, skew, bound) == pytest.approx(share, abs=0.001)
    assert share_within(THREE, 1.5 * skew, bound) > share


def test_several_levels_need_more_skew_than_their_first_alone() -> None:
    assert skew_to_hold(THREE, 5.0, 0.95) > 2.0 * skew_to_hold(Ladder((1.0,), (0.0,), 15.0), 5.0, 0.95)


def test_what_cannot_be_held_is_refused_in_words() -> None:
    for bound, share, why in (
        (0.5, 0.9, "first level"),
        (15.0, 0.9, "largest position"),
        (5.0, 1.0, "between 0 and 1"),
        (math.nan, 0.9, "first level"),
        (1.2, 0.99, "too large"),
        (14.0, 0.5, "without any skew"),
    ):
        with pytest.raises(ValueError, match=why):
            skew_to_hold(THREE, bound, share)
    wrong = (((), ()), ((1.0,), (0.5,)), ((1.0, 1.0), (0.0, -1.0)), ((0.0,), (0.0,)), ((1.0,), (0.0, 1.0)))
    for contracts, reach in wrong:
        with pytest.raises(ValueError, match="a ladder"):
            Ladder(contracts, reach)
    with pytest.raises(ValueError, match="room"):
        Ladder((1.0,), (0.0,), 0.0)


def test_the_ladder_of_a_model_leaves_out_levels_without_size() -> None:
    model = test_resolve.resolved(size_multipliers=[0.0, 1.0, 0.0, 2.0] + [0.0] * 6)
    found = inventory.ladder_of(model)
    assert found.contracts == pytest.approx((0.3, 0.6))
    assert found.reach == pytest.approx((0.0, 1.5 * 8 * 0.5 * 2))
    assert found.max_position == 20.0


def test_settings_that_hold_give_the_model_a_gamma_at_every_volatility() -> None:
    """The skew that the model then has, times k, is the solved one; the rest of the model is as it was."""
    told = test_resolve.settings(hold_within=4.0, hold_share=0.9, hold_skew=0.0, inventory_weight=0.5)
    model = np.zeros(1, MODEL)[0]
    assert resolve.resolve(told, 60_000.0, model) == resolve.BAD_HOLD
    told["hold_skew"] = 1.0
    assert resolve.resolve(told, 60_000.0, model) == resolve.OK
    told["hold_skew"] = hold_skew(model, bound_of(told, 60_000.0), 0.9)
    assert resolve.resolve(told, 60_000.0, model) == resolve.OK
    before = model.copy()
    for sigma in (0.5, 2.0, 8.0):
        assert resolve.hold(model, sigma) == resolve.OK
        skew = 0.5 * sigma * model["skew_per_sigma"] * model["kappa"]
        assert share_within(inventory.ladder_of(model), skew, 4.0) == pytest.approx(0.9, abs=0.001)
        assert model["held_sigma_usd"] == sigma
    changed = {name for name in MODEL.names or () if np.any(model[name] != before[name])}
    assert changed == {"gamma", "liquidity_usd", "skew_per_sigma", "held_sigma_usd"}
    assert resolve.hold(model, math.nan) == resolve.BAD_GAMMA
    assert model["levels"] == 0
    finite = test_resolve.settings(hold_within=4.0, hold_share=0.9, hold_skew=1.0, horizon_s=60.0)
    assert resolve.resolve(finite, 60_000.0, model) == resolve.BAD_HOLD


def test_the_bound_is_in_contracts_or_a_notional() -> None:
    assert bound_of(test_resolve.settings(hold_within=4.0, hold_within_usd=9_000.0), 60_000.0) == 4.0
    assert bound_of(test_resolve.settings(hold_within_usd=9_000.0), 60_000.0) == pytest.approx(0.15)
    assert math.isnan(bound_of(test_resolve.settings(), 60_000.0))
