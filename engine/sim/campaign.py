"""Many simulated runs: seeds over processes, the canaries, and the proof that a seed repeats itself.

Workers are fresh processes (spawned, never forked), so that nothing of one range of seeds reaches another.
"""

import gc
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.sim.canaries import CANARIES, Canary
from engine.sim.options import CHANCES, FAULTS, RATES, SwarmOptions, draw
from engine.sim.trial import Trial, Verdict

CHUNK = 25
COLLECTED_EVERY = 5
REPEATED_SHARE = 100
"""One seed in so many runs twice, in other processes with another hash seed."""
MARKS: tuple[str, ...] = (
    *(name for name in FAULTS if name != "poor"),
    "live",
    "batches",
    "late report",
    "duplicate fill",
    "unknown reply",
    "venue error",
    "resync",
    "malformed",
    "missed lots",
    "leftover orders",
    "protection fired",
    "protection overshot",
    "book in doubt",
    "reconnect budget",
    "journal: replayed",
    "journal: torn tail",
    "journal: zeros for data",
    "journal: power lost",
    "journal: writer killed",
    "outbox queued",
    "outbox throttles",
    "outbox openings",
    "gate: price collar",
    "cleared by session",
    "post-only move",
    "breach: stop loss",
    "breach: take profit",
    "breach: losses",
    "halt: drawdown",
    "halt: loss",
    "halt: fills:",
    "reduces: margin:",
    "reduces: position",
    "reduces: drawdown",
    "held: all",
    "held: an instrument",
    "resume refused",
    "close: malformed message",
    "close: the venue asked for a new connection",
    "close: a bound was reached: requests unanswered",
)
"""Faults and rare branches that a campaign of some size must reach."""


@dataclass(slots=True)
class Result:
    """What a campaign found. ``failures``: verdicts of the seeds that violated an invariant."""

    seeds: int = 0
    events: int = 0
    simulated_s: float = 0.0
    seconds: float = 0.0
    failures: list[Verdict] = field(default_factory=list)
    marks: Counter[str] = field(default_factory=Counter)
    differing: list[int] = field(default_factory=list)
    """Seeds that did not repeat themselves."""
    differing_in_pieces: list[int] = field(default_factory=list)
    """Seeds that sent something else when their messages came in pieces."""

    @property
    def marks_missed(self) -> list[str]:
        """Marks that no seed reached."""
        return [name for name in MARKS if not self.marks[name]]

    @property
    def seeds_per_minute(self) -> float:
        """Speed over all processes."""
        return self.seeds / self.seconds * 60 if self.seconds else 0.0


def run(options: SwarmOptions, canary: type[Canary] | None = None) -> Verdict:
    """One run."""
    return Trial(options, canary() if canary is not None else None).run()


def run_range(job: tuple[int, int, int]) -> list[Verdict]:
    """Seeds from the first on: (first, how many, events)."""
    first, count, events = job
    with _collecting_between() as collect:
        verdicts = []
        for seed in range(first, first + count):
            verdicts.append(run(draw(seed, events)))
            if (seed - first) % COLLECTED_EVERY == COLLECTED_EVERY - 1:
                collect()
    return verdicts


@contextmanager
def _collecting_between() -> Iterator[Callable[[], object]]:
    """Collect garbage between runs only, and of the runs only: what was there before stays."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield gc.collect
    finally:
        gc.enable()
        gc.unfreeze()


def campaign(
    base: int, seeds: int, events: int, jobs: int, progress: Callable[[int], None] = lambda done: None
) -> Result:
    """Run ``seeds`` seeds from ``base`` on in ``jobs`` processes (1: in this one)."""
    result = Result()
    started = time.perf_counter()
    work = [(first, min(CHUNK, base + seeds - first), events) for first in range(base, base + seeds, CHUNK)]
    digests: dict[int, str] = {}
    for verdicts in _spread(work, jobs):
        for verdict in verdicts:
            result.seeds += 1
            result.events += verdict.events
            result.simulated_s += verdict.at_s
            result.marks += verdict.marks
            digests[verdict.seed] = verdict.digest
            if verdict.failure is not None:
                result.failures.append(verdict)
        progress(len(verdicts))
    result.seconds = time.perf_counter() - started
    result.failures.sort(key=lambda verdict: verdict.seed)
    again = sorted(digests)[:: max(1, min(REPEATED_SHARE, len(digests)))]
    for seed, (digest, in_pieces) in repeat(again, events).items():
        if digest != digests[seed]:
            result.differing.append(seed)
        if in_pieces != digests[seed]:
            result.differing_in_pieces.append(seed)
    return result


def _spread(work: list[tuple[int, int, int]], jobs: int) -> Iterator[list[Verdict]]:
    if jobs <= 1 or len(work) <= 1:
        yield from map(run_range, work)
        return
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(work))) as pool:
        yield from pool.imap_unordered(run_range, work)


def repeat(seeds: Sequence[int], events: int) -> dict[int, list[str]]:
    """Digests of these seeds, and of the same runs with messages in pieces, from a fresh process whose hashes of
    strings are seeded otherwise."""
    if not seeds:
        return {}
    code = (
        "import sys, json; from engine.sim.campaign import digests as d; print(json.dumps(d(json.loads(sys.argv[1]))))"
    )
    environment = os.environ | {"PYTHONHASHSEED": str(1 + seeds[0] % 1000)}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps([events, *seeds])],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return {int(seed): found for seed, found in json.loads(done.stdout).items()}


def digests(job: list[int]) -> dict[int, list[str]]:
    """Digests of each seed after the first member, which says how many events: as it is, and in pieces."""
    events, *seeds = job
    options = {seed: draw(seed, events) for seed in seeds}
    return {seed: [run(one).digest, run(one.in_pieces()).digest] for seed, one in options.items()}


def find_canaries(
    base: int, events: int, progress: Callable[[int], None] = lambda done: None
) -> dict[str, dict[str, Any]]:
    """For each canary the first seed that finds it, counted from 1; None when its bound is passed."""
    found: dict[str, dict[str, Any]] = {}
    for canary in CANARIES:
        verdict = None
        after = 0
        for after in range(1, canary.within + 1):
            verdict = run(draw(base + after - 1, max(events, canary.events)), canary)
            if verdict.failure is not None:
                break
        caught = verdict is not None and verdict.failure is not None
        found[canary.name] = {
            "found_after": after if caught else None,
            "within": canary.within,
            "as": verdict.failure if caught and verdict is not None else None,
        }
        progress(1)
    return found


def shrink(options: SwarmOptions, invariant: int) -> SwarmOptions:
    """The same violation with fewer fault classes, then in a shorter run."""
    for name in (*CHANCES, *RATES):
        if name in options.faults:
            fewer = options.without(name)
            if run(fewer).invariant == invariant:
                options = fewer
    step = options.events // 2
    while step:
        shorter = options.shortened(options.events - step)
        if run(shorter).invariant == invariant:
            options = shorter
        else:
            step //= 2
        step = min(step, options.events - 1)
    return options
