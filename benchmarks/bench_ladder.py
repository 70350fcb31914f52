"""Prices and sizes of a ladder by the compiled kernels, in one compiled loop, against rational arithmetic in Python."""

from fractions import Fraction
from typing import Any

import numpy as np

from benchmarks.conftest import Race
from kernels import ladder, sizing
from kernels.kernel import Record, i8, kernel, model_record, target_record
from kernels.records import MODEL, TARGET
from tests.reference import quoting

N = 1_000
LEVELS = 5
WANTED_LOTS = 40


@kernel(i8(target_record, model_record, i8))
def repeat_ladder(target: Record, model: Record, n: int) -> int:
    """Both sides ``n`` times around a moving reservation price; the sum of the innermost prices and counts."""
    total = 0
    for i in range(n):
        centre = 60_000.25 + (i & 15)
        bid, ask = ladder.best_quotes(centre, 6.5, 6.5, 2, 400, 59_990 + (i & 15), 60_010 + (i & 15), 1)
        factor = sizing.size_factor(float(i & 63), 100.0, 1, 1.0)
        total += ladder.write_bids(target, model, bid, factor, 150) + bid
        total += ladder.write_asks(target, model, ask, 1.0, 150) + ask
    return total


def records() -> tuple[Any, Any]:
    model, target = np.zeros(1, MODEL)[0], np.zeros(1, TARGET)[0]
    model["levels"], model["spacing_ticks"], model["min_lots"] = LEVELS, 3, 1
    model["level_lots"][:LEVELS] = WANTED_LOTS
    return target, model


def python_ladder(n: int) -> int:
    total, half = 0, Fraction(13, 2)
    for i in range(n):
        centre = Fraction(240_001, 4) + (i & 15)
        best_bid, best_ask = 59_990 + (i & 15), 60_010 + (i & 15)
        bid, ask = quoting.best(centre - half, centre + half, 2, 400, best_bid, best_ask, True)
        factor = quoting.factor(Fraction(i & 63), Fraction(100))
        for best, faded in ((bid, factor), (ask, Fraction(1))):
            total += best + sum(lots > 0 for lots in quoting.sizes([WANTED_LOTS] * LEVELS, faded, 150, 1))
    return total


def test_ladder(race: Race) -> None:
    (target, model), n = records(), 2 if race.smoke else N
    assert repeat_ladder(target, model, 64) == python_ladder(64)
    race(
        "ladder.both_sides",
        lambda: repeat_ladder(target, model, n),
        lambda: python_ladder(2),
        "plain Python fractions",
        ops=n,
        their_ops=2,
    )
