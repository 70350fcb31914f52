"""What happens when in a simulated run: acts at integer nanoseconds, equal times in the order they were set."""

import heapq
from collections.abc import Callable

NEVER_NS = 2**63 - 1


class Agenda:
    """A clock and the acts that wait for it. Time moves only by ``pop``, and never back."""

    __slots__ = ("_count", "_heap", "now_ns")

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, due_ns: int, act: Callable[[], None]) -> None:
        """Do ``act`` at that time, or now when it has passed."""
        self._count += 1
        heapq.heappush(self._heap, (max(due_ns, self.now_ns), self._count, act))

    def after(self, delay_ns: int, act: Callable[[], None]) -> None:
        """Do ``act`` after so many ns."""
        self.at(self.now_ns + delay_ns, act)

    @property
    def next_ns(self) -> int:
        """When the next act is due, ``NEVER_NS`` for none."""
        return self._heap[0][0] if self._heap else NEVER_NS

    def pop(self) -> Callable[[], None]:
        """The next act; the caller has moved the clock to its time."""
        return heapq.heappop(self._heap)[2]
