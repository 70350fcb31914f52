"""Recovery of a journal that ends anywhere, or is damaged anywhere: a valid state, always the same, or the place named.

What is valid is read from the journal's bytes by this file alone: positions are the sum of the fills told, each trade
counts once, no id is used twice, and what may still trade stays within the limit.
"""

import gzip
import shutil
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from engine.core.step import Core
from engine.journal.replay import Event, Replayed, replay, state_sha256
from feed.journal import HEAD_BYTES, SEGMENT_HEAD, Journal, JournalDamaged, Kind, Record, record_bytes, segment_files
from feed.journal_segments import SegmentWriter
from tests.engine.test_journal_replay import journal_of
from tests.engine.test_tape import recorded

SEGMENT_BYTES = 60_000
MODES = ["mass_quote", "orders"]


@dataclass
class Told:
    """What the messages and requests of a journal say, without the core."""

    trades: set[str] = field(default_factory=set)
    held: float = 0.0
    client_ids: set[int] = field(default_factory=set)
    request_ids: set[int] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """One input, and what was sent because of it. Raises AssertionError where an id is used again."""
        if event.input.kind is Kind.MESSAGE and b'"channel_name":"session.orders"' in event.input.data:
            for line in orjson.loads(event.input.data)["notification"]:
                for fill in line.get("fills", ()):
                    if fill["trade_id"] not in self.trades:
                        self.trades.add(fill["trade_id"])
                        self.held += fill["amount"] if line["direction"] == "buy" else -fill["amount"]
        for number, text in enumerate(event.outputs):
            request = orjson.loads(text)
            if number in event.refused:
                continue
            assert request["id"] not in self.request_ids
            self.request_ids.add(request["id"])
            if request["method"] == "private/insert":
                assert request["params"]["client_order_id"] not in self.client_ids
                self.client_ids.add(request["params"]["client_order_id"])


def check(core: Core, told: Told) -> None:
    """The state is valid, judged by what was told."""
    (instrument,) = core.instruments
    status = core.status()
    assert status["fills"] == len(told.trades)
    assert status["position"]["BTC-PERPETUAL"] == pytest.approx(told.held, abs=1e-9)
    believed = core.table.orders()
    numbers = [order["client_order_id"] for order in believed]
    assert len(set(numbers)) == len(numbers)
    if core.session.is_live:
        settings = instrument.records()["settings"]
        limit = int(settings["max_position"] / settings["lot_contracts"])
        for side in (1, -1):
            assert side * instrument.position_lots + core.table.exposure(instrument.index, side) <= limit


@dataclass
class Whole:
    """A journal, its records, where each ends (segment, offset), and the state after each input."""

    directory: Path
    records: list[Record]
    ends: list[tuple[int, int]]
    states: dict[int, str]

    def cut(self, target: Path, segment: int, size: int) -> Path:
        """A copy that ends behind ``size`` bytes of a segment."""
        target.mkdir()
        for file in segment_files(self.directory)[:segment]:
            shutil.copy(file, target)
        last = segment_files(self.directory)[segment]
        (target / last.name).write_bytes(last.read_bytes()[:size])
        return target

    def place(self, n: int) -> tuple[int, int]:
        """Where record ``n`` begins."""
        segment, end = self.ends[n]
        return segment, end - HEAD_BYTES - len(self.records[n].data)


def journalled(mode: str, pace: float, directory: Path, segment_bytes: int, refused: int = 0) -> Whole:
    """Record a session, then follow it once: every state on the way is valid.

    ``refused``: for so many inputs in its middle nothing is taken of what the core sends. The venue's messages are
    those to a core whose requests were taken, so more of them would have it hear of orders that it never sent.
    """
    world, tape, _ = recorded(mode, pace)
    middle = len(tape.inputs) // 3
    journal_of(tape, world.plan, directory, refuse=range(middle, middle + refused), segment_bytes=segment_bytes)
    records, ends = list(Journal(directory).records()), []
    sizes = [file.stat().st_size for file in segment_files(directory)]
    segment, offset = 0, SEGMENT_HEAD.size
    for record in records:
        if offset == sizes[segment]:
            segment, offset = segment + 1, SEGMENT_HEAD.size
        offset += HEAD_BYTES + len(record.data)
        ends.append((segment, offset))
    states: dict[int, str] = {}
    told = Told()

    def after(event: Event, core: Core) -> None:
        told.take(event)
        check(core, told)
        states[event.last_sequence] = state_sha256(core)

    assert replay(directory, after=after).identical
    kinds = {record.kind for record in records}
    # Two kinds come from real connections only (tests/faults/test_recorded.py).
    assert set(Kind) - kinds <= {Kind.BATCH_END, Kind.PREPARED} | (set() if refused else {Kind.REFUSED})
    assert told.trades, "there were fills"
    return Whole(directory, records, ends, states)


