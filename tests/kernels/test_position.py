"""The accounting identity in exact integers, oldest first, merging at the limit, refusals that change nothing."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import position as kernels
from kernels.records import POSITION
from tests.reference.fifo import Fifo

fills = st.lists(st.tuples(st.integers(-30, 30), st.integers(1, 200)), max_size=60)


def fresh() -> np.void:
    return np.zeros(1, POSITION)[0]


def open_cost(position: np.void) -> int:
    """Signed cost of the open lots."""
    ring = (int(position["head"]) + np.arange(int(position["count"]))) % kernels.FIFO_MAX
    cost = sum(int(a) * int(b) for a, b in zip(position["fifo_lots"][ring], position["fifo_ticks"][ring], strict=True))
    return (cost + int(position["head_remainder_ticklots"])) * (1 if position["lots"] > 0 else -1)


def check(position: np.void, cash: int, lots: int, price: int) -> None:
    ring = (int(position["head"]) + np.arange(int(position["count"]))) % kernels.FIFO_MAX
    assert int(position["lots"]) == lots == position["bought_lots"] - position["sold_lots"]
    assert int(position["fifo_lots"][ring].sum()) == abs(lots)
    assert (position["fifo_lots"][ring] > 0).all()
    unrealised = kernels.unrealised_ticklots(position, price)
    assert int(position["realised_ticklots"]) + unrealised == cash + lots * price
    assert unrealised == lots * price - open_cost(position)


@given(fills)
def test_against_one_entry_per_lot(deals: list[tuple[int, int]]) -> None:
    position, twin, cash, lots = fresh(), Fifo(), 0, 0
    for size, ticks in deals:
        assert kernels.fill(position, size, ticks, 0.0) == (kernels.OK if size else kernels.NO_LOTS)
        twin.fill(size, ticks)
        cash, lots = cash - size * ticks, lots + size
        assert position["realised_ticklots"] == twin.realised
        assert kernels.unrealised_ticklots(position, 77) == twin.unrealised(77)
        check(position, cash, lots, 101)
    assert position["fills"] == sum(size != 0 for size, _ in deals)


def test_oldest_first_not_best_price_first() -> None:
    position = fresh()
    for size, ticks in [(10, 100), (10, 90), (-5, 120)]:
        kernels.fill(position, size, ticks, 0.0)
    assert position["realised_ticklots"] == 5 * 20
    kernels.fill(position, -10, 120, 0.0)
    assert position["realised_ticklots"] == 10 * 20 + 5 * 30


def test_a_larger_opposite_fill_turns_the_position() -> None:
    position = fresh()
    kernels.fill(position, 10, 100, 0.0)
    kernels.fill(position, -25, 110, 0.0)
    assert (position["lots"], position["realised_ticklots"], position["count"]) == (-15, 100, 1)
    assert kernels.unrealised_ticklots(position, 100) == 150
    kernels.fill(position, 15, 105, 0.0)
    assert (position["lots"], position["realised_ticklots"], position["count"]) == (0, 175, 0)
    assert kernels.unrealised_ticklots(position, 10**6) == 0


@pytest.mark.parametrize("seed", range(4))
def test_identity_survives_merging_at_the_limit(seed: int) -> None:
    rng, position, cash, lots = random.Random(seed), fresh(), 0, 0
    merged = False
    for step in range(4000):
        long = step % 2000 < 1100
        size = rng.randint(-40, 100) if long else rng.randint(-100, 40)
        size = size or 1
        ticks = rng.randint(50_000, 70_000)
        assert kernels.fill(position, size, ticks, 0.0) == kernels.OK
        cash, lots = cash - size * ticks, lots + size
        merged |= position["head_remainder_ticklots"] != 0
        assert 0 <= position["head_remainder_ticklots"] < max(int(position["fifo_lots"][position["head"]]), 1)
        if step % 50 == 0:
            check(position, cash, lots, rng.randint(1, 10**6))
    assert merged
    assert kernels.fill(position, -lots, 60_000, 0.0) == kernels.OK
    assert position["count"] == position["head_remainder_ticklots"] == 0
    assert position["realised_ticklots"] == cash + lots * 60_000


def test_a_full_ring_merges_only_the_two_oldest() -> None:
    position = fresh()
    for n in range(kernels.FIFO_MAX + 1):
        kernels.fill(position, 2, 100 + n, 0.0)
    assert position["count"] == kernels.FIFO_MAX
    assert position["fifo_lots"][position["head"]] == 4
    assert position["fifo_ticks"][position["head"]] == 100
    assert position["head_remainder_ticklots"] == 2
    kernels.fill(position, -6, 1000, 0.0)
    assert position["realised_ticklots"] == 6000 - (200 + 202 + 204)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(-500, 500), st.integers(1, 2 * 10**5), st.floats(-5, 5), st.floats(-50, 50)), max_size=80
    )
)
def test_money_adds_up_in_usd(deals: list[tuple[int, int, float, float]]) -> None:
    tick, lot, position, flow, scale = 0.5, 0.001, fresh(), 0.0, 1.0
    for size, ticks, fee, funding in deals:
        if kernels.fill(position, size, ticks, fee) == kernels.OK:
            flow -= size * lot * ticks * tick + fee
        kernels.add_funding(position, funding)
        flow += funding
        scale += abs(size * lot * ticks * tick)
    price = 123_456
    realised, unrealised = int(position["realised_ticklots"]), kernels.unrealised_ticklots(position, price)
    own = (realised + unrealised) * tick * lot - position["fees_usd"] + position["funding_usd"]
    worth = flow + int(position["lots"]) * lot * price * tick
    scale += abs(int(position["lots"])) * lot * price * tick
    assert own == pytest.approx(worth, rel=0.0, abs=1e-9 * scale)
    assert kernels.equity_usd(position, price, tick, lot) == pytest.approx(own, rel=0.0, abs=1e-9 * scale)


@pytest.mark.parametrize(
    "size, ticks, fee, code",
    [
        (0, 100, 0.0, kernels.NO_LOTS),
        (1, 0, 0.0, kernels.BAD_PRICE),
        (1, -5, 0.0, kernels.BAD_PRICE),
        (1, kernels.TICKS_MAX + 1, 0.0, kernels.BAD_PRICE),
        (1, 100, math.nan, kernels.BAD_MONEY),
        (1, 100, math.inf, kernels.BAD_MONEY),
        (1, 100, -math.inf, kernels.BAD_MONEY),
        (kernels.LOTS_MAX, 100, 0.0, kernels.TOO_MANY_LOTS),
        (kernels.LOTS_MAX + 1, 100, 0.0, kernels.TOO_MANY_LOTS),
        (-(2**63), 100, 0.0, kernels.TOO_MANY_LOTS),
        (2**63 - 1, 100, 0.0, kernels.TOO_MANY_LOTS),
    ],
)
def test_a_refused_fill_changes_nothing(size: int, ticks: int, fee: float, code: int) -> None:
    position = fresh()
    kernels.fill(position, 7, 100, 0.25)
    before = position.tobytes()
    assert kernels.fill(position, size, ticks, fee) == code
    assert position.tobytes() == before


def test_sums_stop_before_they_could_wrap() -> None:
    position, cash, lots = fresh(), 0, 0
    size, ticks = kernels.LOTS_MAX, kernels.TICKS_MAX
    codes = []
    for n in range(12):
        # Bought dear and sold cheap, again and again, with the largest numbers there are.
        deal, price = (size, ticks) if n % 2 == 0 else (-size, 1)
        codes.append(kernels.fill(position, deal, price, 0.0))
        if codes[-1] == kernels.OK:
            cash, lots = cash - deal * price, lots + deal
            assert (int(position["cash_ticklots"]), int(position["lots"])) == (cash, lots)
            exact = int(position["realised_ticklots"]) + kernels.unrealised_ticklots(position, ticks)
            assert exact == cash + lots * ticks
    assert kernels.TOO_MUCH_CASH in codes
    assert abs(cash) <= kernels.CASH_MAX


@pytest.mark.parametrize("counter", ["bought_lots", "sold_lots"])
def test_volume_stops_before_it_could_wrap(counter: str) -> None:
    position = fresh()
    position[counter] = kernels.VOLUME_MAX - kernels.LOTS_MAX
    assert kernels.fill(position, 1 if counter == "bought_lots" else -1, 100, 0.0) == kernels.OK
    assert kernels.fill(position, 1, 100, 0.0) == kernels.TOO_MANY_LOTS


def test_corrupt_memory_is_refused_and_a_bad_price_has_no_value() -> None:
    position = fresh()
    for name, value in [("head", -1), ("head", 512), ("count", -1), ("count", 513)]:
        broken = fresh()
        broken[name] = value
        assert kernels.fill(broken, 1, 100, 0.0) == kernels.CORRUPT
    kernels.fill(position, 1, 100, 0.0)
    for ticks in (-1, kernels.TICKS_MAX + 1):
        assert kernels.unrealised_ticklots(position, ticks) == kernels.UNKNOWN_TICKLOTS
        assert math.isnan(kernels.equity_usd(position, ticks, 1.0, 1.0))
    for amount in (math.nan, math.inf, -math.inf):
        assert kernels.add_funding(position, amount) == kernels.BAD_MONEY
    assert position["funding_usd"] == 0.0
