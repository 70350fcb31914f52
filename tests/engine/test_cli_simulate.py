"""``quoter simulate``."""

import json

import pytest
from click.testing import CliRunner

from engine.cli.simulate import command
from engine.sim import campaign
from engine.sim.canaries import ForgetsInFlight


def test_the_command_tells_what_it_ran() -> None:
    done = CliRunner().invoke(command, ["--seeds", "3", "--jobs", "1", "--no-canaries", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["seeds"] == 3 and report["violations"] == 0 and report["seeds_per_minute"] > 0
    assert (
        report["canaries"] == {}
        and report["not_repeated"] == []
        and "halt" in report["marks_missed"] + list(report["marks"])
    )


def test_a_violation_is_told_with_the_command_that_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = campaign.run
    monkeypatch.setattr(campaign, "run", lambda options, canary=None: plain(options, ForgetsInFlight))
    monkeypatch.setattr(campaign, "repeat", lambda seeds, events: {})
    done = CliRunner().invoke(command, ["--seeds", "1", "--jobs", "1", "--no-canaries", "--json"])
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["violations"] == 1 and report["failures"][0]["repeat"] == "quoter simulate --repeat 1 --events 200"
    again = CliRunner().invoke(command, ["--repeat", "1"])
    assert again.exit_code == 1 and "invariant: 5" in again.stdout
