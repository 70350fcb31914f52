"""The budget of memory is looked at once a second, and says both numbers when it is used up."""

from engine.live.memory import LOOKS, MemoryBudget, resident_bytes


def test_a_budget_that_is_used_up_is_told_within_a_second() -> None:
    used = [100_000_000]
    budget = MemoryBudget(100_000_000, lambda: used[0])
    assert [budget.problem() for _ in range(3 * LOOKS)] == [None] * 3 * LOOKS
    used[0] += 1_000_000
    told = [budget.problem() for _ in range(LOOKS)]
    assert [text for text in told if text] == ["101 MB of memory in use, connection.max_memory_mb is 100"]


def test_without_a_budget_nothing_is_told_and_what_is_measured_is_this_process() -> None:
    budget = MemoryBudget(0, lambda: 1 << 60)
    assert [budget.problem() for _ in range(2 * LOOKS)] == [None] * 2 * LOOKS
    before = resident_bytes()
    held = bytearray(b"x") * (64 << 20)
    assert resident_bytes() - before > 48 << 20
    assert len(held) == 64 << 20
