"""A simulated session recorded through tap, ring and writing process replays to the same bytes and the same state."""

import json
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.step import Core
from engine.journal.plan_text import NotThisPlan, plan_of, start_text
from engine.journal.replay import CannotReplay, replay
from engine.live.recorded import RecordedCore
from engine.sim.tape import Act, Tape
from feed.frames import ListSink
from feed.journal import Journal, JournalDamaged, Kind, segment_files
from feed.journal_segments import SegmentWriter
from feed.tap import SLOT_BYTES, Joiner, Tap
from kernels.kept import addresses
from kernels.ring import RingReader, RingWriter
from tests.engine.simulated import plan
from tests.engine.test_tape import recorded


def journal_of(
    tape: Tape, told: Any, directory: Path, *, refuse: range = range(0), segment_bytes: int = 1 << 24
) -> Core:
    """Drive a recorded core by a tape, and write what the tap saw."""
    ring = RingWriter("test.replay", "records", 1 << 14, SLOT_BYTES)
    try:
        reader, joiner = RingReader(ring.name, SLOT_BYTES, oldest=True), Joiner()
        directory.mkdir(parents=True)
        writer = SegmentWriter(directory, segment_bytes)
        core, sink = Core(told, addresses()), ListSink()
        tap = Tap(core, ring)
        wrapped = RecordedCore(core, tap, tape.inputs[0].now_ns, {"network": "simulated"})
        for i, (act, now_ns, data, last) in enumerate(tape.inputs):
            sink.blocked = i in refuse
            if act is Act.CONNECTED:
                wrapped.attach(sink, now_ns)
                tap.on_connected(now_ns)
            elif act is Act.DISCONNECTED:
                tap.on_disconnected(now_ns, data.decode())
            elif act is Act.MESSAGE:
                tap.on_message(data, now_ns, last)
            elif act is Act.TIMER:
                wrapped.on_timer(now_ns)
            elif act is Act.TOKEN:
                wrapped.provide_token("CANARY." + data.decode(), now_ns)
            elif act is Act.CONFIG:
                wrapped.configure(plan_of(data)[0], now_ns, {})
            else:
                wrapped.operator(data.decode(), now_ns)
            _, slots = reader.read(1 << 14)
            writer.append(joiner.join(slots.view(np.uint8)))
        wrapped.end("stopped", tape.inputs[-1].now_ns)
        _, slots = reader.read(1 << 14)
        writer.append(joiner.join(slots.view(np.uint8)))
        writer.close()
        assert joiner.lost == 0
        return core
    finally:
        ring.close()


