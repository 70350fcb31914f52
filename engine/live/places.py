"""Where a quoter keeps what outlives it: one directory a network, of this user alone."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path


def data_directory(network: str, environment: Mapping[str, str] = os.environ) -> Path:
    """``thalex-quoter/NETWORK`` under XDG_STATE_HOME or ``~/.local/state``; not made here."""
    home = environment.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "thalex-quoter" / network


def made(directory: Path) -> Path:
    """The directory, this user's alone: made where missing, closed to others where open. Raises ``OSError``."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "belongs to another user", str(directory))
    if found.st_mode & 0o077:
        directory.chmod(0o700)
    return directory
