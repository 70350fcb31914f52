"""Changes of a book of up to 200 levels a side and its best prices, against sorted lists in plain Python."""

from bisect import bisect_left
from random import Random

from benchmarks.conftest import Race
from kernels.book import Book

CHANGES = 2_000
LEVELS = 200
MID_TICKS = 60_000


class Lists:
    """Each side as sorted prices and a dict of sizes."""

    def __init__(self) -> None:
        self.prices: dict[bool, list[int]] = {True: [], False: []}
        self.lots: dict[bool, dict[int, int]] = {True: {}, False: {}}

    def apply(self, bid: bool, ticks: int, lots: int) -> None:
        prices, sizes = self.prices[bid], self.lots[bid]
        if lots == 0:
            del sizes[ticks]
            del prices[bisect_left(prices, ticks)]
            return
        if ticks not in sizes:
            prices.insert(bisect_left(prices, ticks), ticks)
        sizes[ticks] = lots

    def best(self, bid: bool) -> tuple[int, int]:
        ticks = self.prices[bid][-1 if bid else 0]
        return ticks, self.lots[bid][ticks]


def script(changes: int) -> list[tuple[bool, int, int]]:
    """Levels that come, change and go; most of them near the best price."""
    random, there = Random(1), {True: set[int](), False: set[int]()}
    result = []
    for _ in range(changes):
        bid = random.random() < 0.5
        away = min(int(random.expovariate(0.1)), LEVELS) + 1
        ticks = MID_TICKS - away if bid else MID_TICKS + away
        lots = 0 if ticks in there[bid] and random.random() < 0.4 else random.randint(1, 999)
        (there[bid].discard if lots == 0 else there[bid].add)(ticks)
        result.append((bid, ticks, lots))
    return result


def run(book: Book | Lists, changes: list[tuple[bool, int, int]]) -> tuple[object, object]:
    for bid, ticks, lots in changes:
        book.apply(bid, ticks, lots)
    return book.best(True), book.best(False)


def test_book(race: Race) -> None:
    changes = script(50 if race.smoke else CHANGES)
    n = len(changes)
    assert run(Book(), changes) == run(Lists(), changes)
    race(
        "book.apply",
        lambda: run(Book(), changes),
        lambda: run(Lists(), changes),
        "bisect and dict",
        ops=n,
        their_ops=n,
    )
