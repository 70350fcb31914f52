"""The journal of a simulated run: it changes nothing, and what is wrong with it is found."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from engine.core.step import Core
from engine.sim import campaign
from engine.sim.options import KNOBS, SwarmOptions, draw
from engine.sim.recorder import Recorder
from engine.sim.violation import Violation
from feed.frames import ListSink
from feed.journal import segment_files
from kernels.kept import addresses

NOW_NS = 1_000_000_000
SEEDS = 25


def comparable(seed: int) -> SwarmOptions:
    """A run without faults that only a run with a journal has, or has not."""
    options = draw(seed, 200)
    faults = {name: value for name, value in options.faults.items() if name not in {*KNOBS, "disk_full"}}
    return replace(options, faults=faults, journal=False)


def recorder() -> tuple[Recorder, Core]:
    core = Core(draw(1, 1).plan(), addresses())
    made = Recorder(core, Random(3), Counter(), NOW_NS)
    sink = ListSink()
    made.driven.attach(sink, NOW_NS)
    made.tap.on_connected(NOW_NS)
    made.take(len(sink.sent))
    return made, core


def test_a_journal_changes_nothing_and_survives_what_crashes() -> None:
    marks: Counter[str] = Counter()
    for seed in range(SEEDS):
        options = comparable(seed)
        verdict = campaign.run(options.journaled())
        assert verdict.failure is None
        assert verdict.digest == campaign.run(options).digest
        marks += verdict.marks
    wanted = ("journal: replayed", "journal: torn tail", "journal: power lost", "journal: writer killed")
    assert all(marks[name] for name in wanted), marks


def test_a_full_disk_stops_quoting_and_leaves_no_order() -> None:
    options = replace(comparable(1), faults={"disk_full": 0.5}).journaled()
    verdict = campaign.run(options)
    assert verdict.failure is None and verdict.marks["disk_full"]


def test_a_request_that_is_not_in_the_journal_is_found() -> None:
    made, _ = recorder()
    with pytest.raises(Violation, match="invariant 20"):
        made.take(99)
    made.close()


def test_a_message_that_is_not_in_the_journal_is_found() -> None:
    made, _ = recorder()
    made.giving(0)
    with pytest.raises(Violation, match="invariant 20"):
        made.take(0)
    made.close()


def test_a_core_that_was_told_more_than_its_journal_holds_is_found() -> None:
    made, core = recorder()
    core.operator("halt", NOW_NS)
    with pytest.raises(Violation, match="invariant 22"):
        made.verify(whole=True)
    made.close()


def test_a_lost_record_and_a_damaged_one_are_found() -> None:
    made, _ = recorder()
    made.tap.put(4, NOW_NS)
    with pytest.raises(Violation, match="invariant 21"):
        made.verify(whole=True)
    path = segment_files(made.directory)[0]
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(Violation, match="invariant 23"):
        made.verify(whole=False)
    made.close()
