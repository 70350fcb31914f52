"""Segments of shared memory: files of mode 0600 in a memory file system, named ``prefix-pid-label``.

One process lays a segment out and writes it; others map it read-only, at any time, and leave no trace in it. The name
is removed when the writer closes or exits, and after a crash by the next start's ``sweep``. The first word of a segment
is its magic number, stored last: while it is 0, the segment is being laid out.
"""

import fcntl
import mmap
import os
import re
import weakref
from typing import Any

DIRECTORY = "/dev/shm"
BYTES_MAX = 1 << 32

_PART = re.compile(r"[a-z][a-z0-9._]{0,63}")
_NAME = re.compile(r"(?P<prefix>[a-z][a-z0-9._]{0,63})-(?P<pid>[0-9]+)-(?P<label>[a-z][a-z0-9._]{0,63})")


def pid_of(name: str) -> int:
    """The process that wrote a segment. Raises ValueError for a name that is none of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a segment")
    return int(match["pid"])


def segments(prefix: str, directory: str = DIRECTORY) -> list[str]:
    """Names of the segments of a prefix, sorted; some may be left over from a crash."""
    if not os.path.isdir(directory):
        return []
    found = (_NAME.fullmatch(name) for name in os.listdir(directory))
    return sorted(match[0] for match in found if match and match["prefix"] == prefix)


def sweep(prefix: str, directory: str = DIRECTORY) -> list[str]:
    """Remove segments of a prefix whose writers are dead; returns their names. For the start of an instance."""
    removed = []
    for name in segments(prefix, directory):
        path = os.path.join(directory, name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # rule-ok: shared memory is a file
        except FileNotFoundError:
            continue  # another start swept it first
        try:
            if orphaned(fd, pid_of(name)):
                os.unlink(path)
                removed.append(name)
        finally:
            os.close(fd)
    return removed


def orphaned(fd: int, pid: int) -> bool:
    """Whether the writer of an open segment is gone; its lock outlives a reused process id, but not its death."""
    if not _alive(pid):
        return True
    if os.pread(fd, 8, 0) in (b"", bytes(8)):
        return False  # another process is laying it out just now
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


def create(
    owner: object, prefix: str, label: str, size: int, directory: str = DIRECTORY
) -> tuple[str, mmap.mmap, "weakref.finalize[..., Any]"]:
    """Path and mapping of a new segment of zeros, and what removes it, also when ``owner`` is collected.

    Raises ValueError for a name or size out of bounds, FileExistsError where a segment of this process id is left over
    (``sweep`` first) and OSError where shared memory is full: all of it is reserved here, so that writing cannot fail.
    """
    if not _PART.fullmatch(prefix) or not _PART.fullmatch(label):
        raise ValueError(f"segment name {prefix!r}, {label!r}: give a lower case letter, then digits, '.', '_' too")
    if size > BYTES_MAX:
        raise ValueError(f"a segment of {size} bytes is above the limit of {BYTES_MAX}")
    path = os.path.join(directory, f"{prefix}-{os.getpid()}-{label}")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)  # rule-ok: shared memory is a file
    remove = weakref.finalize(owner, _remove, path, fd, os.getpid())
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError as error:
            raise OSError(error.errno, f"{size} bytes of shared memory: {error.strerror}", path) from None
        # Populated, so that the first use takes no page faults.
        memory = mmap.mmap(fd, size, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ | mmap.PROT_WRITE)
    except BaseException:
        remove()
        raise
    return path, memory, remove


def attach(name: str, least: int, directory: str = DIRECTORY) -> tuple[str, mmap.mmap, int]:
    """Path, read-only mapping and descriptor of a segment of at least so many bytes; the caller closes the descriptor.

    Raises FileNotFoundError where there is none of this name, ValueError where it is not laid out yet.
    """
    pid_of(name)
    path = os.path.join(directory, name)
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # rule-ok: shared memory is a file
    try:
        size = os.fstat(fd).st_size
        if size < least:
            raise ValueError(f"segment {name}: not laid out yet; try again")
        return path, mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ), fd
    except BaseException:
        os.close(fd)
        raise


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: str, fd: int, pid: int) -> None:
    """Unlink a segment and let its lock go; a forked child has the object too, but not the right."""
    if os.getpid() == pid:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return  # someone cleaned up; the name is free, which is all that is wanted
        finally:
            os.close(fd)
