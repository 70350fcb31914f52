"""The journal of a live run: opened before the core is told anything, closed after it was told the last."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from engine.core.step import Core
from engine.live.plan import LivePlan
from engine.live.recorded import RecordedCore
from feed.journal_process import JournalOptions, JournalProcess
from feed.tap import Tap


class RunJournal:
    """``core``: what the live loop drives. ``tap``: what the connection's messages go to."""

    def __init__(self, process: JournalProcess, core: Core, now_ns: int, labels: dict[str, Any]) -> None:
        self._process = process
        self._problem: str | None = None
        self.tap = Tap(core, process.ring)
        self.core = RecordedCore(core, self.tap, now_ns, {**labels, "utc": datetime.now(UTC).isoformat()})

    def problem(self) -> str | None:
        """Why recording has failed; None while it works."""
        self._problem = self._problem or self._process.problem()
        return self._problem

    def end(self, reason: str, now_ns: int) -> None:
        """The last record."""
        self.core.end(reason, now_ns)

    def close(self) -> str | None:
        """Wait until everything is written; why it could not be, or None."""
        self._problem = self._process.close() or self._problem
        return self._problem

    def summary(self) -> dict[str, Any]:
        """For the report."""
        return {**self._process.summary(), "problem": self._problem}


def opened(plan: LivePlan, note: Callable[[str], None]) -> JournalProcess | None:
    """Start the writer. None: the configuration wants no journal, or a local run has no place for one.

    Raises ``OSError`` where the directory that was asked for cannot be written.
    """
    if plan.journal_directory is None:
        return None
    options = JournalOptions(plan.journal_directory, plan.journal_segment_bytes, plan.journal_retain_bytes)
    try:
        return JournalProcess(options)
    except OSError as error:
        if plan.network != "local" or plan.journal_given:
            raise OSError(f"no journal can be written: {error}: give --journal DIR, or --journal off") from error
        note(f"note: no journal is written: {error}")
        return None
