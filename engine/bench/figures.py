"""Figures of a measurement: percentiles over rounds, ratios of two things measured in turn, and verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

PERCENTILES = (50.0, 99.0, 99.9)


@dataclass(slots=True)
class Rounds:
    """Latencies in ns of one thing, round by round.

    Each percentile is that of the round in which it was smallest: noise of a shared machine only ever adds, and it
    does not last over every round.
    """

    rounds: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def add(self, values_ns: npt.NDArray[np.int64]) -> None:
        """One more round. Raises ValueError for an empty one."""
        if values_ns.size == 0:
            raise ValueError("a round without a value")
        self.rounds.append(values_ns.copy())

    def best(self, percentile: float) -> float:
        """The smallest of the rounds' percentiles, ns."""
        return min(float(np.percentile(values, percentile)) for values in self.rounds)

    def typical(self, percentile: float) -> float:
        """The percentile over the items of each one's median over the rounds, ns; every round holds the same items.

        An item that is slow by itself is slow in every round; one that was disturbed is not.
        """
        return float(np.percentile(np.median(np.stack(self.rounds), axis=0), percentile))

    @property
    def n(self) -> int:
        """Values in all rounds."""
        return sum(values.size for values in self.rounds)

    def as_dict(self) -> dict[str, Any]:
        """``p50``, ``p99``, ``p999`` of the best rounds in ns, and ``n``."""
        p50, p99, p999 = (round(self.best(p), 1) for p in PERCENTILES)
        return {"p50": p50, "p99": p99, "p999": p999, "n": self.n}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, against what, and what was to be reached.

    ``ratio`` is p50 over the reference's p50 of the same run; ``goal`` says in words what ``ok`` judges. None: no such
    thing.
    """

    name: str
    figures: Rounds
    reference: str | None = None
    ratio: float | None = None
    goal: str = ""
    ok: bool | None = None

    @property
    def verdict(self) -> str:
        """``ok``, ``missed``, or nothing where there is no goal."""
        return {True: "ok", False: "missed", None: ""}[self.ok]


def ratio(measured: Rounds, reference: Rounds, percentile: float = 50.0) -> float:
    """A percentile of the best round over that of the reference's best round."""
    return measured.best(percentile) / reference.best(percentile)


def table(rows: Sequence[Row]) -> str:
    """The rows as text, times in microseconds."""
    head = f"{'':<34}{'p50 us':>9}{'p99 us':>9}{'p99.9 us':>10}{'n':>9}"
    lines = [f"{head}  {'ratio':>6}  {'to':<22}{'goal':<24}verdict"]
    for row in rows:
        p50, p99, p999 = (row.figures.best(p) / 1000 for p in PERCENTILES)
        shown = "" if row.ratio is None else f"{row.ratio:.3f}"
        lines.append(
            f"{row.name:<34}{p50:>9.2f}{p99:>9.2f}{p999:>10.2f}{row.figures.n:>9}  {shown:>6}  "
            f"{row.reference or '':<22}{row.goal:<24}{row.verdict}".rstrip()
        )
    return "\n".join(lines)
