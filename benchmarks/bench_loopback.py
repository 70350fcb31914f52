"""Tick to request over a loopback websocket, both ends spinning, against the picows echo; plain and over TLS."""

import pytest

from benchmarks.conftest import Race
from benchmarks.recorded import session
from engine.bench.loopback import Loopback, Rig

ROUNDS = 9


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_loopback(race: Race, tls: bool) -> None:
    with Rig(session(60 if race.smoke else 300)) as rig:
        if not rig.parallel and not race.smoke:
            pytest.skip("one processor: both ends cannot spin")

        def run() -> Loopback:
            return rig.measure(not race.smoke, 1 if race.smoke else ROUNDS, tls=tls)

        found = race.once(run)
    assert found.core.n > 20
    if not race.smoke:
        race.judge("loopback.tls" if tls else "loopback.spinning", found.core, found.echo, "picows echo")
