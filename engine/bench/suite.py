"""All of ``quoter bench``: what is measured, the goals, one object and one table."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.bench import in_process, machine, tapes
from engine.bench.figures import Row, ratio, table

IN_PROCESS_RATIO_MAX = 0.15
IN_PROCESS_P999_NS_MAX = 2_000
BLOCKS_MESSAGES = 100_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    ticks: int
    rounds: int
    blocks_messages: int = BLOCKS_MESSAGES


FULL = Size(ticks=2_000, rounds=9)
QUICK = Size(ticks=400, rounds=3)


@dataclass(slots=True)
class Result:
    """Everything found: rows for people, the object for machines."""

    rows: list[Row] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every goal was reached."""
        return all(row.ok is not False for row in self.rows)

    def text(self) -> str:
        """The table and the facts under it."""
        report = self.report
        where = report["machine"]
        versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
        return "\n".join(
            [
                table(self.rows),
                "",
                f"allocated blocks: {report['blocks']['kept']} kept over {report['blocks']['messages']} messages",
                f"clock: {report['clock_ns']} ns of every figure in process",
                f"machine: {where['cpu']}, {where['cpus']} usable, load {where['load']}, {where['system']}",
                f"build: {where['build']}, Python {where['python']}, {versions}",
            ]
        )


def steps(size: Size) -> int:
    """How often ``progress`` will be called."""
    return 2 + size.rounds


def run(size: Size, progress: Callable[[str], None] = lambda doing: None) -> Result:
    """Measure everything. ``progress``: told what begins."""
    result = Result()
    progress("recording a session")
    session = tapes.moving(size.ticks)
    _in_process(session, size, result, progress)
    result.report["machine"] = machine.facts()
    return result


def _in_process(session: tapes.Session, size: Size, result: Result, progress: Callable[[str], None]) -> None:
    found = in_process.run(session, size.rounds, lambda: progress("in process"))
    progress("counting blocks")
    kept, messages = in_process.blocks(session, size.blocks_messages)
    to_orjson, to_plain = ratio(found.tick, found.orjson_njit), ratio(found.tick, found.plain)
    p999 = found.tick.best(99.9)
    reached = to_orjson <= IN_PROCESS_RATIO_MAX and p999 <= IN_PROCESS_P999_NS_MAX and kept == 0
    goal = f"<= {IN_PROCESS_RATIO_MAX}, p99.9 <= {IN_PROCESS_P999_NS_MAX / 1000:g} us"
    result.rows += [
        Row("tick to request bytes, in process", found.tick, "orjson+njit+orjson", to_orjson, goal, reached),
        Row("  orjson + njit + orjson", found.orjson_njit),
        Row("  json + plain Python", found.plain, "orjson+njit+orjson", ratio(found.plain, found.orjson_njit)),
        *(Row(f"  unanswered {kind}", figures) for kind, figures in found.unanswered.items() if figures.rounds),
    ]
    result.report |= {
        "ratios": {"in_process_vs_orjson_njit": to_orjson, "in_process_vs_plain_python": to_plain},
        "blocks_per_tick": kept / messages,
        "blocks": {"kept": kept, "messages": messages},
        "clock_ns": found.clock_ns,
        "latency_ns": {
            "tick_to_request": found.tick.as_dict(),
            "orjson_njit": found.orjson_njit.as_dict(),
            "plain_python": found.plain.as_dict(),
            "unanswered": {kind: figures.as_dict() for kind, figures in found.unanswered.items() if figures.rounds},
        },
    }
