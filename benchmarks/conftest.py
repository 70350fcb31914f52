"""Ratios against the committed baseline: measured in turn, judged at the end, printed as one table.

Plain pytest runs every benchmark once on tiny inputs and judges nothing. ``make bench`` measures; a ratio above its
baseline by more than its tolerance fails. ``--write-baseline`` keeps what was measured as the new baseline.

Most references run in Python, so the baseline belongs to an interpreter: with another one ratios are told, not judged.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from engine.bench.figures import Rounds, Row, ratio, table

Result = TypeVar("Result")
BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.15
ROUNDS = 15
SAMPLES = 40
ROWS = pytest.StashKey[list[tuple[str, Row]]]()
LINES = pytest.StashKey[list[str]]()
"""What is told under the table."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-baseline", action="store_true", help="keep the ratios measured as the new baseline")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # The project's own default is a smoke test; who asks for benchmarks only wants them measured.
    if config.option.benchmark_only:
        config.option.benchmark_disable = False
    config.stash[ROWS] = []
    config.stash[LINES] = []


def interpreter() -> str:
    """What the references run in; one may be a quarter quicker than another of the same language version."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def kept_for() -> str:
    """The interpreter of the baseline."""
    return str(json.loads(BASELINE.read_text())["interpreter"])


def baseline() -> dict[str, dict[str, float]]:
    """Ratio and tolerance by name; none where the baseline is of another interpreter."""
    if kept_for() != interpreter():
        return {}
    entries: dict[str, dict[str, float]] = json.loads(BASELINE.read_text())["ratios"]
    return entries


class Race:
    """Measures ours and theirs in turn and judges the ratio of the medians of the best rounds."""

    def __init__(self, config: pytest.Config, benchmark: Any) -> None:
        self._config = config
        self._benchmark = benchmark
        self.smoke = bool(benchmark.disabled)

    def __call__(
        self,
        name: str,
        ours: Callable[[], object],
        theirs: Callable[[], object],
        reference: str,
        *,
        ops: int = 1,
        their_ops: int = 1,
        samples: int = SAMPLES,
    ) -> None:
        """``ours`` does ``ops`` operations a call, ``theirs`` ``their_ops``; ``samples`` calls of each a round."""
        self._benchmark(ours)
        theirs()
        if self.smoke:
            return
        measured, against = Rounds(), Rounds()
        for _ in range(ROUNDS):
            measured.add(_samples(ours, ops, samples))
            against.add(_samples(theirs, their_ops, samples))
        self.judge(name, measured, against, reference)

    def once(self, run: Callable[[], Result]) -> Result:
        """Something that measures itself: run once, and shown by pytest-benchmark as a whole."""
        result: Result = self._benchmark.pedantic(run, rounds=1)
        return result

    def tell(self, line: str) -> None:
        """A line under the table."""
        self._config.stash[LINES].append(line)

    def judge(self, name: str, measured: Rounds, against: Rounds, reference: str, percentile: float = 50.0) -> None:
        """Compare a ratio of the best rounds' percentiles with the baseline."""
        got = ratio(measured, against, percentile)
        self._benchmark.extra_info.update(ratio=got, reference=reference)
        entry = baseline().get(name)
        limit = None if entry is None else entry["ratio"] * (1 + entry["tolerance"])
        ok = limit is None or got <= limit or bool(self._config.getoption("write_baseline"))
        goal = "no baseline" if entry is None else f"{entry['ratio']:.4g} +{entry['tolerance']:.0%}"
        self._config.stash[ROWS].append((name, Row(name, measured, reference, got, goal, ok)))
        assert ok, f"{name}: {got:.4g} of {reference}, baseline {goal}"


def _samples(call: Callable[[], object], ops: int, samples: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """ns an operation, of each of a round's calls."""
    clock = time.perf_counter_ns
    took = []
    for _ in range(samples):
        begin = clock()
        call()
        took.append((clock() - begin) / ops)
    return np.array(took)


@pytest.fixture
def race(request: pytest.FixtureRequest, benchmark: Any) -> Race:
    return Race(request.config, benchmark)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash[ROWS]
    if config.option.benchmark_disable and not config.option.benchmark_enable:
        return
    for line in config.stash[LINES]:
        terminalreporter.write_line(line)
    if not rows:
        return
    terminalreporter.write_sep("=", "ratios to references of the same run")
    terminalreporter.write_line(table([row for _, row in rows]))
    if kept_for() != interpreter():
        terminalreporter.write_line(
            f"not judged: the baseline is of {kept_for()}, this is {interpreter()}; --write-baseline keeps one for it"
        )
    if config.getoption("write_baseline"):
        known = baseline()
        for name, row in rows:
            tolerance = known.get(name, {}).get("tolerance", TOLERANCE)
            known[name] = {"ratio": round(row.ratio or 0.0, 5), "tolerance": tolerance}
        told = {"interpreter": interpreter(), "ratios": dict(sorted(known.items()))}
        BASELINE.write_text(json.dumps(told, indent=2) + "\n")
