"""What the waterfall costs a tick, until its request has left and until the core is done; without it, in turn."""

from benchmarks.conftest import ROUNDS, Race
from benchmarks.recorded import session
from engine.bench import in_process


def test_waterfall(race: Race) -> None:
    made = session(60 if race.smoke else 1_000)
    found = race.once(lambda: in_process.run(made, 1 if race.smoke else ROUNDS))
    assert found.tick.n == found.unstamped.n > 20
    if not race.smoke:
        race.judge("waterfall.tick", found.tick, found.unstamped, "without the waterfall")
        race.judge("waterfall.done", found.busy, found.unstamped_busy, "without the waterfall")