@pytest.fixture(scope="module", params=MODES)
def short(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return journalled(request.param, 0.13, tmp_path_factory.mktemp("short") / "run", SEGMENT_BYTES, 40)


def recovered(directory: Path) -> tuple[Replayed, str]:
    """The journal of a directory continued as its writer would, and closed; what it replays to."""
    SegmentWriter(directory, SEGMENT_BYTES).close()
    result = replay(directory)
    return result, state_sha256(result.core)


def content(directory: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of the segments."""
    return [(file.name, file.read_bytes()) for file in segment_files(directory)]


def test_every_record_boundary_recovers_to_the_state_of_that_moment(short: Whole, tmp_path: Path) -> None:
    for n, (segment, end) in enumerate(short.ends):
        run = short.cut(tmp_path / str(n), segment, end)
        result, state = recovered(run)
        assert result.identical
        assert (result.records, result.cut_bytes) == (n + 1, 0)
        assert state == short.states.get(n, state)
        # Between an input and the last of its requests there is no state of the first run to compare with.
        if n not in short.states or n % 8 == 0:
            again, same = recovered(run)
            assert (state, result.replayed_sha256) == (same, again.replayed_sha256)
        shutil.rmtree(run)


def filled(run: Path, zeros: int) -> Path:
    """The run with its last segment made longer, as a file system may leave it when the power goes."""
    with segment_files(run)[-1].open("ab") as file:
        file.write(bytes(zeros))
    return run


@pytest.mark.parametrize("zeros", [0, 1, 5000])
def test_a_torn_tail_of_any_length_is_cut_off_and_no_more(short: Whole, zeros: int, tmp_path: Path) -> None:
    """The last record is in turn one of every kind, a message with a fill, and the first of a segment."""
    victims = {record.kind: n for n, record in enumerate(short.records) if record.kind is not Kind.START}
    fill = next(n for n, record in enumerate(short.records) if b'"trade_id"' in record.data)
    first = next(n for n in range(len(short.records)) if short.place(n) == (1, SEGMENT_HEAD.size))
    for n in {*victims.values(), fill, first}:
        segment, begin = short.place(n)
        boundary = content(short.cut(tmp_path / "boundary", segment, begin))
        size = short.ends[n][1] - begin
        for torn in range(1, size, 1 if size < 700 and not zeros else 61):
            run = filled(short.cut(tmp_path / "torn", segment, begin + torn), zeros)
            writer = SegmentWriter(run, SEGMENT_BYTES)
            assert (writer.sequence, writer.cut_bytes) == (n, torn + zeros)
            writer.close()
            assert content(run) == boundary
            shutil.rmtree(run)
        shutil.rmtree(tmp_path / "boundary")


@pytest.mark.parametrize("zeros", [0, 1, 5000])
def test_a_head_of_a_segment_torn_anywhere_goes_with_its_segment(short: Whole, zeros: int, tmp_path: Path) -> None:
    boundary = content(short.directory)[:1]
    for size in range(SEGMENT_HEAD.size):
        run = filled(short.cut(tmp_path / str(size), 1, size), zeros)
        writer = SegmentWriter(run, SEGMENT_BYTES)
        assert (writer.cut_bytes, writer.number) == (size + zeros, 1)
        writer.close()
        assert content(run) == boundary


def test_one_flipped_bit_anywhere_names_the_record_and_all_before_it_replays(short: Whole, tmp_path: Path) -> None:
    random = Random(7)
    files = segment_files(short.directory)
    for attempt in range(120):
        run = tmp_path / str(attempt)
        shutil.copytree(short.directory, run)
        n = random.randrange(1, len(short.records))
        segment, begin = short.place(n)
        # Half of them in the head, which is the smaller part.
        limit = HEAD_BYTES if attempt % 2 else short.ends[n][1] - begin
        path = run / files[segment].name
        data = bytearray(path.read_bytes())
        data[begin + random.randrange(limit)] ^= 1 << random.randrange(8)
        path.write_bytes(data)
        with pytest.raises(JournalDamaged) as caught:
            replay(run)
        assert (caught.value.file, caught.value.offset, caught.value.sequence) == (path, begin, n)
        with pytest.raises(JournalDamaged):
            SegmentWriter(run, SEGMENT_BYTES)
        assert content(run)[segment][1] == bytes(data), "nothing is cut off what is damaged"
        if attempt % 10 == 0:
            assert replay(run, until=n - 1).identical
        shutil.rmtree(run)


def spliced(short: Whole, target: Path, n: int, pieces: list[bytes]) -> Path:
    """A copy in which record ``n`` of the first segment is replaced by ``pieces``."""
    shutil.copytree(short.directory, target)
    path = segment_files(target)[0]
    data = path.read_bytes()
    segment, begin = short.place(n)
    assert segment == 0
    path.write_bytes(data[:begin] + b"".join(pieces) + data[short.ends[n][1] :])
    return target


def test_a_middle_record_that_was_edited_removed_or_repeated_stops_the_recovery(short: Whole, tmp_path: Path) -> None:
    """Also where whoever edited it made its own checks right again: the next one does not follow it."""
    n = next(n for n, record in enumerate(short.records) if record.kind is Kind.OUTPUT)
    data = segment_files(short.directory)[0].read_bytes()
    own = data[short.place(n)[1] : short.ends[n][1]]
    link = int.from_bytes(data[short.place(n - 1)[1] + 4 :][:4], "little")
    record = short.records[n]
    edited, _ = record_bytes(record.kind, n, record.now_ns, record.last, record.data.replace(b"1", b"2"), link)
    for name, pieces, named in (
        ("edited", [edited], n + 1),
        ("removed", [], n),
        ("repeated", [own, own], n + 1),
        ("shortened", [own[:-1]], n),
        ("zeros", [bytes(len(own))], n),
    ):
        run = spliced(short, tmp_path / name, n, pieces)
        with pytest.raises(JournalDamaged, match=f"record {named} at byte"):
            replay(run)
        with pytest.raises(JournalDamaged):
            SegmentWriter(run, SEGMENT_BYTES)


def test_a_long_journal_recovers_from_any_byte(tmp_path: Path) -> None:
    whole = journalled("orders", 5.5, tmp_path / "run", 300_000)
    assert len(whole.records) > 10_000
    random = Random(3)
    sizes = [file.stat().st_size for file in segment_files(whole.directory)]
    for attempt in range(6):
        segment = random.randrange(len(sizes))
        run = whole.cut(tmp_path / str(attempt), segment, random.randrange(sizes[segment]))
        kept = list(Journal(run).records())
        assert kept == whole.records[: len(kept)]
        if kept:
            result, state = recovered(run)
            again, same = recovered(run)
            assert result.identical
            assert (result.records, again.cut_bytes) == (len(kept), 0)
            assert state == same == whole.states.get(len(kept) - 1, same)


def says_the_same(data: bytearray, original: bytes) -> bool:
    """Whether it unpacks to the same: a repetition may be copied from another place, and some bits mean nothing."""
    try:
        return gzip.decompress(data) == gzip.decompress(original)
    except (OSError, EOFError, zlib.error):
        return False


def test_compressed_segments_are_recovered_alike_and_damage_in_them_is_named(short: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(short.directory, run)
    writer = SegmentWriter(run, SEGMENT_BYTES)
    while writer.tidy():
        continue
    writer.close()
    files = segment_files(run)
    assert {file.suffix for file in files} == {".gz"}
    whole: Any = replay(run)
    assert state_sha256(whole.core) == short.states[len(short.records) - 1]
    random = Random(5)
    path, original = files[1], files[1].read_bytes()
    first = next(n for n, (segment, _) in enumerate(short.ends) if segment == 1)
    last = next((n for n, (segment, _) in enumerate(short.ends) if segment == 2), len(short.records))
    for _ in range(40):
        data = bytearray(original)
        data[random.randrange(10, len(data))] ^= 1 << random.randrange(8)
        path.write_bytes(data)
        if says_the_same(data, original):
            continue
        with pytest.raises(JournalDamaged) as caught:
            replay(run)
        assert caught.value.file == path
        assert first <= caught.value.sequence <= last
        if caught.value.sequence > 1:
            assert replay(run, until=caught.value.sequence - 1).identical
