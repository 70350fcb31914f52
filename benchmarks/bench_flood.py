"""Market data at a rate over loopback into a quoter that quotes: nothing is lost, and no queue grows."""

import pytest

from benchmarks.conftest import LINES, Race
from engine.bench import flood

SECONDS = 10.0


def test_flood(race: Race, request: pytest.FixtureRequest) -> None:
    rate_per_s, seconds = (500.0, 0.5) if race.smoke else (flood.RATE_PER_S, SECONDS)
    found = race.once(lambda: flood.run(rate_per_s, seconds))
    request.config.stash[LINES].extend(("flood:", *found.text().splitlines()))
    told = found.report()
    assert (told["lost"], told["out_of_order"], told["malformed"]) == (0, 0, 0)
    assert told["received"] == rate_per_s * seconds and told["no_order_left"]
    if not race.smoke:
        assert found.ok, found.text()
