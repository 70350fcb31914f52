"""The journal on disk: every input and output of one run in order, and how to read it back.

A run is a directory (0700) of segments (0600), ``000000.journal``, ``000001.journal``, ...; closed ones may be
compressed (``.journal.gz``). Little-endian, offsets in bytes::

    segment head                        record head
    0     magic QUOTJRNL                0     check of the head: CRC-32 of bytes 8 to 32, seeded with the link
    8     u32 format version            4     check of the record: CRC-32 of its data, seeded with the head's check
    12    u32 number of the segment     8     u64 sequence, counted from 0 without gaps
    16    u64 sequence of its first     16    i64 now_ns, the time of the input or of the output's cause
    24    u32 link of its first         24    u32 bytes of data
    28    u32 CRC-32 of bytes 0 to 28   28    u8 kind, u8 flags (1: last of its batch), u16 zero
    32    records                       32    data

The link of a record is the check of the record before it (0 at the start), so records cannot be lost, moved or
exchanged between segments unseen. An incomplete record at the end of the last segment is a torn tail: it was never
acknowledged, is cut and counted. Everything else that does not fit is damage: reading stops there and names the place.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

MAGIC = b"QUOTJRNL"
VERSION = 1
SEGMENT_HEAD = struct.Struct("<8sIIQII")
RECORD_CHECKS = struct.Struct("<II")
RECORD_REST = struct.Struct("<QqIBBH")
HEAD_BYTES = RECORD_CHECKS.size + RECORD_REST.size
DATA_BYTES_MAX = 4 * 1024 * 1024
SEGMENT_BYTES_MAX = 1 << 30
UNPACK_BYTES = 4096
GZIP_BITS = 16 + zlib.MAX_WBITS
_SEGMENT_NAME = re.compile(r"(\d{6})\.journal(\.gz)?")


class Kind(IntEnum):
    """What a record holds; 0 to 5 and CONFIG are the acts of ``engine.sim.tape``."""

    MESSAGE = 0
    CONNECTED = 1
    DISCONNECTED = 2
    TOKEN = 3
    TIMER = 4
    OPERATOR = 5
    ATTACHED = 6
    """A new connection's sink was given to the core."""
    BATCH_END = 7
    """The read ended with a frame that completed no message."""
    OUTPUT = 8
    """A request, on its way to the connection; a login's token is replaced."""
    REFUSED = 9
    """The connection took nothing of the output before."""
    START = 10
    """Plan and build, JSON; always the first record."""
    END = 11
    """The run ended in order; always the last record. Data: why."""
    CONFIG = 12
    """Another plan was taken while running; data as of START."""
    PREPARED = 13
    """The next connection was logged in before the last one ended. Data: ``feed.prelude.Prepared`` as JSON."""


class JournalDamaged(ValueError):
    """A journal cannot be read on from here. ``file``, ``offset`` (of the uncompressed segment) and ``sequence``."""

    def __init__(self, file: Path, offset: int, sequence: int, why: str) -> None:
        super().__init__(f"{file}: record {sequence} at byte {offset}: {why}")
        self.file, self.offset, self.sequence, self.why = file, offset, sequence, why


@dataclass(frozen=True, slots=True)
class Record:
    """One record. ``last``: of a batch of messages."""

    sequence: int
    kind: Kind
    now_ns: int
    last: bool
    data: bytes


def record_bytes(kind: int, sequence: int, now_ns: int, last: bool, data: bytes, link: int) -> tuple[bytes, int]:
    """A record as it is written, and the link for the next."""
    rest = RECORD_REST.pack(sequence, now_ns, len(data), kind, last, 0)
    head_check = zlib.crc32(rest, link)
    check = zlib.crc32(data, head_check)
    return RECORD_CHECKS.pack(head_check, check) + rest + data, check


def segment_head(number: int, sequence: int, link: int) -> bytes:
    """The head of a segment whose first record is ``sequence``."""
    head = SEGMENT_HEAD.pack(MAGIC, VERSION, number, sequence, link, 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(head))


def segment_files(directory: Path) -> list[Path]:
    """The segments of a run, in order; a compressed one wins over the original it replaces."""
    found: dict[int, Path] = {}
    for path in sorted(directory.iterdir()):
        match = _SEGMENT_NAME.fullmatch(path.name)
        if match:
            found[int(match[1])] = path
    return [found[number] for number in sorted(found)]


def is_run(directory: Path) -> bool:
    """Whether a directory holds segments of a run."""
    return directory.is_dir() and bool(segment_files(directory))


