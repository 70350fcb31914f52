"""What runs beside the core and must work for it to quote: operator's control, journal, supervisor."""

from dataclasses import dataclass
from typing import Any

from engine.live.control import Control
from engine.live.heart import Heart
from engine.live.memory import MemoryBudget
from engine.live.run_journal import RunJournal
from feed.waterfall import Waterfall


@dataclass(frozen=True, slots=True)
class Beside:
    """``journal`` and ``heart`` are None where the run has none. ``slow_ns``: as of ``Waterfall.look``."""

    control: Control
    journal: RunJournal | None
    heart: Heart | None
    waterfall: Waterfall
    slow_ns: int
    memory: MemoryBudget

    def problem(self, now_ns: int) -> str | None:
        """Called ten times a second: beats, latches, and says what does not work any more; None while all does."""
        self.control.watch()
        self.waterfall.look(now_ns, self.slow_ns)
        problem = None
        if self.heart is not None:
            problem = self.heart.beat(now_ns)
            self.control.supervised(self.heart.unwatched)
        return problem or self.memory.problem() or (None if self.journal is None else self.journal.problem())

    def ended(self, reason: str, now_ns: int) -> dict[str, Any]:
        """Write the journal's last record and wait until all is on disk; the report's part of both."""
        told: dict[str, Any] = {"journal": None, "supervisor": None if self.heart is None else self.heart.summary()}
        if self.journal is not None:
            self.journal.end(reason, now_ns)
            self.journal.close()
            told["journal"] = self.journal.summary()
        return told