@pytest.fixture(scope="module", params=["mass_quote", "orders"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    world, tape, _ = recorded(request.param)
    directory = tmp_path_factory.mktemp("journal") / "run"
    core = journal_of(tape, world.plan, directory, refuse=range(300, 420), segment_bytes=200_000)
    return tape, directory, core


def test_a_replay_is_identical(session: Any) -> None:
    tape, directory, core = session
    result = replay(directory)
    assert result.identical, result.difference
    assert result.outputs > 50
    assert result.inputs >= len(tape.inputs)
    assert result.ended == "stopped"
    told, live = result.core.status(), core.status()
    # The login leaves with its token, and is replayed without it.
    assert told["outbox"].pop("bytes_out") < live["outbox"].pop("bytes_out")
    assert told == live
    assert core.status()["fills"] > 0
    assert core.connections == 2
    report = json.loads(json.dumps(result.report()))
    assert report["same_build"]
    assert report == json.loads(json.dumps(replay(directory).report()))


def test_no_secret_is_in_the_journal(session: Any) -> None:
    _, directory, _ = session
    content = b"".join(record.data for record in Journal(directory).records())
    assert b"CANARY" not in content
    assert b'"token":"(token)"' in content
    assert sum(record.kind is Kind.REFUSED for record in Journal(directory).records()) > 0


def test_the_first_difference_is_shown(session: Any, tmp_path: Path) -> None:
    _, directory, _ = session
    records = list(Journal(directory).records())
    victim = [i for i, record in enumerate(records) if record.kind is Kind.OUTPUT][20]
    records[victim] = changed(records[victim], data=records[victim].data.replace(b'"id":', b'"id": '))
    rewritten(records, tmp_path / "run")
    result = replay(tmp_path / "run")
    assert not result.identical
    assert result.difference is not None
    assert result.difference.recorded == records[victim].data
    assert result.difference.replayed == records[victim].data.replace(b'"id": ', b'"id":')
    assert result.difference.event.input.sequence < victim <= result.difference.event.last_sequence


def test_a_lost_input_is_noticed(session: Any, tmp_path: Path) -> None:
    _, directory, _ = session
    records = [
        record for record in Journal(directory).records() if b'"channel_name":"session.orders"' not in record.data
    ]
    rewritten(records, tmp_path / "run")
    assert not replay(tmp_path / "run").identical


def test_every_prefix_of_records_replays(session: Any, tmp_path: Path) -> None:
    _, directory, _ = session
    records = list(Journal(directory).records())
    for n in [*range(1, 60), *range(60, len(records), 397)]:
        rewritten(records[:n], tmp_path / str(n))
        result = replay(tmp_path / str(n))
        assert result.identical, n
        assert result.records == n
        assert result.ended is None


def test_until_stops_there(session: Any) -> None:
    _, directory, _ = session
    seen: list[int] = []
    result = replay(directory, until=500, after=lambda event, core: seen.append(event.input.sequence))
    assert seen
    assert seen[-1] <= 500 < seen[-1] + 20
    assert result.identical


def test_what_cannot_be_replayed_is_named(session: Any, tmp_path: Path) -> None:
    _, directory, _ = session
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "000000.journal").write_bytes(b"")
    with pytest.raises(CannotReplay, match="empty"):
        replay(tmp_path / "empty")
    later = tmp_path / "later"
    later.mkdir()
    for file in segment_files(directory)[1:]:
        (later / file.name).write_bytes(file.read_bytes())
    with pytest.raises(CannotReplay, match="needs the first"):
        replay(later)
    records = list(Journal(directory).records())
    rewritten([changed(records[0], data=b"{}"), *records[1:]], tmp_path / "old")
    with pytest.raises(CannotReplay, match=r"record 0: .*use the version that wrote it"):
        replay(tmp_path / "old")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    content = bytearray(segment_files(directory)[0].read_bytes())
    content[len(content) // 2] ^= 4
    (damaged / "000000.journal").write_bytes(content)
    with pytest.raises(JournalDamaged, match=r"000000.journal: record \d+ at byte \d+"):
        replay(damaged)


def test_a_strategy_must_be_named_again(session: Any, tmp_path: Path) -> None:
    _, directory, _ = session
    with pytest.raises(CannotReplay, match="the shipped strategy"):
        replay(directory, strategy="examples.custom_strategy:quote")
    records = list(Journal(directory).records())
    start = json.loads(records[0].data)
    start["labels"]["strategy"] = "examples.custom_strategy:quote"
    rewritten([changed(records[0], data=json.dumps(start).encode()), *records[1:]], tmp_path / "run")
    with pytest.raises(CannotReplay, match="--strategy examples"):
        replay(tmp_path / "run")
    other = replay(tmp_path / "run", strategy="examples.custom_strategy:quote")
    assert other.difference is not None  # another strategy quotes otherwise


def test_a_plan_survives_its_text() -> None:
    told = plan()
    read, rest = plan_of(start_text(told, {"network": "local"}))
    assert rest["labels"] == {"network": "local"}
    for name in ("settings", "volatility"):
        assert getattr(read, name).tobytes() == getattr(told, name).tobytes()
        assert getattr(read, name).dtype == getattr(told, name).dtype
    same = {"settings": told.settings, "volatility": told.volatility}
    assert repr(changed(read, **same)) == repr(told)
    assert isinstance(read.instruments, tuple)


def test_a_plan_that_was_edited_is_refused() -> None:
    text = start_text(plan(), {}).replace(b'"collar_bps": 150.0', b'"collar_bps": 999.0')
    with pytest.raises(NotThisPlan, match="hash"):
        plan_of(text)
    with pytest.raises(NotThisPlan):
        plan_of(b"[1]")


def rewritten(records: list[Any], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    writer = SegmentWriter(directory, 1 << 26)
    rows = [(r.kind, i, r.now_ns, r.last, r.data) for i, r in enumerate(records)]
    writer.append(rows)
    writer.close()
