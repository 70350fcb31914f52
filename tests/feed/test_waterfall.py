"""The waterfall: stages sum to the total, what counts and what does not, answers, stalls, and slow reads."""

import os
import re
import time

import numpy as np
import pytest

from engine.core.step import Core
from engine.live.latency import causes
from feed.exchange_clock import ExchangeClock
from feed.stamps import NAMES
from feed.ticks import Ticks, invariant
from feed.waterfall import ACKS, GROUPS, SLOW, SLOW_READS, Waterfall
from kernels.histogram import Histogram
from kernels.histograms import HistogramReader
from kernels.ring import RingReader
from kernels.segment import segments
from tests.shared import ROOT

PREFIX = "quoter.test.waterfall"


def one(waterfall: Waterfall, now_ns: int = 1_000, *, laps: int = 3, writes: int = 1) -> None:
    """One read: laps of every stage, then writes."""
    waterfall.begin(now_ns)
    for _ in range(laps):
        for stage in range(len(NAMES)):
            waterfall.lap(stage)
    for _ in range(writes):
        waterfall.written()
    waterfall.end()


def live(every: int = 1, **options: Ticks) -> Waterfall:
    waterfall = Waterfall(None, every, **options)
    waterfall.counts()
    return waterfall


def seen(waterfall: Waterfall) -> dict[str, Histogram]:
    return waterfall.histograms.histograms


@pytest.mark.parametrize("counted", [True, False])
def test_the_stages_sum_to_the_total_and_the_other_clock_agrees(counted: bool) -> None:
    waterfall = live(clock=Ticks(counted))
    for _ in range(500):
        one(waterfall, time.clock_gettime_ns(time.CLOCK_BOOTTIME), writes=2)
    found = seen(waterfall)
    assert found["stages_total"].count == 500
    assert sum(found[name].sum for name in NAMES) == found["stages_total"].sum
    assert found["stages_total"].sum <= found["tick_to_quote"].sum < found["tick_done"].sum * 2
    # Two readings of the other clock, each next to one of this: within steps of both, but where something came between.
    assert found["stages_check"].count + found["stages_check"].below == 500
    assert found["stages_check"].percentile(25) < 200


def test_only_the_way_to_the_last_request_is_in_the_stages() -> None:
    waterfall = live()
    waterfall.begin(1)
    waterfall.lap(2)
    waterfall.written()
    time.sleep(0.01)
    waterfall.lap(6)
    waterfall.end()
    found = seen(waterfall)
    assert found["stages_total"].max < 5_000_000 < found["stages_after"].max
    assert found["risk"].count == 0 and found["risk"].below == 1, "nothing was sent after that lap"


def test_one_read_in_so_many_is_sampled_and_the_rest_only_timed() -> None:
    waterfall = live(every=16)
    for i in range(8_000):
        one(waterfall, i * 1_000 + 1, laps=1)
    assert seen(waterfall)["tick_to_quote"].count == seen(waterfall)["tick_done"].count == 8_000
    assert 300 < seen(waterfall)["stages_total"].count < 700
    none = live(every=0)
    one(none)
    assert seen(none)["stages_total"].count == 0 and seen(none)["tick_to_quote"].count == 1


def test_what_is_put_aside_is_counted_once_and_seen_by_others_after_a_look() -> None:
    waterfall = Waterfall(PREFIX, 1)
    try:
        waterfall.counts()
        reader = HistogramReader(f"{PREFIX}-{os.getpid()}-stages")
        one(waterfall, 1, writes=200)
        for i in range(20):
            one(waterfall, 2 + i, writes=i % 2)
        waterfall.look(1)
        snapshot = reader.snapshot()
        assert snapshot is not None
        found, _ = snapshot
        assert found["tick_to_quote"].count == 210 and found["tick_done"].count == 21
        assert found["tick_to_quote_corrected"].count >= 11, "each read that was answered, by its last request"
        assert {name: one.count for name, one in found.items()} == {
            name: h.count for name, h in seen(waterfall).items()
        }
    finally:
        waterfall.close()


def test_rare_reads_are_all_sampled_but_not_for_one_silence() -> None:
    rare = live(every=32)
    for i in range(600):
        one(rare, i * 50_000_000 + 1, laps=1)
    assert seen(rare)["stages_total"].count > 400, "all, once their mean distance is known"
    often = live(every=32)
    now_ns = 1
    for i in range(6_400):
        now_ns += 60_000_000_000 if i == 3_200 else 1_000
        one(often, now_ns, laps=1)
    assert seen(often)["stages_total"].count < 600


def test_nothing_counts_before_the_session_is_live_nor_outside_of_a_read() -> None:
    waterfall = Waterfall(None, 1)
    one(waterfall)
    waterfall.counts()
    waterfall.written()
    waterfall.connecting()
    one(waterfall)
    assert all(histogram.count == 0 for histogram in seen(waterfall).values())


def test_a_request_is_timed_until_the_read_with_its_answer() -> None:
    waterfall = live()
    for kind in range(1, len(ACKS) + 1):
        waterfall.begin(1)
        waterfall.written()
        waterfall.sent(1_000_000_000 + kind)
        waterfall.end()
        time.sleep(0.001 * kind)
        waterfall.begin(2)
        waterfall.answered(1_000_000_000 + kind, kind)
        waterfall.answered(77, kind)
        waterfall.end()
        found = seen(waterfall)[f"ack_{ACKS[kind - 1]}"]
        assert found.count == 1 and found.max >= 1_000_000 * kind
    waterfall.connecting()
    waterfall.counts()
    waterfall.answered(1_000_000_001, 1)
    waterfall.answered(1_000_000_002, 9)
    assert seen(waterfall)["ack_insert"].count == 1, "an answer after a reconnection is none of the new connection's"


