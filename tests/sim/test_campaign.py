"""Campaigns: the simulator finds what is broken, repeats itself, and reaches what it claims to reach."""

from collections import Counter

import pytest

from engine.sim import campaign
from engine.sim.canaries import CANARIES, Canary, ForgetsInFlight
from engine.sim.options import FAULTS, draw

SEEDS = 150
BASE = 700_000


@pytest.fixture(scope="module")
def result() -> campaign.Result:
    return campaign.campaign(BASE, SEEDS, 200, 1)


def test_nothing_is_violated(result: campaign.Result) -> None:
    assert result.seeds == SEEDS
    assert [failure.failure for failure in result.failures] == []


def test_seeds_repeat_themselves_in_another_process_with_another_hash_seed(result: campaign.Result) -> None:
    assert result.differing == result.differing_in_pieces == []
    first, second = campaign.run(draw(BASE, 200)), campaign.run(draw(BASE + 1, 200))
    assert campaign.repeat([BASE, BASE + 1], 200) == {BASE: [first.digest] * 2, BASE + 1: [second.digest] * 2}
    assert first.digest != second.digest


def test_nearly_every_mark_is_reached(result: campaign.Result) -> None:
    assert len(result.marks_missed) <= len(campaign.MARKS) // 4, result.marks_missed


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.name)
def test_a_broken_core_is_found(canary: type[Canary]) -> None:
    for seed in range(1, canary.within + 1):
        if campaign.run(draw(seed, canary.events), canary).failure is not None:
            return
    pytest.fail(f"{canary.name} is not found within {canary.within} seeds")


def test_options_depend_on_the_seed_and_faults_are_drawn_apart() -> None:
    assert draw(5, 100) == draw(5, 100) != draw(6, 100)
    drawn: Counter[str] = Counter()
    for seed in range(200):
        drawn.update(draw(seed, 100).faults.keys())
    assert all(40 < drawn[name] < 120 for name in FAULTS)
    options = draw(5, 100)
    for name in options.faults:
        assert set(options.without(name).faults) == set(options.faults) - {name}


def test_shrinking_keeps_the_violation_and_drops_what_it_does_not_need(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = campaign.run
    monkeypatch.setattr(campaign, "run", lambda options: plain(options, ForgetsInFlight))
    options = draw(3, 200)
    verdict = campaign.run(options)
    assert verdict.failure is not None and options.faults
    small = campaign.shrink(options, verdict.invariant)
    assert campaign.run(small).invariant == verdict.invariant
    assert not small.faults and small.events < options.events
