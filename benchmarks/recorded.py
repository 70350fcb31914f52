"""Recorded sessions that the benchmarks share: each is made once a process."""

from functools import cache

from engine.bench import tapes
from engine.sim.tape import Act


@cache
def session(ticks: int, mode: tapes.Mode = "mass_quote") -> tapes.Session:
    return tapes.moving(ticks, mode)


@cache
def frame(kind: str) -> bytes:
    """A usual frame of a kind: the one of median size once quotes rest."""
    made = session(60)
    inputs = made.tape.inputs[made.live_at :]
    frames = [entry.data for entry in inputs if entry.act is Act.MESSAGE and tapes.kind_of(entry.data) == kind]
    return sorted(frames, key=len)[len(frames) // 2]