def test_a_stall_counts_for_the_ticks_that_waited_behind_it() -> None:
    """One read of 20 ms where one comes every ms: plainly one slow tick, corrected about 19 more."""
    waterfall = live()
    for i in range(2_000):
        waterfall.begin(i * 1_000_000)
        waterfall.written()
        if i == 1_900:
            time.sleep(0.02)
        waterfall.end()
    plain, corrected = seen(waterfall)["tick_to_quote"], seen(waterfall)["tick_to_quote_corrected"]
    assert plain.count == 2_000
    assert 2_015 <= corrected.count <= 2_040
    assert plain.percentile(99.9) < 5_000_000 < corrected.percentile(99.9)
    before = corrected.count
    waterfall.collected(10_000_000)
    assert corrected.count >= before + 8, "a collection between two reads keeps reads waiting as well"
    assert seen(waterfall)["gc"].max == 10_000_000


def test_slow_reads_are_kept_with_their_causes() -> None:
    waterfall = live()
    waterfall.look(2_000_000_000, 3_000_000)
    for i in range(SLOW_READS + 5):
        waterfall.begin(100 + i)
        waterfall.lap(2)
        if i > 3:
            time.sleep(0.004)
        waterfall.collected(1_500_000)
        waterfall.lap(3)
        waterfall.end(20)
    rows = waterfall.slow
    assert len(rows) == SLOW_READS and rows[-1]["at_ns"] == 100 + SLOW_READS + 4
    row = rows[-1]
    assert row["total_ns"] > 4_000_000 and row["quote_ns"] == 0 and row["gc_ns"] == 1_500_000 and row["sampled"] == 1
    assert row["stage_ns"][3] > 4_000_000 > row["stage_ns"][2]
    assert "garbage collection 1500 us" in causes(row) and "backlog of 20 messages" in causes(row)
    assert causes(np.zeros(1, SLOW)[0]) == []
    assert waterfall.facts()["slow"] == SLOW_READS + 1 and waterfall.facts()["slow_ns"] == 3_000_000


def test_what_is_slow_follows_the_median() -> None:
    waterfall = live()
    for _ in range(100):
        one(waterfall)
    waterfall.look(5_000_000_000)
    assert waterfall.facts()["slow_ns"] == 10 * seen(waterfall)["tick_to_quote"].percentile(50)


def test_readers_in_other_processes_see_it_and_nothing_is_left() -> None:
    waterfall = Waterfall(PREFIX, 1)
    try:
        waterfall.counts()
        reader = HistogramReader(f"{PREFIX}-{os.getpid()}-stages")
        slow = RingReader(f"{PREFIX}-{os.getpid()}-slow", SLOW)
        one(waterfall)
        waterfall.look(2_000_000_000, 1)
        one(waterfall)
        snapshot = reader.snapshot()
        assert snapshot is not None
        histograms, notes = snapshot
        assert tuple(histograms) == tuple(name for group in GROUPS for name in group)
        assert sum(histograms[name].sum for name in NAMES) == histograms["stages_total"].sum > 0
        assert notes["reads"] == 1 and notes["every"] == 1
        rows = slow.read()[1]
        assert len(rows) == 1 and rows[0]["total_ns"] == waterfall.slow[0]["total_ns"]
    finally:
        waterfall.close()
    assert not [name for name in segments(PREFIX) if f"-{os.getpid()}-" in name]


def test_the_kinds_of_requests_are_those_of_the_core() -> None:
    text = (ROOT / "engine/core/requests.pxd").read_text()
    for number, kind in enumerate(ACKS, 1):
        assert re.search(rf"REQUEST_{kind.upper()} = {number}\s", text)
    assert hasattr(Core, "stamp")


def test_the_exchange_clock_is_bounded_by_what_was_heard_and_answered() -> None:
    clock = ExchangeClock()
    assert clock.bounds_ns == (None, None)
    ahead_s = 250.0
    clock.heard(1_000.0 + ahead_s, int(1_000.004e9))
    clock.heard(1_001.0 + ahead_s, int(1_001.001e9))
    clock.executed(1_002.002 + ahead_s, int(1_002e9))
    clock.executed(1_003.009 + ahead_s, int(1_003e9))
    for nonsense in (0.0, -1.0, float("nan"), float("inf"), 1e300):
        clock.heard(nonsense, 0)
        clock.executed(nonsense, 0)
    low, high = clock.bounds_ns
    assert low == pytest.approx(249.999e9, abs=1_000) and high == pytest.approx(250.002e9, abs=1_000)
    clock.turn()
    clock.heard(1_100.0 + ahead_s + 1.0, int(1_100e9))
    assert clock.bounds_ns[0] == pytest.approx(251e9, abs=1_000), "the larger of two windows"
    clock.turn()
    assert clock.bounds_ns[0] == pytest.approx(251e9, abs=1_000)
    clock.turn()
    assert clock.bounds_ns == (None, None), "what is old is forgotten"


def test_the_counter_keeps_time_with_the_clock() -> None:
    clock = Ticks()
    begin, begin_ns = clock.now(), time.monotonic_ns()
    time.sleep(0.05)
    assert clock.ns(clock.now() - begin) == pytest.approx(time.monotonic_ns() - begin_ns, rel=0.01)
    assert Ticks(False).ns_per_tick == 1.0
    assert 0 < clock.cost_ns() < 10_000
    assert invariant("flags\t\t: fpu tsc constant_tsc nonstop_tsc\n") and not invariant("flags : tsc constant_tsc\n")
    assert not invariant("")
