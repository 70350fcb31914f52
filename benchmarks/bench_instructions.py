"""Instructions of the pure parts by callgrind against a committed baseline: 1 % more is a regression, noise is none."""

import pytest

from benchmarks import counted, instructions
from benchmarks.conftest import LINES, Race


@pytest.fixture
def lines(request: pytest.FixtureRequest, race: Race) -> list[str]:
    """What is told under the table. Skips, and says why, where nothing can be compared."""
    told = request.config.stash[LINES]
    if not race.smoke and (why := instructions.missing() or instructions.another_build()) is not None:
        told.append(f"instructions are not counted: {why}")
        pytest.skip(why)
    return told


@pytest.mark.timeout(1200)  # callgrind on a busy machine
def test_instructions(race: Race, lines: list[str]) -> None:
    if race.smoke:
        work = instructions.work(n=2, ticks=6)
        done = race.once(lambda: {name: counted.PARTS[name](work) for name in work.names})
        assert done.keys() == instructions.baseline()["counts"].keys() and min(done.values()) > 0
        return
    counts = instructions.compared(race.once(lambda: instructions.count(instructions.work())))
    lines += ["instructions an operation, and those of the baseline:", *map(str, counts)]
    assert [one.name for one in counts if one.slower] == []


def test_a_slowed_kernel_is_caught(race: Race, lines: list[str]) -> None:
    if race.smoke:
        slowed = instructions.slowed(instructions.work(n=2, ticks=6))
        assert race.once(lambda: counted.PARTS["kernels.quote"](slowed)) == 2
        return
    (slow,) = instructions.compared(race.once(lambda: instructions.count(instructions.slowed(instructions.work()))))
    lines += ["a quote kernel slowed by 5 % on purpose, which must be caught:", str(slow)]
    assert slow.slower and slow.change < 0.1
