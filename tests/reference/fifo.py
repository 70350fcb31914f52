"""First-in-first-out accounting with one entry per lot, in unbounded integers: slow, and obviously right."""

from collections import deque


class Fifo:
    def __init__(self) -> None:
        self.open: deque[tuple[int, int]] = deque()  # (sign, ticks), one entry a lot, oldest first
        self.realised = 0

    def fill(self, signed_lots: int, ticks: int) -> None:
        sign = 1 if signed_lots > 0 else -1
        for _ in range(abs(signed_lots)):
            if self.open and self.open[0][0] != sign:
                held, cost = self.open.popleft()
                self.realised += held * (ticks - cost)
            else:
                self.open.append((sign, ticks))

    def unrealised(self, ticks: int) -> int:
        return sum(sign * (ticks - cost) for sign, cost in self.open)
