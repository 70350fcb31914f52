"""Volume candles and what they predict, from public trades and our own fills together.

    python examples/enhanced_candle_buffer_example.py

A made-up market rises on buyers' volume and then tires. Its public tape and our own fills overlap, as they do live: a
fill of ours is also a public trade, so every trade is counted once, by its id, with the taker as the aggressor.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kernels import candles, signals
from kernels.records import CANDLES

TICK_USD, LOT = 0.5, 0.001
SECOND_NS = 1_000_000_000


class Trade(NamedTuple):
    """A trade as the venue tells it; ``maker_side`` is ours when it is a fill of our own resting order, else 0."""

    id: str
    aggressor: int
    price_ticks: int
    lots: int
    t_ns: int
    maker_side: int = 0


class CandleBuffer:
    """Volume candles of ``volume`` contracts, fed from any number of overlapping streams."""

    def __init__(self, volume: float = 1.0, max_candles: int = 100, max_time_s: float = 300.0) -> None:
        self.state = np.zeros(1, CANDLES)[0]
        self.state["threshold_lots"] = round(volume / LOT)
        self.state["capacity"] = max_candles
        self.state["max_age_ns"] = int(max_time_s * SECOND_NS)
        self.state["min_candles"], self.state["stale_ns"] = 8, 600 * SECOND_NS
        self.seen: set[str] = set()
        self.duplicates = 0

    def add(self, trade: Trade) -> None:
        """Count a trade once. Whoever was the maker, the aggressor is the other side."""
        if trade.id in self.seen:
            self.duplicates += 1
            return
        self.seen.add(trade.id)
        aggressor = -trade.maker_side if trade.maker_side else trade.aggressor
        candles.trade(self.state, aggressor, trade.price_ticks, trade.lots, trade.t_ns)

    def predictions(self, now_ns: int) -> dict[str, float]:
        """Every prediction in [-1, 1]; 0 is no opinion."""
        names = ("momentum", "reversal", "exhaustion", "volatility", "toxicity")
        return {name: getattr(signals, name)(self.state, now_ns) for name in names}


def market(seed: int = 1, count: int = 600) -> Iterator[Trade]:
    """Buyers push the price up for two thirds of the time; then they still buy, but it no longer rises."""
    chance = random.Random(seed)
    ticks = 120_000
    for i in range(count):
        buys = chance.random() < 0.75
        ticks += (1 if buys else -1) if i < 2 * count // 3 else chance.choice((-1, 1))
        yield Trade(f"T{i}", 1 if buys else -1, ticks, chance.randint(10, 400), i * SECOND_NS // 2)


def main() -> CandleBuffer:
    """Feed the tape, some fills of our own and a replay of the last minutes; print what the candles say."""
    buffer = CandleBuffer()
    tape = list(market())
    for i, trade in enumerate(tape):
        buffer.add(trade)
        if i % 7 == 0:
            buffer.add(trade._replace(aggressor=0, maker_side=-trade.aggressor))  # our own fill of the same trade
        if i in (len(tape) // 2, len(tape) - 1):
            said = ", ".join(f"{name} {value:+.2f}" for name, value in buffer.predictions(trade.t_ns).items())
            print(f"after {i + 1} trades: {said}")
    for trade in tape[-100:]:  # a back-fill overlaps what was seen live
        buffer.add(trade)
    state = buffer.state
    kept = candles.kept_lots(state) + candles.open_lots(state)
    print(f"{state['closed']} candles, {state['traded_lots'] * LOT:.3f} contracts, {buffer.duplicates} duplicates")
    print(f"conserved to the lot: {state['traded_lots'] == state['evicted_lots'] + kept}")
    return buffer


if __name__ == "__main__":
    main()
