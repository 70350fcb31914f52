"""Recorded depth as orders: the queue against a slow twin, and every way in which a client is, and is not, filled."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.depth import Cancels, RecordedDepth
from tests.exchange.floor import BookFloor

NAME = "X-PERPETUAL"
BID, ASK = 1, 0


def laid_out(*rows: tuple[int, int, int], cancels: Cancels = "newest") -> tuple[BookFloor, RecordedDepth]:
    floor = BookFloor()
    depth = RecordedDepth(floor, NAME, cancels)
    depth.replace(rows)
    return floor, depth


def filled(floor: BookFloor) -> list[tuple[int, int]]:
    return [(t.price_ticks, t.lots) for t in floor.client_fills()]


def test_a_client_behind_the_queue_is_filled_only_after_the_depth_ahead_has_traded() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 101, 10))
    order = floor.client_insert(NAME, False, 101, 5)
    depth.trade(True, 101, 10)
    assert filled(floor) == []
    depth.trade(True, 101, 3)
    assert filled(floor) == [(101, 3)]
    depth.trade(True, 101, 9)
    assert filled(floor) == [(101, 3), (101, 2)]
    assert floor.remaining(order) == 0


def test_trades_and_quotes_that_only_touch_the_price_fill_nobody() -> None:
    floor, depth = laid_out((BID, 99, 10), (BID, 98, 10), (ASK, 101, 10))
    floor.client_insert(NAME, True, 99, 5)
    # Sellers hit the queue ahead; a buyer's trade prints at the client's bid; the bid becomes the best and stays it.
    depth.trade(False, 99, 10)
    depth.trade(True, 99, 50)
    depth.apply([(BID, 99, 0), (ASK, 101, 0), (ASK, 100, 4)])
    depth.apply([(BID, 99, 7)])
    assert filled(floor) == []


def test_a_trade_through_a_clients_price_fills_it_first_and_at_its_own_price() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 103, 10))
    floor.client_insert(NAME, False, 102, 4)
    depth.trade(True, 103, 6)
    assert [(t.price_ticks, t.lots) for t in floor.trades] == [(102, 4), (103, 2)]


def test_the_opposite_side_arriving_at_or_beyond_the_price_must_trade_once() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 103, 10))
    floor.client_insert(NAME, False, 101, 20)
    depth.apply([(BID, 102, 6)])
    assert filled(floor) == [(101, 6)]
    # The same level repeated is the same buyers: only growth is new.
    depth.apply([(BID, 102, 6)])
    depth.apply([(BID, 102, 5)])
    assert filled(floor) == [(101, 6)]
    depth.apply([(BID, 102, 8)])
    assert filled(floor) == [(101, 6), (101, 3)]
    bid, ask = floor.best(NAME, True), floor.best(NAME, False)
    assert bid is not None and ask is not None and bid[0] < ask[0]


def test_after_the_client_is_gone_the_recorded_amount_is_back_with_the_next_message() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 103, 10))
    client = floor.client_insert(NAME, False, 101, 4)
    depth.apply([(BID, 101, 6)])
    assert floor.remaining(client) == 0
    assert floor.crowd_depth(NAME, True)[101] == 2
    depth.apply([(BID, 101, 7)])
    assert floor.crowd_depth(NAME, True)[101] == 7


def test_a_book_that_moves_does_not_trade_with_what_it_leaves_behind() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 101, 10))
    depth.apply([(BID, 102, 5), (ASK, 101, 0), (ASK, 103, 5)])
    depth.apply([(ASK, 100, 5), (BID, 102, 0), (BID, 99, 0), (BID, 98, 3)])
    assert floor.trades == []
    assert floor.depth(NAME, True) == {98: 3}
    assert floor.depth(NAME, False) == {100: 5, 103: 5}


def test_levels_that_a_later_row_contradicts_step_aside_and_return() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 101, 10), (ASK, 102, 10))
    depth.trade(True, 102, 1)
    assert floor.depth(NAME, False) == {102: 9}, "who paid 102 found nothing at 101"
    depth.apply([(BID, 98, 4)])
    assert floor.depth(NAME, False) == {101: 10, 102: 9}, "and still nobody says that it is gone"
    depth.apply([(BID, 101, 5)])
    assert floor.depth(NAME, False) == {102: 9}
    depth.apply([(BID, 101, 0)])
    assert floor.depth(NAME, False) == {101: 10, 102: 9}
    depth.apply([(ASK, 101, 0)])
    assert floor.depth(NAME, False) == {102: 9}
    assert sum(t.lots for t in floor.trades) == 1


def test_a_level_that_returns_has_lost_what_was_traded() -> None:
    floor, depth = laid_out((BID, 99, 10), (BID, 98, 10), (ASK, 101, 10))
    depth.trade(False, 99, 4)
    depth.trade(False, 98, 1)
    assert floor.depth(NAME, True) == {98: 9}
    depth.apply([(ASK, 101, 9)])
    assert floor.depth(NAME, True) == {99: 6, 98: 9}


def test_more_traded_than_was_shown_prints_in_full_and_the_client_comes_first() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 101, 2))
    floor.client_insert(NAME, False, 101, 3)
    depth.trade(True, 101, 10)
    assert [(t.lots, t.maker_is_client) for t in floor.trades] == [(2, False), (3, True), (5, False)]
    assert floor.depth(NAME, False) == {}


def test_a_client_who_takes_is_served_and_the_level_comes_back() -> None:
    floor, depth = laid_out((BID, 99, 10), (ASK, 101, 10))
    floor.client_insert(NAME, True, 101, 4)
    assert floor.depth(NAME, False) == {101: 6}
    depth.apply([(ASK, 101, 11)])
    assert floor.depth(NAME, False) == {101: 11}


class Queue:
    """Slow twin of one price level with newest-first cancels: a client with lots ahead of and behind it."""

    def __init__(self, ahead: int, client: int) -> None:
        self.ahead, self.behind, self.client = ahead, 0, client
        self.filled = 0

    def target(self, lots: int) -> None:
        surplus = self.ahead + self.behind - lots
        if surplus <= 0:
            self.behind -= surplus
            return
        cut = min(surplus, self.behind)
        self.behind -= cut
        self.ahead -= surplus - cut

    def trade(self, lots: int) -> None:
        for name in ("ahead", "client", "behind"):
            part = min(lots, getattr(self, name))
            setattr(self, name, getattr(self, name) - part)
            lots -= part
            self.filled += part if name == "client" else 0


EVENTS = st.lists(st.tuples(st.sampled_from(["target", "trade"]), st.integers(1, 60)), max_size=60)


@given(first=st.integers(0, 50), client=st.integers(1, 30), events=EVENTS, buy=st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_queue_is_the_twins_after_every_event(
    first: int, client: int, events: list[tuple[str, int]], buy: bool
) -> None:
    floor, depth = laid_out()
    if first:
        depth.apply([(int(buy), 100, first)])
    order = floor.client_insert(NAME, buy, 100, client)
    twin = Queue(first, client)
    for kind, lots in events:
        if kind == "target":
            depth.apply([(int(buy), 100, lots)])
            twin.target(lots)
        else:
            depth.trade(not buy, 100, lots)
            twin.trade(lots)
        assert sum(n for _, n in filled(floor)) == twin.filled
        assert floor.remaining(order) == twin.client
        assert sum(floor.crowd_depth(NAME, buy).values()) == twin.ahead + twin.behind
        if twin.client:
            assert floor.ahead_lots(order) == twin.ahead


@given(
    first=st.integers(1, 500),
    growth=st.lists(st.integers(1, 200), min_size=1, max_size=8),
    left=st.floats(0, 1),
)
@settings(max_examples=80, deadline=None)
def test_pro_rata_cancels_take_the_same_share_ahead_and_behind(first: int, growth: list[int], left: float) -> None:
    floor, depth = laid_out((BID, 100, first), cancels="pro_rata")
    order = floor.client_insert(NAME, True, 100, 1)
    total = first
    for lots in growth:
        total += lots
        depth.apply([(BID, 100, total)])
    target = int(total * left)
    depth.apply([(BID, 100, target)])
    assert sum(floor.crowd_depth(NAME, True).values()) == target
    assert abs(floor.ahead_lots(order) - first * target / total) <= 1
    assert filled(floor) == []


@pytest.mark.parametrize("cancels", ["newest", "pro_rata"])
def test_a_flickering_level_keeps_a_bounded_queue(cancels: Cancels) -> None:
    floor, depth = laid_out((BID, 100, 1), cancels=cancels)
    for lots in range(2, 500):
        depth.apply([(BID, 100, lots)])
    assert floor.depth(NAME, True) == {100: 499}
    assert len(floor.orders) <= 32


ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(95, 105), st.integers(0, 9)), min_size=1, max_size=6)
STEPS = st.one_of(
    st.tuples(st.just("message"), ROWS),
    st.tuples(st.just("trade"), st.booleans(), st.integers(95, 105), st.integers(1, 20)),
    st.tuples(st.just("client"), st.booleans(), st.integers(95, 105), st.integers(1, 9)),
)


@given(steps=st.lists(STEPS, max_size=40), cancels=st.sampled_from(["newest", "pro_rata"]))
@settings(max_examples=200, deadline=None)
def test_any_recording_however_wrong_leaves_an_uncrossed_book_and_conserves_lots(
    steps: list[tuple[Any, ...]],
    cancels: Cancels,
) -> None:
    floor, depth = laid_out(cancels=cancels)
    recorded: dict[tuple[bool, int], int] = {}
    clients = False
    for step in steps:
        traded_before = floor.traded_lots
        if step[0] == "message":
            depth.apply(step[1])
            recorded.update({(bool(buy), price): lots for buy, price, lots in step[1]})
            if not clients:
                assert floor.traded_lots == traded_before, "the crowd does not trade with itself"
        elif step[0] == "trade":
            _, buy, price, lots = step
            depth.trade(buy, price, lots)
            assert floor.traded_lots - traded_before <= lots
            if not clients:
                assert floor.traded_lots - traded_before == lots
        else:
            clients = True
            floor.client_insert(NAME, *step[1:])
        bid, ask = floor.best(NAME, True), floor.best(NAME, False)
        assert bid is None or ask is None or bid[0] < ask[0]
        for buy in (True, False):
            for price, lots in floor.crowd_depth(NAME, buy).items():
                assert lots <= recorded[buy, price], "never more than recorded"
    resting = sum(o.lots for o in floor.orders.values())
    assert floor.inserted_lots == resting + floor.removed_lots + 2 * floor.traded_lots
