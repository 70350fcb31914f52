"""The compiled kernels, called by C pointer as the core calls them, against plain Python."""

from typing import Any

import numpy as np

from benchmarks.conftest import Race
from benchmarks.recorded import session
from engine.bench.harness import Player, repeat_fill, repeat_quote, repeat_volatility
from engine.bench.in_process import live_core
from engine.bench.reference import PlainPython
from engine.bench.tapes import INSTRUMENT
from kernels.kept import addresses
from kernels.records import POSITION
from tests.reference.fifo import Fifo
from tests.reference.volatility import Estimator

N = 1_000
STEP_NS = 100_000_000


def records() -> dict[str, Any]:
    made = session(60)
    player = Player(made.tape)
    core, _ = live_core(made, player)
    player.play(core, made.live_at, player.count)
    return {name: np.array([record]) for name, record in core.instruments[0].records().items()}


def test_quote(race: Race) -> None:
    made, n = records(), 1 if race.smoke else N
    market, model, target = (made[name].ctypes.data for name in ("market", "model", "target"))
    assert repeat_quote(addresses().quote, market, model, target, 1) == 0 and made["target"]["bid_count"][0] == 3
    plain = PlainPython(INSTRUMENT, {name: record[0] for name, record in made.items()})
    race(
        "kernels.quote",
        lambda: repeat_quote(addresses().quote, market, model, target, n),
        lambda: plain.ladder(60_000.0, 60_016.0, 0),
        "plain Python",
        ops=n,
    )


def test_volatility(race: Race) -> None:
    made, n = records(), 1 if race.smoke else N
    twin = Estimator(default=1e-5, floor=1e-7, ceiling=1e-2, span=100.0, least=10, window=256)
    now_ns = [0]

    def theirs() -> None:
        for i in range(100):
            now_ns[0] += STEP_NS
            twin.update(60_000.0 + (i & 7), now_ns[0])

    race(
        "kernels.volatility",
        lambda: repeat_volatility(addresses().volatility, made["volatility"].ctypes.data, 60_000.0, STEP_NS, n),
        theirs,
        "plain Python",
        ops=n,
        their_ops=100,
    )


def test_fill(race: Race) -> None:
    position, twin, n = np.zeros(1, POSITION), Fifo(), 2 if race.smoke else N

    def theirs() -> None:
        for i in range(100):
            twin.fill(5 if i & 1 else -5, 60_000 + (i & 15))

    race(
        "kernels.fill",
        lambda: repeat_fill(addresses().fill, position.ctypes.data, 5, 60_000, n),
        theirs,
        "plain Python",
        ops=n,
        their_ops=100,
    )
    assert position["lots"][0] == 0 and position["fills"][0] > 0
