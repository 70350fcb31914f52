"""The slot pool against a list used as a stack."""

import os

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kernels import pool
from kernels.pool import NO_SLOT, NOT_TAKEN, OK, Pool

CAPACITY = 5


class PoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(CAPACITY)
        self.free = list(range(CAPACITY))[::-1]
        self.handles: dict[int, int] = {}
        self.stale: set[int] = set()

    @rule()
    def acquire(self) -> None:
        slot = self.pool.acquire()
        if not self.free:
            assert slot == -1
            return
        assert slot == self.free.pop(), "the slot released last comes first"
        handle = self.pool.handle(slot)
        assert handle > 0
        assert handle not in self.stale and handle not in self.handles.values(), "a handle is never given twice"
        self.handles[slot] = handle

    @rule(slot=st.integers(-1, CAPACITY))
    def release(self, slot: int) -> None:
        wanted = NO_SLOT if not 0 <= slot < CAPACITY else OK if slot in self.handles else NOT_TAKEN
        assert self.pool.release(slot) == wanted
        if wanted == OK:
            self.stale.add(self.handles.pop(slot))
            self.free.append(slot)

    @invariant()
    def same(self) -> None:
        assert self.pool.taken == len(self.handles)
        for slot in range(-1, CAPACITY + 1):
            assert self.pool.handle(slot) == self.handles.get(slot, 0)
        for slot, handle in self.handles.items():
            assert self.pool.slot(handle) == slot
        for handle in (*self.stale, 0, -1, 2**63 - 1, -(2**63), 1 << 24):
            assert handle in self.handles.values() or self.pool.slot(handle) == -1


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_most_in_use_is_remembered() -> None:
    slots = Pool(4)
    for slot in [slots.acquire() for _ in range(3)]:
        slots.release(slot)
    slots.acquire()
    assert (slots.taken, slots.taken_max) == (1, 3)


@pytest.mark.parametrize("capacity", [0, -1, pool.CAPACITY_MAX + 1])
def test_capacity_is_bounded(capacity: int) -> None:
    with pytest.raises(ValueError, match="pool capacity"):
        Pool(capacity)


def test_leaks_are_counted_in_the_checked_build() -> None:
    pool.reset_leaked()
    slots = Pool(4)
    slots.release(slots.acquire())
    del slots
    assert pool.leaked() == 0
    slots = Pool(4)
    slots.acquire()
    slots.acquire()
    del slots
    assert pool.leaked() == (2 if os.environ.get("QUOTER_DEBUG") == "1" else 0)
    pool.reset_leaked()
