"""The quoter's end of the journal: makes the ring, keeps the writing process alive, says when it cannot be trusted.

Nothing here waits for the disk. Owner thread: the event loop's; ``problem`` is asked now and then and costs
microseconds.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feed.journal_writer import DAMAGED, RING_PREFIX, STATUS
from feed.tap import SLOT_BYTES
from kernels.ring import RingReader, RingWriter
from kernels.segment import sweep

RESTARTS_MAX = 5
"""Of the writer, in a minute: one that keeps dying will not come back by starting it again."""
RESTART_WINDOW_S = 60.0
SILENCE_S_MAX = 20.0
"""A writer that runs and takes nothing of what is there for so long is as good as dead."""
END_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class JournalOptions:
    """``root`` holds a directory a run. ``segment_bytes``: size of a file before compression. ``retain_bytes``: the
    oldest runs go when all together have more. ``ring_slots``: of 512 bytes, a power of two; 20 seconds of a busy
    market."""

    root: Path
    segment_bytes: int = 16 << 20
    retain_bytes: int = 2 << 30
    ring_slots: int = 1 << 15


class JournalProcess:
    """A ring and the process that empties it. Raises ``OSError`` where the directory cannot be made or written."""

    def __init__(self, options: JournalOptions) -> None:
        self._options = options
        options.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(RING_PREFIX)
        self.directory = options.root / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}"
        self.directory.mkdir(mode=0o700)
        self.ring = RingWriter(RING_PREFIX, _label(), options.ring_slots, SLOT_BYTES)
        self.restarts = 0
        self._closed = False
        self._failure: str | None = None
        self._starts: list[float] = []
        self._status: RingReader | None = None
        self._told: dict[str, int] = {name: 0 for name in STATUS.names or ()}
        self._waits_s: float | None = None  # when records were first seen that the writer has not moved since
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the writer
        self._child = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        options = self._options
        command = [sys.executable, "-m", "feed.journal_writer", self.ring.name, str(self.directory)]
        command += [str(options.segment_bytes), str(options.retain_bytes)]
        self._starts.append(time.monotonic())
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self._errors, start_new_session=True)

    @property
    def pid(self) -> int:
        """The writer's process id."""
        return self._child.pid

    @property
    def written(self) -> int:
        """Records on their way to the disk and out of this process's hands."""
        return self._look()["sequence"]

    def _look(self) -> dict[str, int]:
        """The writer's latest status; what was told last when there is none now."""
        if self._status is None:
            try:
                self._status = RingReader(f"{RING_PREFIX}-{self._child.pid}-status", STATUS, oldest=True)
            except (OSError, ValueError):  # not there yet, or no descriptor for it now: asked again
                return self._told
        latest = self._status.latest()
        if latest is not None:
            told = {name: int(latest[name][0]) for name in self._told}
            if told != self._told:
                self._told, self._waits_s = told, None
        return self._told

    def problem(self) -> str | None:
        """Why what happens now is not recorded any more; None: it is. Starts a writer that died anew."""
        told = self._look()
        if told["error"]:
            why = "what was written cannot be continued" if told["error"] == DAMAGED else os.strerror(told["error"])
            return f"journal: {why}; {self.directory} ends with record {told['sequence'] - 1}"
        if told["lost"]:
            return f"journal: the ring was overrun, {told['lost']} records are lost"
        if self._child.poll() is not None:
            return self._restart()
        backlog = self.ring.published - told["slots"]
        if backlog > self._options.ring_slots * 3 // 4:
            return f"journal: the writer is {backlog} slots behind, the ring holds {self._options.ring_slots}"
        # Not since it was last asked: nobody asks while a start compiles, or the process is stopped.
        now_s = time.monotonic()
        if backlog == 0 or self._waits_s is None:
            self._waits_s = now_s if backlog else None
        elif now_s - self._waits_s > SILENCE_S_MAX:
            return f"journal: the writer has taken nothing for {SILENCE_S_MAX:g} s"
        return None

    def _restart(self) -> str | None:
        now_s = time.monotonic()
        self._starts = [at_s for at_s in self._starts if now_s - at_s < RESTART_WINDOW_S]
        if len(self._starts) > RESTARTS_MAX:
            return f"journal: its writer died {len(self._starts)} times in a minute: {self._said()}"
        self._status, self._waits_s = None, None
        self.restarts += 1
        try:
            self._child = self._start()
        except OSError as error:
            return f"journal: its writer died and cannot be started again: {error}"
        return None

    def _said(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(100_000).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._child.returncode}"

    def close(self) -> str | None:
        """End in order: everything handed over is written. Returns why it could not be, or None; a second call too."""
        if not self._closed:
            self._closed = True
            self._failure = self._finish()
        return self._failure

    def _finish(self) -> str | None:
        if self._child.poll() is not None:
            self._restart()
        # Before the ring closes: its name must be there when a writer that was just started attaches.
        deadline_s = time.monotonic() + END_S_MAX
        while self._look()["slots"] < self.ring.published and self._child.poll() is None:
            if time.monotonic() > deadline_s or self._told["error"]:
                break
            time.sleep(0.002)
        self.ring.close()
        try:
            status = self._child.wait(max(deadline_s - time.monotonic(), 1.0))
        except subprocess.TimeoutExpired:
            return f"journal: its writer (process {self._child.pid}) has not finished within {END_S_MAX:g} s"
        finally:
            self._look()
        if status or self._told["slots"] < self.ring.published:
            return self.problem() or f"journal: its writer ended with status {status}: {self._said()}"
        return None

    def summary(self) -> dict[str, Any]:
        """For a run's report: where it is, and how many records it holds."""
        told = self._look()
        return {"directory": str(self.directory), "records": told["sequence"], "restarts": self.restarts}


_made = 0


def _label() -> str:
    """A name for the ring that no other journal of this process has."""
    global _made  # noqa: PLW0603 - counts within the process, whoever makes journals
    _made += 1
    return f"records{_made}"
