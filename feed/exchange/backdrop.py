"""Depth behind a recorded best bid and ask, for recordings that have no more than those.

Behind the best stand ``levels`` levels a side: prices that were the best before and have not been passed since keep
their last recorded amount, so that the queue at a price does not vanish when a better one appears; the rest are
multiples of ``gap_ticks``, an absolute grid that stays where it is while the best moves, with ``lots`` each. All of
it is made up except the two recorded levels.
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
        self._traded: dict[bool, bool] = {True: False, False: False}

    def traded(self, buy: bool) -> None:
        """Orders of this side were traded with: the next rows name every level, to refill what the trade ate."""
        self._traded[buy] = True

    def rows(self, buy: bool, price: int, lots: int) -> list[tuple[int, int, int]]:
        """The changes when a side's best becomes ``lots`` at ``price``."""
        flag = int(buy)
        if self._traded[buy]:
            self._traded[buy] = False
            shown: dict[int, int] = dict.fromkeys(self._shown[buy], 0)
        else:
            shown = self._shown[buy]
            if price == self._best[buy]:
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
        seen[price] = lots
        gap = self._gap
        first = (price - 1) // gap * gap if buy else (price // gap + 1) * gap
        behind = {first + away * gap * i: self._lots for i in range(self._levels)}
        behind.update(seen)
        nearest = sorted((p for p in behind if p >= 1), reverse=buy)[: self._levels + 1]
        kept = {p: behind[p] for p in nearest}
        self._seen[buy] = {p: n for p, n in seen.items() if p in kept}
        return kept
