"""Takers who know the coming price: they change the sides of the flow and nothing else, and the flow tells."""

import hashlib
import math

import pytest

from feed.exchange.listing import default_instruments
from feed.exchange.seeded import SeededMarket, SeededOptions, informed_options
from tests.exchange.floor import BookFloor
from tests.exchange.test_seeded import PERPETUAL, SECOND_NS, START_NS, played, tape


def test_the_default_market_is_the_one_it_was() -> None:
    """A digest: tables and thresholds elsewhere were measured on this market."""
    _, floor = played(60, seed=7)
    assert hashlib.sha256(repr(tape(floor.trades)).encode()).hexdigest()[:16] == "0010bb893d3b2f98"


def test_share_and_horizon_change_only_the_sides_of_takers() -> None:
    """Common random numbers: sessions of one seed differ in what the informed do and in nothing else."""

    def run(options: SeededOptions) -> tuple[list[float], list[int]]:
        floor = BookFloor(keep_trades=False)
        market = SeededMarket(default_instruments(START_NS)[:1], 3, options)
        market.start(floor, START_NS)
        fairs, acts = [], []
        while market.next_ns() <= START_NS + 60 * SECOND_NS:
            acts.append(market.next_ns())
            market.advance(market.next_ns())
            fairs.append(market.fair_usd(PERPETUAL))
        return fairs, acts

    assert informed_options() == SeededOptions()
    none = run(informed_options(0.0, 3.0))
    assert none == run(informed_options(0.0)) == run(informed_options(0.4, 3.0)) == run(SeededOptions())


def flow_t(share: float, horizon_s: float) -> float:
    """t statistic of the regression of the fair price's next move on the signed number of trades before, where both
    spans are half the horizon and no two samples overlap.
    """
    half = max(1, round(horizon_s / 2 / 0.2))
    floor = BookFloor()
    market = SeededMarket(default_instruments(START_NS)[:1], 12, informed_options(share, horizon_s))
    market.start(floor, START_NS)
    flows, moves, seen, before_usd = [], [], 0, market.fair_usd(PERPETUAL)
    for k in range(1, 3_600 * 5 // half):
        market.advance(START_NS + k * half * 200_000_000)
        fair_usd = market.fair_usd(PERPETUAL)
        flows.append(float(sum(1 if t.taker_buys else -1 for t in floor.trades[seen:])))
        moves.append(math.log(fair_usd / before_usd))
        seen, before_usd = len(floor.trades), fair_usd
    return slope_t(flows[:-1], moves[1:])


def slope_t(x: list[float], y: list[float]) -> float:
    """t of an ordinary least-squares slope."""
    n, x_mean, y_mean = len(x), sum(x) / len(x), sum(y) / len(y)
    square = sum((v - x_mean) ** 2 for v in x)
    slope = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True)) / square
    left = sum((b - y_mean - slope * (a - x_mean)) ** 2 for a, b in zip(x, y, strict=True))
    return slope / math.sqrt(left / (n - 2) / square)


@pytest.mark.parametrize("horizon_s", [3.0, 45.0])
def test_aggressive_flow_predicts_the_move_if_and_only_if_somebody_knows_it(horizon_s: float) -> None:
    assert abs(flow_t(0.0, horizon_s)) < 3.0
    assert flow_t(0.4, horizon_s) > 4.0
