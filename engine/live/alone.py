"""One quoter an account: two would quote against each other and each cancel what the other believes to be live.

A lock of the operating system on a small file in the data directory; it ends with the process, however that ends.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.live.places import made


class AlreadyRunning(RuntimeError):
    """Another process quotes with this key at this address; the message names it."""


@contextmanager
def alone(directory: Path, url: str, key_id: str) -> Iterator[None]:
    """Hold the lock of ``key_id`` at ``url`` until the block ends.

    Raises ``AlreadyRunning`` where another process holds it, ``OSError`` where ``directory`` cannot be made or written.
    """
    path = made(directory) / f"running-{hashlib.sha256(f'{url} {key_id}'.encode()).hexdigest()[:16]}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise AlreadyRunning(
                f"a quoter (process {owner}) already runs at {url} with key {key_id}: stop it first ({path})"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
