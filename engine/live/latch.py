"""HALTED on disk: one small file a network, which every later start reads before it connects.

It is written before any running quoter is asked, so a quoter that starts in that moment either reads it or is asked.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.live.places import made

NAME = "halted.json"


@dataclass(frozen=True, slots=True)
class Latched:
    """Why and since when (UTC, ISO 8601) nothing is quoted on a network."""

    reason: str
    since: str


def read(directory: Path) -> Latched | None:
    """What is latched, None when nothing is. A file that cannot be understood counts as a halt."""
    try:
        text = (directory / NAME).read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        return Latched(f"{directory / NAME} cannot be read: {error}", "")
    try:
        told = json.loads(text)
        return Latched(str(told["reason"]), str(told["since"]))
    except (ValueError, KeyError, TypeError):
        return Latched(f"{directory / NAME} is damaged", "")


def write(directory: Path, reason: str) -> Latched:
    """Latch; what was latched before stays. Raises ``OSError``."""
    if (before := read(directory)) is not None:
        return before
    told = Latched(reason, datetime.now(UTC).isoformat(timespec="seconds"))
    part = made(directory) / f"{NAME}.{os.getpid()}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"reason": told.reason, "since": told.since}, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, directory / NAME)
    return told


def clear(directory: Path) -> bool:
    """Take the latch off; False when there was none."""
    try:
        (directory / NAME).unlink()
    except FileNotFoundError:
        return False
    return True
