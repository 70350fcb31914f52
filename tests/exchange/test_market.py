"""The same market on the exchange and on a plain price-time book: the same prices, amounts and fills at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.market import NEVER_NS, Market
from feed.exchange.recorded import RecordedMarket, RecordedOptions
from feed.exchange.seeded import SeededMarket
from tests.exchange.floor import BookFloor
from tests.exchange.recordings import small
from tests.shared import DATA, needs_data

START_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000


@dataclass
class Twins:
    """One market on each floor, and orders of a bystander put on both."""

    exchange: Exchange
    floor: BookFloor
    on_exchange: Market
    on_floor: Market
    compared: int = 0
    fills: int = 0

    def run(self, seconds: int, seed: int) -> None:
        rng = Random(seed)
        orders: list[tuple[int, int]] = []
        names = [i.name for i in self.on_floor.instruments]
        while self.on_floor.next_ns() <= START_NS + seconds * SECOND_NS:
            now_ns = self.on_floor.next_ns()
            assert self.on_exchange.next_ns() == now_ns
            self.on_floor.advance(now_ns)
            self.exchange.advance(now_ns)
            name = rng.choice(names)
            best = self.floor.best(name, True)
            assert self.exchange.best(name, True) == best
            assert self.exchange.best(name, False) == self.floor.best(name, False)
            self.compared += 1
            if best is not None and rng.random() < 0.05:
                price, lots = best[0] + rng.randint(-3, 2), rng.randint(1, 30)
                pair = (self.exchange.insert(name, True, price, lots), self.floor.insert(name, True, price, lots))
                assert (pair[0] == 0) == (pair[1] == 0)
                orders.append(pair)
            for here, there in orders:
                assert self.exchange.remaining(here) == self.floor.remaining(there)
            self.fills += sum(self.floor.remaining(there) == 0 for _, there in orders)
            orders = [(here, there) for here, there in orders if self.floor.remaining(there)]
        for underlying, price_usd in self.floor.index_usd.items():
            assert self.exchange.underlyings[underlying].index_e8 == round(price_usd * 1e8)


def twins(make: Callable[[], Market]) -> Twins:
    on_exchange, on_floor = make(), make()
    exchange, floor = Exchange(on_exchange), BookFloor(keep_trades=False)
    exchange.start(START_NS)
    on_floor.start(floor, START_NS)
    return Twins(exchange, floor, on_exchange, on_floor)


def test_a_seeded_market_is_the_same_on_both() -> None:
    pair = twins(lambda: SeededMarket(default_instruments(START_NS), 12))
    pair.run(60, seed=1)
    assert pair.compared > 1_000
    assert pair.fills > 10


def test_a_recorded_market_is_the_same_on_both_and_ends(tmp_path: Path) -> None:
    directory = small(tmp_path / "abcusd")
    twins(lambda: RecordedMarket(directory, RecordedOptions(loop=True))).run(30, seed=2)
    once = twins(lambda: RecordedMarket(directory))
    once.run(30, seed=3)
    assert once.on_exchange.next_ns() == NEVER_NS


@needs_data
@pytest.mark.parametrize(
    "folder, seconds",
    [
        ("binance_spot_nexousdt_20240723-24", 600),
        ("gemini_ethusd_2021-07-01", 300),
        ("binance_usdm_btcusdt_20230404-05", 30),
    ],
)
def test_a_recorded_set_is_the_same_on_both(folder: str, seconds: int) -> None:
    pair = twins(lambda: RecordedMarket(DATA / folder))
    pair.run(seconds, seed=4)
    assert pair.compared > 300
    assert pair.fills > 0
