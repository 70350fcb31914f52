"""Made-up depth behind a recorded best: recorded where it was seen, steady where it was not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.backdrop import Backdrop


class Book:
    """One side, kept up by the rows."""

    def __init__(self, buy: bool, levels: int = 4) -> None:
        self.buy = buy
        self.backdrop = Backdrop(levels, gap_ticks=5, lots=7)
        self.shown: dict[int, int] = {}

    def best(self, price: int, lots: int) -> list[tuple[int, int, int]]:
        rows = self.backdrop.rows(self.buy, price, lots)
        for flag, level, amount in rows:
            assert flag == int(self.buy)
            if amount:
                self.shown[level] = amount
            else:
                self.shown.pop(level, None)
        return rows


def test_the_grid_behind_stays_where_it_is_while_the_best_moves() -> None:
    bids = Book(True)
    bids.best(103, 50)
    assert bids.shown == {103: 50, 100: 7, 95: 7, 90: 7, 85: 7}
    assert bids.best(104, 20) == [(1, 104, 20)], "103 was recorded, so it stays"
    assert bids.best(104, 20) == [(1, 104, 20)]
    assert bids.best(102, 9) == [(1, 103, 0), (1, 104, 0), (1, 102, 9)], "the best has passed them: they are gone"
    asks = Book(False)
    asks.best(103, 50)
    assert asks.shown == {103: 50, 105: 7, 110: 7, 115: 7, 120: 7}


def test_after_a_trade_every_level_that_it_reached_is_named_again() -> None:
    bids = Book(True)
    bids.best(103, 50)
    bids.backdrop.traded(True, 95)
    bids.backdrop.traded(True, 103)
    assert sorted(bids.best(103, 50)) == [(1, 95, 7), (1, 100, 7), (1, 103, 50)]
    assert bids.best(103, 50) == [(1, 103, 50)]


def test_a_best_that_keeps_improving_leaves_a_bounded_trail() -> None:
    asks = Book(False)
    for price in range(60, 40, -1):
        asks.best(price, 3)
    assert sorted(asks.shown) == [41, 42, 43, 44, 45, 50, 55, 60], "four seen behind the best, four of the grid"
    assert asks.shown[45] == 3, "what was seen there counts, not the grid"


@given(buy=st.booleans(), bests=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 9), st.booleans()), max_size=40))
@settings(max_examples=80, deadline=None)
def test_the_best_is_the_recorded_one_and_the_levels_bounded(buy: bool, bests: list[tuple[int, int, bool]]) -> None:
    side = Book(buy, levels=6)
    for price, lots, traded in bests:
        if traded:
            side.backdrop.traded(buy, price)
        side.best(price, lots)
        best = max(side.shown) if buy else min(side.shown)
        assert (best, side.shown[best]) == (price, lots)
        assert len(side.shown) <= 13
        assert min(side.shown) >= 1
