"""The journal on disk: every prefix recovers, one flipped byte is located, segments rotate, compress and expire."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.journal import HEAD_BYTES, Journal, JournalDamaged, Kind, Record, run_directory, segment_files
from feed.journal_segments import SegmentWriter, in_use, retain

Row = tuple[int, int, int, bool, bytes]


def rows(n: int, size: int = 40, first: int = 0) -> list[Row]:
    kinds = [Kind.MESSAGE, Kind.TIMER, Kind.OUTPUT]
    return [
        (kinds[i % 3], i, 1000 * i - 7, i % 2 == 0, bytes((i + j) % 256 for j in range(size))) for i in range(first, n)
    ]


def written(directory: Path, lines: list[Row], segment_bytes: int = 1 << 20) -> SegmentWriter:
    directory.mkdir(mode=0o700, parents=True)
    writer = SegmentWriter(directory, segment_bytes)
    for line in lines:
        writer.append([line])
    writer.close()
    return writer


def read(directory: Path) -> list[Row]:
    return [(r.kind, r.sequence, r.now_ns, r.last, r.data) for r in Journal(directory).records()]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    run = tmp_path / "run"
    written(run, rows(50))
    assert read(run) == rows(50)
    assert next(Journal(run).records()) == Record(0, Kind.MESSAGE, -7, True, rows(1)[0][4])
    assert stat.S_IMODE(segment_files(run)[0].stat().st_mode) == 0o600


def test_every_prefix_recovers_and_can_be_continued(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    written(whole, rows(6))
    data = segment_files(whole)[0].read_bytes()
    for size in range(len(data) + 1):
        run = tmp_path / f"{size}"
        run.mkdir()
        (run / "000000.journal").write_bytes(data[:size])
        journal = Journal(run)
        kept = list(journal.records())
        complete = max(0, (size - 32)) // (HEAD_BYTES + 40)
        assert [record.sequence for record in kept] == list(range(complete))
        assert journal.cut_bytes == (size if size < 32 else (size - 32) % (HEAD_BYTES + 40))
        assert list(Journal(run).records()) == kept
        writer = SegmentWriter(run, 1 << 20)
        assert (writer.sequence, writer.cut_bytes) == (complete, journal.cut_bytes)
        writer.append(rows(8, first=complete))
        writer.close()
        assert read(run) == rows(8)


@settings(max_examples=150)
@given(data=st.data())
def test_one_flipped_byte_is_located(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    run = tmp_path_factory.mktemp("flip") / "run"
    written(run, rows(30), segment_bytes=900)
    path = data.draw(st.sampled_from([file for file in segment_files(run) if file.stat().st_size > 32]))
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(JournalDamaged) as caught:
        read(run)
    assert caught.value.file == path
    record_size = HEAD_BYTES + 40
    expected = 0 if position < 32 else 32 + (position - 32) // record_size * record_size
    assert caught.value.offset == expected
    with pytest.raises(JournalDamaged):
        SegmentWriter(run, 900)


def test_a_missing_or_exchanged_segment_is_seen(tmp_path: Path) -> None:
    run = tmp_path / "run"
    written(run, rows(30), segment_bytes=900)
    files = segment_files(run)
    assert len(files) == 3
    middle = files[1].read_bytes()
    files[1].unlink()
    with pytest.raises(JournalDamaged, match="a segment is missing"):
        read(run)
    files[1].write_bytes(files[2].read_bytes())
    with pytest.raises(JournalDamaged, match="begins with record 26"):
        read(run)
    files[1].write_bytes(middle[:-1])
    with pytest.raises(JournalDamaged, match="ends in the data"):
        read(run)


def test_zeros_after_the_last_record_are_a_torn_tail(tmp_path: Path) -> None:
    run = tmp_path / "run"
    written(run, rows(5))
    with segment_files(run)[0].open("ab") as file:
        file.write(bytes(4096))
    journal = Journal(run)
    assert len(list(journal.records())) == 5
    assert journal.cut_bytes == 4096


def test_segments_compress_and_read_the_same(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    writer = SegmentWriter(run, 20_000)
    writer.append(rows(1000))
    before = read(run)
    while writer.tidy():
        assert read(run) == before
    names = [path.name for path in segment_files(run)]
    assert all(name.endswith(".gz") for name in names[:-1])
    assert names[-1].endswith(".journal")
    writer.append(rows(1010, first=1000))
    writer.close()
    assert read(run) == rows(1010)
    assert not list(run.glob("*.part"))
    broken = segment_files(run)[0]
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    with pytest.raises(JournalDamaged) as caught:
        read(run)
    assert caught.value.file == broken


def test_an_interrupted_compression_leaves_the_segment(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    writer = SegmentWriter(run, 20_000)
    writer.append(rows(1000))
    assert writer.tidy()
    assert writer.compressing
    writer.close()
    (run / "000000.journal.gz.part").write_bytes(b"left by a crash")
    SegmentWriter(run, 20_000).close()
    assert not list(run.glob("*.part"))
    assert read(run) == rows(1000)


def test_one_writer_a_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    first = SegmentWriter(run, 1000)
    assert in_use(run)
    with pytest.raises(BlockingIOError):
        SegmentWriter(run, 1000)
    first.close()
    assert not in_use(run)


def test_a_gap_is_never_written(tmp_path: Path) -> None:
    tmp_path.joinpath("run").mkdir()
    writer = SegmentWriter(tmp_path / "run", 1000)
    with pytest.raises(ValueError, match="does not follow"):
        writer.append(rows(3, first=1))
    writer.close()


def test_the_oldest_runs_and_then_segments_go(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        written(tmp_path / name, rows(100), segment_bytes=1000)
    size = Journal(tmp_path / "3").size_bytes
    assert retain(tmp_path / "3", 3 * size) == []
    assert retain(tmp_path / "3", 2 * size) == [tmp_path / "1"]
    holder = SegmentWriter(tmp_path / "2", 1000)
    gone = retain(tmp_path / "3", size // 2)
    assert (tmp_path / "2").exists()
    holder.close()
    assert all(path.parent == tmp_path / "3" for path in gone)
    left = Journal(tmp_path / "3")
    assert next(left.records()).sequence > 0
    assert len(left.files) == 2


def test_the_run_that_a_path_means(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no journal"):
        run_directory(tmp_path)
    for name in ("20260101", "20260102"):
        written(tmp_path / name, rows(2))
    assert run_directory(tmp_path) == tmp_path / "20260102"
    assert run_directory(tmp_path / "20260101") == tmp_path / "20260101"
    with pytest.raises(FileNotFoundError, match="not a directory"):
        run_directory(tmp_path / "nothing")


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    writer = SegmentWriter(run, 1 << 20)
    writer.append(rows(1))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, writer._file)
    with pytest.raises(OSError, match="No space"):
        writer.append(rows(2, first=1))
    os.close(full)
