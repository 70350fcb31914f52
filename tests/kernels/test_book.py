"""The book against a dictionary, through random changes; and the cases a dictionary does not show."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kernels import book as module
from kernels.book import BAD_LEVEL, FULL, LOTS_MAX, OK, UNKNOWN_LEVEL, Book

CAPACITY = 6
TICKS = st.integers(1, 12)
LOTS = st.integers(0, 5)
PAIRS = st.lists(st.tuples(TICKS, st.integers(1, 5)), max_size=CAPACITY + 2)


class SlowBook:
    """The slow twin: one dictionary a side."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.sides: dict[bool, dict[int, int]] = {True: {}, False: {}}

    def apply(self, bid: bool, ticks: int, lots: int) -> int:
        side = self.sides[bid]
        if ticks <= 0 or not 0 <= lots <= LOTS_MAX:
            return BAD_LEVEL
        if lots == 0:
            return OK if side.pop(ticks, None) else UNKNOWN_LEVEL
        if ticks not in side and len(side) == self.capacity:
            return FULL
        side[ticks] = lots
        return OK

    def levels(self, bid: bool) -> list[tuple[int, int]]:
        return sorted(self.sides[bid].items(), reverse=bid)

    def best_of_others(self, bid: bool, own: list[tuple[int, int]]) -> tuple[int, int] | None:
        left = [(t, lots - sum(mine for at, mine in own if at == t)) for t, lots in self.levels(bid)]
        return next(((t, lots) for t, lots in left if lots > 0), None)


class BookMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.book = Book(CAPACITY)
        self.slow = SlowBook(CAPACITY)

    @rule(bid=st.booleans(), ticks=TICKS, lots=LOTS)
    def apply(self, bid: bool, ticks: int, lots: int) -> None:
        assert self.book.apply(bid, ticks, lots) == self.slow.apply(bid, ticks, lots)

    @rule(bid=st.booleans(), ticks=st.integers(-2, 0) | TICKS, lots=st.sampled_from([-1, LOTS_MAX + 1]))
    def refuse(self, bid: bool, ticks: int, lots: int) -> None:
        assert self.book.apply(bid, ticks, lots) == BAD_LEVEL

    @rule(bids=PAIRS, asks=PAIRS)
    def snapshot(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        self.slow = SlowBook(CAPACITY)
        codes = [self.slow.apply(bid, *pair) for bid, pairs in ((True, bids), (False, asks)) for pair in pairs]
        wanted = next((code for code in codes if code != OK), OK)
        assert self.book.snapshot(bids, asks) == wanted
        if wanted != OK:
            self.slow = SlowBook(CAPACITY)

    @rule()
    def clear(self) -> None:
        self.book.clear()
        self.slow = SlowBook(CAPACITY)

    @rule(bid=st.booleans(), own=st.lists(st.tuples(TICKS, LOTS), max_size=8))
    def others(self, bid: bool, own: list[tuple[int, int]]) -> None:
        assert self.book.best_of_others(bid, own) == self.slow.best_of_others(bid, own)

    @invariant()
    def same(self) -> None:
        for bid in (True, False):
            levels = self.slow.levels(bid)
            assert self.book.levels(bid) == levels
            assert self.book.levels(bid, 2) == levels[:2]
            assert self.book.best(bid) == (levels[0] if levels else None)
            assert [self.book.lots_at(bid, t) for t in range(-1, 14)] == [
                self.slow.sides[bid].get(t, 0) for t in range(-1, 14)
            ]
        assert (self.book.bid_levels, self.book.ask_levels) == tuple(len(self.slow.sides[b]) for b in (True, False))
        assert self.book.total_bid_lots == sum(self.slow.sides[True].values())
        assert self.book.total_ask_lots == sum(self.slow.sides[False].values())
        both = self.slow.sides[True] and self.slow.sides[False]
        assert self.book.crossed() == bool(both and max(self.slow.sides[True]) >= min(self.slow.sides[False]))


TestBookMachine = BookMachine.TestCase
TestBookMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 400), st.integers(0, 3)), min_size=100, max_size=600))
def test_deep_book(changes: list[tuple[bool, int, int]]) -> None:
    """Levels far from the touch are found by the galloping search too."""
    fast, slow = Book(400), SlowBook(400)
    for change in changes:
        assert fast.apply(*change) == slow.apply(*change)
    assert fast.levels(True) == slow.levels(True)
    assert fast.levels(False) == slow.levels(False)


def test_every_position_of_a_full_side() -> None:
    for n in range(1, 40):
        for bid in (True, False):
            book = Book(n)
            assert book.snapshot([(2 * t, t) for t in range(1, n + 1)], [(2 * t, t) for t in range(1, n + 1)]) == OK
            for t in range(1, n + 1):
                assert book.lots_at(bid, 2 * t) == t
                assert book.lots_at(bid, 2 * t + 1) == 0
                assert book.apply(bid, 2 * t + 1, 1) == FULL
                assert book.apply(bid, 2 * t + 1, 0) == UNKNOWN_LEVEL
                assert book.apply(bid, 2 * t, 100) == OK
            assert sum(lots for _, lots in book.levels(bid)) == 100 * n


def test_totals_of_the_largest_book_fit() -> None:
    book = Book(module.CAPACITY_MAX)
    assert module.CAPACITY_MAX * LOTS_MAX < 2**63
    assert book.apply(True, 2**63 - 1, LOTS_MAX) == OK
    assert book.apply(False, 2**63 - 1, LOTS_MAX) == OK
    assert book.crossed()
    assert book.apply(True, 2**63 - 1, LOTS_MAX - 1) == OK
    assert book.total_bid_lots == LOTS_MAX - 1


def test_own_orders_share_a_price_and_hide_the_touch() -> None:
    book = Book(8)
    book.snapshot([(100, 5), (99, 4), (98, 3)], [(101, 2)])
    assert book.best_of_others(True, [(100, 2), (100, 2)]) == (100, 1)
    assert book.best_of_others(True, [(100, 2), (100, 3), (99, 1)]) == (99, 3)
    assert book.best_of_others(True, [(100, 9)]) == (99, 4), "an own order that the book does not show yet"
    assert book.best_of_others(False, [(101, 2)]) is None
    assert book.best_of_others(False, []) == (101, 2)
    assert book.levels(True, -1) == []


@pytest.mark.parametrize("capacity", [0, -1, module.CAPACITY_MAX + 1])
def test_capacity_is_bounded(capacity: int) -> None:
    with pytest.raises(ValueError, match="book capacity"):
        Book(capacity)


def test_refused_arguments_leak_nothing_and_change_nothing() -> None:
    book = Book(4)
    book.apply(True, 5, 1)
    with pytest.raises(OverflowError):
        book.apply(True, 2**63, 1)
    with pytest.raises(TypeError):
        book.best_of_others(True, [(1, "x")])  # type: ignore[list-item]
    assert book.levels(True) == [(5, 1)]
