"""Depth behind a recorded best bid and ask, for recordings that have no more than those.

Behind the best stand the next ``levels`` multiples of ``gap_ticks``, an absolute grid that stays where it is while the
best moves, with ``lots`` each. Prices that were the best before and have not been passed since, at most ``levels`` of
them, keep their last recorded amount, so that the queue at a price does not vanish when a better one appears. All of
this is made up; only the best is recorded.
"""


class Backdrop:
    """Turns best bid and ask into depth rows: (buy, price, lots) of every level that changes, 0 lots where it ends.

    The best is always among them: it is recorded, so it counts even where it stayed the same.
    """

    def __init__(self, levels: int, gap_ticks: int, lots: int) -> None:
        self._levels = levels
        self._gap = max(1, gap_ticks)
        self._lots = max(1, lots)
        self._best: dict[bool, int] = {True: 0, False: 0}
        self._shown: dict[bool, dict[int, int]] = {True: {}, False: {}}
        self._seen: dict[bool, dict[int, int]] = {True: {}, False: {}}
        self._eaten: dict[bool, int] = {True: 0, False: 0}

    def traded(self, buy: bool, price: int) -> None:
        """Orders of this side were traded with down (up) to ``price``: the next rows refill every level that far."""
        eaten = self._eaten[buy]
        self._eaten[buy] = price if not eaten else min(eaten, price) if buy else max(eaten, price)

    def rows(self, buy: bool, price: int, lots: int) -> list[tuple[int, int, int]]:
        """The changes when a side's best becomes ``lots`` at ``price``."""
        flag = int(buy)
        shown, eaten = self._shown[buy], self._eaten[buy]
        if eaten:
            self._eaten[buy] = 0
            for level in shown:
                if level >= eaten if buy else level <= eaten:
                    shown[level] = 0
        elif price == self._best[buy]:
            shown[price] = self._seen[buy][price] = lots
            return [(flag, price, lots)]
        wanted = self._wanted(buy, price, lots)
        rows = [(flag, p, 0) for p in shown if p not in wanted]
        rows += [(flag, p, n) for p, n in wanted.items() if p == price or shown.get(p) != n]
        self._best[buy] = price
        self._shown[buy] = wanted
        return rows

    def _wanted(self, buy: bool, price: int, lots: int) -> dict[int, int]:
        away = -1 if buy else 1
        seen = {p: n for p, n in self._seen[buy].items() if (p - price) * away > 0}
        if len(seen) > self._levels:
            for farthest in sorted(seen, reverse=not buy)[: len(seen) - self._levels]:
                del seen[farthest]
        seen[price] = lots
        self._seen[buy] = seen
        gap = self._gap
        first = (price - 1) // gap * gap if buy else (price // gap + 1) * gap
        wanted = {p: self._lots for p in range(first, first + away * gap * self._levels, away * gap) if p >= 1}
        wanted.update(seen)
        return wanted
