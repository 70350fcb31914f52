"""The gate against random schedules of single orders: the position limit holds whatever the exchange does."""

import os

import pytest

from engine.sim.gate_trial import GateTrial

SCHEDULES = int(os.environ.get("QUOTER_GATE_SCHEDULES", "200000"))


def test_no_schedule_breaks_the_limit() -> None:
    trial = GateTrial(1)
    assert trial.run(SCHEDULES, 60) == 0, f"{trial.overs} over, {trial.unders} unbelieved, {trial.flips} flips"
    assert min(trial.sent, trial.refused, trial.fills, trial.rejected, trial.drops) > SCHEDULES // 10


@pytest.mark.parametrize("fault", [1, 2])
def test_a_broken_client_is_caught(fault: int) -> None:
    trial = GateTrial(1, fault)
    assert trial.run(2000, 60) > 0
    assert trial.overs > 0