def run_directory(path: Path) -> Path:
    """The run that a path means: itself, or the latest in it. Raises FileNotFoundError where there is none."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is not a directory: give the directory of a run, or one that holds runs")
    if is_run(path):
        return path
    runs = sorted(entry for entry in path.iterdir() if entry.is_dir() and is_run(entry))
    if not runs:
        raise FileNotFoundError(f"{path} holds no journal: `quoter run --journal {path}` writes one")
    return runs[-1]


class Journal:
    """Reads a run. After ``records`` has ended, ``cut_bytes`` tells what a torn tail has cost and ``link`` and
    ``next_sequence`` where writing would go on; ``share`` (0 to 1) is how far it has come."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = segment_files(directory)
        self.cut_bytes = 0
        self.link = 0
        self.next_sequence = 0
        self.end_offset = 0
        self.share = 0.0

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.files)

    def records(self) -> Iterator[Record]:
        """Every record. Raises ``JournalDamaged`` where one is not what was written."""
        for position in range(len(self.files)):
            yield from self._segment(position)
        self.share = 1.0

    def _segment(self, position: int) -> Iterator[Record]:
        path, first = self.files[position], position == 0
        # Only what was written record by record can be torn; a compressed segment took its place whole.
        last = position == len(self.files) - 1 and path.suffix != ".gz"
        data, problem = _content(path)
        if problem is not None and len(data) < SEGMENT_HEAD.size:
            raise JournalDamaged(path, 0, self.next_sequence, problem)
        if not self._head(path, data, first, last):
            return
        offset = SEGMENT_HEAD.size
        while offset < len(data):
            try:
                record = self._record(path, data, offset, last)
            except JournalDamaged as damaged:
                if problem is not None:
                    raise JournalDamaged(path, offset, self.next_sequence, problem) from damaged
                raise
            if record is None:
                self.cut_bytes = len(data) - offset
                break
            offset += HEAD_BYTES + len(record.data)
            self.next_sequence += 1
            self.end_offset = offset
            self.share = (position + offset / len(data)) / len(self.files)
            yield record
        if problem is not None:
            raise JournalDamaged(path, offset, self.next_sequence, problem)

    def _head(self, path: Path, data: bytes, first: bool, last: bool) -> bool:
        """Check a segment's head; False: the segment was torn before it began."""
        if len(data) < SEGMENT_HEAD.size:
            if last:
                self.cut_bytes = len(data)
                self.end_offset = 0
                return False
            raise JournalDamaged(path, 0, self.next_sequence, "the segment ends in its head")
        magic, version, number, sequence, link, check = SEGMENT_HEAD.unpack_from(data)
        if last and _written(data) < SEGMENT_HEAD.size and check != zlib.crc32(data[: SEGMENT_HEAD.size - 4]):
            self.cut_bytes = len(data)
            self.end_offset = 0
            return False
        if magic != MAGIC:
            raise JournalDamaged(path, 0, self.next_sequence, "not a segment of a journal")
        if check != zlib.crc32(data[: SEGMENT_HEAD.size - 4]):
            raise JournalDamaged(path, 0, self.next_sequence, "the head of the segment is damaged")
        if version != VERSION:
            why = f"format {version}, this program reads {VERSION}: use the version that wrote it"
            raise JournalDamaged(path, 0, self.next_sequence, why)
        if first:
            self.next_sequence, self.link = sequence, link
        elif sequence != self.next_sequence or link != self.link:
            why = f"the segment begins with record {sequence}, or follows another one: a segment is missing"
            raise JournalDamaged(path, 0, self.next_sequence, why)
        if not path.name.startswith(f"{number:06d}."):
            raise JournalDamaged(path, 0, self.next_sequence, f"this is segment {number}: the file was renamed")
        self.end_offset = SEGMENT_HEAD.size
        return True

    def _record(self, path: Path, data: bytes, offset: int, last: bool) -> Record | None:
        """The record at an offset, None where the last segment is torn there."""
        body = offset + HEAD_BYTES
        torn = last and not any(data[offset:body]) and not any(data[offset:])
        if body > len(data) or torn:
            if last:
                return None
            raise JournalDamaged(path, offset, self.next_sequence, "the segment ends in the head of a record")
        head_check, check = RECORD_CHECKS.unpack_from(data, offset)
        rest = data[offset + RECORD_CHECKS.size : body]
        if zlib.crc32(rest, self.link) != head_check:
            if last and _written(data) < body:
                return None
            raise JournalDamaged(path, offset, self.next_sequence, "the head of the record is damaged")
        sequence, now_ns, size, kind, flags, _ = RECORD_REST.unpack(rest)
        if sequence != self.next_sequence or size > DATA_BYTES_MAX:
            raise JournalDamaged(path, offset, self.next_sequence, f"sequence {sequence}, {size} bytes: out of order")
        if body + size > len(data):
            if last:
                return None
            raise JournalDamaged(path, offset, self.next_sequence, "the segment ends in the data of a record")
        content = data[body : body + size]
        if zlib.crc32(content, head_check) != check:
            if last and _written(data) < body + size:
                return None
            raise JournalDamaged(path, offset, self.next_sequence, "the data of the record is damaged")
        try:
            known = Kind(kind)
        except ValueError:
            raise JournalDamaged(path, offset, sequence, f"kind {kind}: use the version that wrote it") from None
        self.link = check
        return Record(sequence, known, now_ns, bool(flags & 1), content)


def _written(data: bytes) -> int:
    """Bytes before the zeros that a file system may leave where data was to come when the power goes."""
    return len(data.rstrip(b"\0"))


def _content(path: Path) -> tuple[bytes, str | None]:
    """The bytes of a segment, uncompressed as far as it goes, and why not to its end."""
    packed = path.read_bytes()
    if path.suffix != ".gz":
        return packed, None
    unpack, pieces, size = zlib.decompressobj(GZIP_BITS), [], 0
    try:
        for offset in range(0, len(packed), UNPACK_BYTES):
            pieces.append(unpack.decompress(packed[offset : offset + UNPACK_BYTES]))
            size += len(pieces[-1])
            if size > SEGMENT_BYTES_MAX:
                return b"", f"the compressed segment holds more than {SEGMENT_BYTES_MAX} bytes"
    except zlib.error as error:
        return b"".join(pieces), f"the compressed segment cannot be unpacked: {error}"
    if not unpack.eof or unpack.unused_data:
        return b"".join(pieces), "the compressed segment does not end where it should"
    return b"".join(pieces), None
