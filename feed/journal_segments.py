"""Writing a run's segments: one open file at a time, rotation by size, compression when idle, retention by bytes.

Files are created with O_EXCL and mode 0600, below directories of mode 0700. An error of the disk is raised and never
retried: what a failed write or fsync has left behind is not known (the kernel may have dropped the pages).
"""

import fcntl
import os
import shutil
import zlib
from pathlib import Path

from feed.journal import GZIP_BITS, Journal, is_run, record_bytes, segment_files, segment_head

CHUNK_BYTES = 1 << 20
LOCK_NAME = "lock"


class SegmentWriter:
    """Appends records to the run in ``directory``, which exists; continues one that was interrupted.

    segment_bytes: size at which a new segment begins. Owner: the one process that holds the directory's lock. Raises
    ``BlockingIOError`` when another does, ``OSError`` when the disk fails, ``feed.journal.JournalDamaged`` when what is
    there cannot be continued.
    """

    def __init__(self, directory: Path, segment_bytes: int) -> None:
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._remove_parts()
        before = Journal(directory)
        self.ended = False
        for record in before.records():
            self.ended = record.kind.name == "END"
        self.cut_bytes = before.cut_bytes
        self.sequence = before.next_sequence
        self.link = before.link
        self.number = len(before.files)
        if before.files:
            self.number = int(before.files[-1].name[:6]) + 1
            self._cut(before)
        self._file = -1
        self._size = 0
        self._compressing: _Compression | None = None

    def _remove_parts(self) -> None:
        for part in self.directory.glob("*.part"):
            part.unlink()

    def _cut(self, before: Journal) -> None:
        """Take the torn tail off, and a segment that was torn before it began away."""
        last = before.files[-1]
        if before.end_offset == 0:
            last.unlink()
            self.number -= 1
        elif before.cut_bytes:
            os.truncate(last, before.end_offset)

    def append(self, records: list[tuple[int, int, int, bool, bytes]]) -> None:
        """Write records as (kind, sequence, now_ns, last, data); their sequences continue those written."""
        pieces = []
        for kind, sequence, now_ns, last, data in records:
            if sequence != self.sequence:
                raise ValueError(f"record {sequence} does not follow {self.sequence - 1}")
            if self._file < 0:
                self._open()
            text, self.link = record_bytes(kind, sequence, now_ns, last, data, self.link)
            pieces.append(text)
            self._size += len(text)
            self.sequence += 1
            if self._size >= self._segment_bytes:
                self._write(b"".join(pieces))
                pieces.clear()
                self._close()
        if pieces:
            self._write(b"".join(pieces))

    def _open(self) -> None:
        path = self.directory / f"{self.number:06d}.journal"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        head = segment_head(self.number, self.sequence, self.link)
        self._write(head)
        self._size = len(head)
        self.number += 1
        sync_directory(self.directory)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def sync(self) -> None:
        """Put what was appended on the disk itself."""
        if self._file >= 0:
            os.fsync(self._file)

    def _close(self) -> None:
        self.sync()
        os.close(self._file)
        self._file = -1

    def tidy(self) -> bool:
        """Compress a piece of the oldest closed segment; False when there is nothing to do."""
        if self._compressing is None:
            closed = [path for path in segment_files(self.directory) if path.suffix != ".gz"]
            if self._file >= 0:
                closed = closed[:-1]
            if not closed:
                return False
            self._compressing = _Compression(closed[0])
        if not self._compressing.step():
            self._compressing = None
        return True

    @property
    def compressing(self) -> bool:
        """Whether a closed segment is being replaced."""
        return self._compressing is not None

    def close(self) -> None:
        """Close the last segment and let the directory go."""
        if self._compressing is not None:
            self._compressing.abandon()
            self._compressing = None
        if self._file >= 0:
            self._close()
        os.close(self._lock)


class _Compression:
    """Compresses one closed segment, a chunk at a time, and replaces it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".journal.gz.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._source = path.open("rb")
        self._target = os.fdopen(os.open(self._part, flags, 0o600), "wb")
        self._deflate = zlib.compressobj(1, zlib.DEFLATED, GZIP_BITS)

    def step(self) -> bool:
        """One chunk; False after the last."""
        chunk = self._source.read(CHUNK_BYTES)
        if chunk:
            self._target.write(self._deflate.compress(chunk))
            return True
        self._target.write(self._deflate.flush())
        self._target.flush()
        os.fsync(self._target.fileno())
        self._target.close()
        self._source.close()
        os.rename(self._part, self._path.with_suffix(".journal.gz"))
        sync_directory(self._path.parent)
        self._path.unlink()
        return False

    def abandon(self) -> None:
        """Leave the segment as it was."""
        self._source.close()
        self._target.close()
        self._part.unlink()


def sync_directory(directory: Path) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def in_use(directory: Path) -> bool:
    """Whether a writer holds a run."""
    try:
        lock = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def retain(current: Path, bytes_max: int) -> list[Path]:
    """Make the runs beside ``current`` and itself fit into ``bytes_max``; returns what was removed.

    The oldest runs that nobody writes go first, then the oldest segments of the current run; its last two stay.
    """
    runs = sorted(entry for entry in current.parent.iterdir() if entry.is_dir() and is_run(entry))
    sizes = {run: sum(path.stat().st_size for path in segment_files(run)) for run in runs}
    total = sum(sizes.values())
    removed: list[Path] = []
    for run in runs:
        if total > bytes_max and run != current and not in_use(run):
            shutil.rmtree(run)
            total -= sizes[run]
            removed.append(run)
    for segment in segment_files(current)[:-2]:
        if total > bytes_max:
            total -= segment.stat().st_size
            segment.unlink()
            removed.append(segment)
    return removed
