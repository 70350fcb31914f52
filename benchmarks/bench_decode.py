"""Frames to records by the fast decoder, against orjson.loads of the same frames."""

import orjson
import pytest

from benchmarks.conftest import Race
from benchmarks.recorded import frame, session

N = {"ticker": 500, "lwt": 500, "book": 500, "session": 50, "reply": 500}


@pytest.mark.parametrize("kind", N)
def test_decode(race: Race, kind: str) -> None:
    data, decoder, n = frame(kind), session(60).core().decoder, 1 if race.smoke else N[kind]
    race(f"decode.{kind}", lambda: decoder.repeat(data, n), lambda: orjson.loads(data), "orjson.loads", ops=n)
