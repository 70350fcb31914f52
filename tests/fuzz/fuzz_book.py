"""Long random lives of a book, against the slow twin of its own test."""

import hypothesis.strategies as st
from hypothesis import given

from kernels.book import Book
from tests.kernels.test_book import SlowBook

CHANGE = st.tuples(st.booleans(), st.integers(-1, 90), st.integers(-1, 4))


@given(st.integers(1, 64), st.lists(CHANGE, max_size=400))
def test_book_equals_its_slow_twin(capacity: int, changes: list[tuple[bool, int, int]]) -> None:
    fast, slow = Book(capacity), SlowBook(capacity)
    for bid, ticks, lots in changes:
        assert fast.apply(bid, ticks, lots) == slow.apply(bid, ticks, lots)
    for bid in (True, False):
        assert fast.levels(bid) == slow.levels(bid)
        assert fast.best_of_others(bid, changes and [(t, n) for _, t, n in changes[-5:]]) == slow.best_of_others(
            bid, [(t, n) for _, t, n in changes[-5:]]
        )
    assert fast.total_bid_lots == sum(slow.sides[True].values())
    assert fast.total_ask_lots == sum(slow.sides[False].values())
