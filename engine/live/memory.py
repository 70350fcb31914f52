"""Memory of this process against its budget: what has used it up ends in order, before the kernel ends it (R4)."""

import os
from collections.abc import Callable
from pathlib import Path

LOOKS = 10
"""One look in so many calls, which come ten times a second."""


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class MemoryBudget:
    """``bytes_max``: 0 for no budget. ``used``: what is measured, in bytes."""

    def __init__(self, bytes_max: int, used: Callable[[], int] = resident_bytes) -> None:
        self._bytes_max = bytes_max
        self._used = used
        self._calls = 0

    def problem(self) -> str | None:
        """That the budget is used up, with both numbers; None while it is not."""
        self._calls += 1
        if not self._bytes_max or self._calls % LOOKS:
            return None
        used = self._used()
        if used <= self._bytes_max:
            return None
        return f"{used / 1e6:.0f} MB of memory in use, connection.max_memory_mb is {self._bytes_max / 1e6:.0f}"
