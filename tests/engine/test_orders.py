"""The order table: a slot counts from before it is sent until its end is proven."""

from collections import deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.orders import OrderTable

acts = st.lists(
    st.tuples(st.sampled_from(["open", "close"]), st.integers(0, 2), st.sampled_from([1, -1]), st.integers(1, 500)),
    max_size=200,
)


@given(acts)
@settings(max_examples=100, deadline=None)
def test_exposure_is_the_sum_of_what_is_open(steps: list[tuple[str, int, int, int]]) -> None:
    table = OrderTable(3)
    open_orders: list[tuple[int, int, int, int]] = []
    for act, instrument, side, lots in steps:
        if act == "open":
            slot = table.take(instrument, side, 1000, lots)
            mine = [o for o in open_orders if o[1:3] == (instrument, side)]
            assert (slot < 0) == (len(mine) >= 64)
            if slot >= 0:
                open_orders.append((slot, instrument, side, lots))
        elif open_orders:
            table.release(open_orders.pop(lots % len(open_orders))[0])
        for i in range(3):
            for s in (1, -1):
                assert table.exposure(i, s) == sum(o[3] for o in open_orders if o[1:3] == (i, s))
        assert table.used == len(open_orders)


def test_client_ids_never_repeat_although_slots_do() -> None:
    table = OrderTable(1)
    seen = set()
    for _ in range(1000):
        slot = table.take(0, 1, 5, 1)
        (order,) = table.orders()
        seen.add(order["client_order_id"])
        table.release(slot)
        table.release(slot)  # a second report of the same end changes nothing
        assert table.used == 0
    assert len(seen) == 1000


def test_bounds_are_errors_not_wild_reads() -> None:
    table = OrderTable(1)
    for call in (lambda: table.take(1, 1, 5, 1), lambda: table.release(4096), lambda: table.exposure(-1, 1)):
        with pytest.raises(IndexError):
            call()


def test_the_last_thousand_ended_orders_are_remembered_and_no_other() -> None:
    """Against the ids themselves, in a queue of the same length, some of them ended more than once."""
    table, memory, random = OrderTable(1), deque[bytes](maxlen=1024), Random(3)
    names = [f"{i:016X}".encode() for i in range(4_000)]
    for step in range(12_000):
        ended = random.choice(names)
        table.note_closed(ended)
        memory.append(ended)
        for name in (ended, memory[0], random.choice(names)):
            assert table.closed_lately(name) == (name in memory), step
