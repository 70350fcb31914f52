"""The whole step, tick to request bytes, on a recorded session, against orjson and one njit call; and its blocks."""

import pytest

from benchmarks.conftest import ROUNDS, Race
from benchmarks.recorded import session
from engine.bench import in_process, tapes


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_step(race: Race, mode: tapes.Mode) -> None:
    made = session(60 if race.smoke else 1_000, mode)
    found = race.once(lambda: in_process.run(made, 1 if race.smoke else ROUNDS))
    assert found.tick.n > 20
    if not race.smoke:
        race.judge(f"step.{mode}", found.tick, found.orjson_njit, "orjson+njit+orjson")


def test_blocks(race: Race) -> None:
    made = session(60 if race.smoke else 1_000)
    kept, messages = race.once(lambda: in_process.blocks(made, 100 if race.smoke else 100_000))
    assert kept == 0 and messages >= 100
