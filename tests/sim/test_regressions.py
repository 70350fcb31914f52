"""Seeds that once found something must find nothing for ever."""

from pathlib import Path

import pytest

from engine.sim.campaign import run
from engine.sim.options import draw

LINES = [
    line for line in (Path(__file__).parent / "regressions.txt").read_text("utf-8").splitlines() if line[:1].isdigit()
]


@pytest.mark.parametrize("line", LINES)
def test_a_seed_that_once_failed(line: str) -> None:
    seed, events = (int(word) for word in line.split()[:2])
    assert run(draw(seed, events)).failure is None
