"""How long a start took: from the beginning of the process, as the kernel counts it, to what was reached."""

import os
from pathlib import Path

from engine.live.clock import now_ns


class Start:
    """Seconds from the beginning of this process to each mark, to the kernel's clock tick (10 ms)."""

    def __init__(self) -> None:
        self._began_ns = began_ns()
        self.seconds: dict[str, float | None] = {"ready": None, "first_quote": None}

    def mark(self, name: str) -> None:
        """It is reached now; the first time counts."""
        if self.seconds[name] is None:
            self.seconds[name] = round((now_ns() - self._began_ns) / 1e9, 3)


def began_ns() -> int:
    """When this process began, on the clock of ``now_ns``."""
    # The command's name may hold spaces and brackets: fields are counted behind its last bracket.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
