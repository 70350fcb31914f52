"""Slots taken and given back, against a list of free numbers in plain Python."""

from benchmarks.conftest import Race
from kernels.pool import Pool

N = 500


def test_pool(race: Race) -> None:
    n = 5 if race.smoke else N
    pool, free, taken = Pool(64), list(range(64)), set[int]()

    def ours() -> None:
        for _ in range(n):
            pool.release(pool.acquire())

    def theirs() -> None:
        for _ in range(n):
            slot = free.pop()
            taken.add(slot)
            taken.remove(slot)
            free.append(slot)

    race("pool.acquire_release", ours, theirs, "plain Python list", ops=n, their_ops=n)
    assert pool.taken == 0
