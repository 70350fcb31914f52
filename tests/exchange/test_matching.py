"""The book against a slow twin that is obviously right, and the invariants of price-time matching."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.matching import Book, Resting


@dataclass
class Slow:
    """A list of (id, buy, price, remaining, owner) in arrival order; matching sorts it anew each time."""

    orders: list[list]

    def match(self, buy, limit, lots, owner):
        fills = []
        rivals = [o for o in self.orders if o[1] != buy and (o[2] <= limit if buy else o[2] >= limit)]
        rivals.sort(key=lambda o: o[2] if buy else -o[2])
        for rival in rivals:
            if lots == 0:
                break
            if owner is not None and rival[4] == owner:
                return fills, lots, True
            traded = min(lots, rival[3])
            rival[3] -= traded
            lots -= traded
            fills.append((rival[0], rival[2], traded))
        self.orders = [o for o in self.orders if o[3]]
        return fills, lots, False


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "insert", "insert", "ioc", "remove", "reduce"]),
        st.booleans(),
        st.integers(95, 105),
        st.integers(1, 9),
        st.sampled_from([None, "a", "b"]),
        st.integers(0, 1000),
    ),
    max_size=80,
)


def levels(orders, buy):
    out = {}
    for o in orders:
        if o[1] == buy:
            out[o[2]] = out.get(o[2], 0) + o[3]
    return sorted(out.items(), reverse=buy)


@settings(max_examples=300, deadline=None)
@given(ACTIONS)
def test_book_equals_its_slow_twin_and_is_never_crossed(actions):
    book, slow, live = Book(), Slow([]), {}
    inserted = traded = removed = 0
    for number, (kind, buy, price, lots, owner, pick) in enumerate(actions, 1):
        if kind in ("insert", "ioc"):
            inserted += lots
            crossing = book.crosses(buy, price)
            assert book.meets(buy, price, lots, owner) == _meets(slow, buy, price, lots, owner) or owner is None
            fills, left, stopped = book.match(buy, price, lots, owner)
            assert bool(fills) <= crossing
            expected = slow.match(buy, price, lots, owner)
            slow.orders = [o for o in slow.orders if o[3]]
            assert ([(f.maker.id, f.price, f.lots) for f in fills], left, stopped) == expected
            assert sum(f.lots for f in fills) + left == lots
            traded += 2 * (lots - left)
            if left and not stopped and kind == "insert":
                order = live[number] = Resting(number, buy, price, left, owner)
                book.rest(order)
                slow.orders.append([number, buy, price, left, owner])
            else:
                removed += left
        else:
            resting = [o for o in live.values() if o.level is not None]
            if not resting:
                continue
            order = resting[pick % len(resting)]
            mirror = next(o for o in slow.orders if o[0] == order.id)
            assert mirror[3] == order.remaining
            if kind == "remove" or order.remaining == 1:
                book.remove(order)
                removed += mirror[3]
                slow.orders.remove(mirror)
            else:
                keep = 1 + pick % (order.remaining - 1) if order.remaining > 2 else 1
                removed += mirror[3] - keep
                book.reduce(order, keep)
                mirror[3] = keep
        for side in (True, False):
            shown = [(level.price, level.lots) for level in book.side(side)]
            assert shown == levels(slow.orders, side)
            assert book.totals[side] == sum(amount for _, amount in shown)
            assert all(amount > 0 for _, amount in shown)
        bid, ask = book.best(True), book.best(False)
        assert bid is None or ask is None or bid.price < ask.price
    assert inserted == traded + removed + sum(book.totals)


def _meets(slow, buy, price, lots, owner):
    twin = Slow([list(o) for o in slow.orders])
    return twin.match(buy, price, lots, owner)[2]


def test_first_in_first_out_within_a_price():
    book = Book()
    first, second = Resting(1, True, 100, 3), Resting(2, True, 100, 3)
    book.rest(first)
    book.rest(second)
    fills, left, _ = book.match(False, 100, 4)
    assert [(f.maker.id, f.lots) for f in fills] == [(1, 3), (2, 1)]
    assert left == 0
    assert second.remaining == 2


def test_reducing_keeps_the_place_in_the_queue():
    book = Book()
    for number in (1, 2):
        book.rest(Resting(number, False, 100, 5))
    head = book.best(False).head
    book.reduce(head, 2)
    assert [f.maker.id for f in book.match(True, 100, 3)[0]] == [1, 2]


def test_post_price_is_one_tick_from_the_opposite_best():
    book = Book()
    book.rest(Resting(1, False, 100, 1))
    assert book.post_price(True, 105) == 99
    assert book.post_price(True, 98) == 98
    assert book.post_price(False, 50) == 50


def test_average_price_needs_the_whole_amount():
    book = Book()
    book.rest(Resting(1, False, 100, 1))
    book.rest(Resting(2, False, 102, 3))
    assert book.average_ticks(True, 2) == 101
    assert book.average_ticks(True, 5) is None
