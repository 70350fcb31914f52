"""Seeds of the fault simulation, checkers included, against printing and parsing as many tickers."""

import orjson

from benchmarks.conftest import Race
from benchmarks.recorded import frame
from engine.sim.campaign import run
from engine.sim.options import draw

SEEDS = 2
EVENTS = 200
ROUND_TRIPS = 2_000


def test_simulation(race: Race) -> None:
    options = [draw(seed, 20 if race.smoke else EVENTS) for seed in range(1, 2 if race.smoke else 1 + SEEDS)]
    ticker = frame("ticker")

    def ours() -> None:
        for chosen in options:
            assert run(chosen).failure is None

    def theirs() -> None:
        for _ in range(ROUND_TRIPS):
            orjson.dumps(orjson.loads(ticker))

    race("simulation.seed", ours, theirs, f"{ROUND_TRIPS} orjson round trips", ops=len(options), samples=3)
