"""The state of a live run as other processes see it: one JSON object in shared memory, renewed twice a second.

The segment is ``quoter.board-PID-status``, a ring of two records, so that a reader never sees half of one and never
makes the quoter wait. It goes when the run ends, and after a crash when the next one starts.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from kernels.ring import RingReader, RingWriter
from kernels.segment import segments, sweep

PREFIX = "quoter.board"
LABEL = "status"
RECORD_BYTES = 65_536
PERIOD_S = 0.5


class Board:
    """The writing end. Without shared memory it shows nothing, and ``note`` is told."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._ring: RingWriter | None = None
        try:
            sweep(PREFIX)
            self._ring = RingWriter(PREFIX, LABEL, 2, RECORD_BYTES)
        except OSError as error:
            note(f"note: `quoter top` cannot see this run: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ring is not None:
            self._ring.close()

    def publish(self, report: Mapping[str, Any], now_ns: int) -> None:
        """Show a report, as of ``now_ns``; one too large is shown without what is known of each instrument."""
        if self._ring is None:
            return
        text = _text({**report, "at_ns": now_ns})
        if len(text) > RECORD_BYTES:
            text = _text({**report, "at_ns": now_ns, "instruments": {}, "cut": True})
        if len(text) <= RECORD_BYTES:
            self._ring.push(text.ljust(RECORD_BYTES, b" "))


def _text(report: Mapping[str, Any]) -> bytes:
    return json.dumps(_plain(report), allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """Without what JSON has no word for."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


class BoardReader:
    """A reading end. Raises FileNotFoundError where there is no such segment."""

    def __init__(self, name: str) -> None:
        self._ring = RingReader(name, RECORD_BYTES)

    def read(self) -> dict[str, Any] | None:
        """The newest report, with ``at_ns``; None before the first."""
        record = self._ring.latest()
        if record is None:
            return None
        report: dict[str, Any] = json.loads(np.asarray(record).tobytes())
        return report

    @property
    def alive(self) -> bool:
        """Whether the quoter still runs."""
        return self._ring.writer_alive()


def running() -> list[str]:
    """Segments of the quoters that run."""
    found = []
    for name in segments(PREFIX):
        try:
            if BoardReader(name).alive:
                found.append(name)
        except (FileNotFoundError, ValueError):
            continue  # it has just ended, or is just beginning
    return found
