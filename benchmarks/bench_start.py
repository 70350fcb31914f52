"""From the start of the process to its first quote on the local exchange, against importing Numba and NumPy alone.

The journal of the run tells when the first quote left, on a clock that all processes share: that is told with its goal.
Judged is the processor time of the run and all its processes, which stays what it is when others want the processors
too. Cold: no kernel is compiled yet; warm: all of them are kept from the run before.
"""

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.conftest import Race
from engine.bench.figures import Rounds
from feed.journal import Journal, Kind, run_directory
from kernels import cache

ROOT = Path(__file__).resolve().parents[1]
QUOTES = re.compile(rb"private/(?:mass_quote|insert)")
ROUNDS = {"cold": 1, "warm": 5}
GOAL_S = {"cold": 10.0, "warm": 1.0}


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def first_quote_ns(directory: Path, kernels: Path) -> int:
    begin_ns = boot_ns()
    command = [sys.executable, "-m", "engine.cli.main", "run", "--network", "local", "--for", "1s", "--json"]
    done = subprocess.run(
        [*command, "--journal", str(directory)],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(kernels)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    for record in Journal(run_directory(directory)).records():
        if record.kind == Kind.OUTPUT and QUOTES.search(record.data):
            return record.now_ns - begin_ns
    raise AssertionError("the run sent no quote")


def processor_ns() -> int:
    """Processor time of all processes that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1e9)


def imports() -> None:
    subprocess.run([sys.executable, "-c", "import numba, numpy"], check=True)


@pytest.mark.parametrize("how", ["cold", "warm"])
def test_start(race: Race, how: str, tmp_path: Path) -> None:
    if race.smoke and how == "cold":
        pytest.skip("compiling every kernel is no smoke test")
    kernels = cache.root() if race.smoke else tmp_path / "kernels"
    if how == "warm" and not race.smoke:
        first_quote_ns(tmp_path / "before", kernels)
    took, measured, against = Rounds(), Rounds(), Rounds()

    def run() -> None:
        for i in range(1 if race.smoke else ROUNDS[how]):
            begin_ns = processor_ns()
            took.add(np.array([first_quote_ns(tmp_path / str(i), kernels)]))
            between_ns = processor_ns()
            imports()
            measured.add(np.array([between_ns - begin_ns]))
            against.add(np.array([processor_ns() - between_ns]))

    race.once(run)
    assert took.best(50.0) > 0
    race.tell(
        f"{how} start to the first quote: {took.best(50.0) / 1e9:.2f} s (goal {GOAL_S[how]:g}), load "
        f"{os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors"
    )
    if not race.smoke:
        race.judge(f"start.{how}", measured, against, "import numba, numpy")
