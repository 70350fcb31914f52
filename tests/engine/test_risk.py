"""The gate: no schedule of orders gets past the worst case."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.orders import OrderTable
from engine.core.risk import Gate

MARK = 60_000.0
PASS = "pass"


def gate(max_lots: int = 100, max_order: int = 50) -> Gate:
    result = Gate(1)
    result.set_limits(0, max_lots, max_order, 0.02, 1.0)
    return result


@given(
    st.integers(-150, 150),
    st.integers(0, 150),
    st.lists(st.integers(-5, 80), min_size=1, max_size=10),
    st.sampled_from([1, -1]),
    st.integers(0, 2),
)
@settings(max_examples=500, deadline=None)
def test_a_pass_means_that_the_worst_case_fits(
    position: int, resting: int, lots: list[int], side: int, mode: int
) -> None:
    g, table = gate(), OrderTable(1)
    g.set_mode(mode)
    verdict = g.check(table, 0, side, position, resting, [59_990] * len(lots), lots, MARK, MARK)
    worst = side * position + resting + sum(lots)
    fits = (
        all(0 < n <= 50 for n in lots)
        and worst <= 100
        and mode != 2
        and (mode == 0 or resting + sum(lots) <= -side * position)
    )
    assert (verdict == PASS) == fits
    assert g.passed + g.refused == 1


def test_price_rules() -> None:
    g, table = gate(), OrderTable(1)
    nan = math.nan

    def at(price: int, mark: float = MARK, index: float = MARK, side: int = 1) -> str:
        return g.check(table, 0, side, 0, 0, [price], [1], mark, index)

    assert at(60_000) == PASS
    assert at(0) == at(-5) == "price"
    assert at(61_201) == at(58_799) == "price collar"
    assert at(61_200) == at(58_800) == PASS
    assert at(60_000, nan, nan) == "no mark or index"
    assert at(60_000, nan, MARK) == at(60_000, MARK, nan) == PASS
    assert at(60_000, MARK, MARK * 1.05) == "price collar"
    assert at(60_000, math.inf) == "price collar"


references = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0, 1e308]) | st.floats(90.0, 110.0)


@given(st.integers(-5, 120), st.sampled_from([0.0, 0.01, 0.1, 1e300, math.nan, -0.1]), references, references)
@settings(max_examples=500, deadline=None)
def test_the_collar_is_around_every_known_reference(price: int, share: float, mark: float, index: float) -> None:
    g = Gate(1)
    g.set_limits(0, 100, 100, share, 1.0)
    known = [reference for reference in (mark, index) if reference > 0.0]
    expected = PASS
    if price <= 0:
        expected = "price"
    elif not known:
        expected = "no mark or index"
    elif not all(abs(price - reference) <= share * reference < math.inf for reference in known):
        expected = "price collar"
    assert g.check(OrderTable(1), 0, 1, 0, 0, [price], [1], mark, index) == expected


def test_own_orders_never_meet() -> None:
    g, table = gate(), OrderTable(1)
    table.take(0, -1, 60_010, 5)
    assert g.check(table, 0, 1, 0, 0, [60_009], [1], MARK, MARK) == PASS
    assert g.check(table, 0, 1, 0, 0, [60_010], [1], MARK, MARK) == "own orders would cross"
    table.take(0, 1, 60_000, 5)
    assert g.check(table, 0, -1, 0, 0, [60_000], [1], MARK, MARK) == "own orders would cross"


def test_an_instrument_without_limits_may_do_nothing() -> None:
    assert Gate(1).check(OrderTable(1), 0, 1, 0, 0, [60_000], [1], MARK, MARK) == "order size"


def test_one_instrument_reduces_while_another_trades() -> None:
    g, table = Gate(2), OrderTable(2)
    for instrument in range(2):
        g.set_limits(instrument, 100, 50, 0.02, 1.0)
    g.set_reducing(0, True)
    # Raising the limits again, as every reconnect does, ends nothing.
    g.set_limits(0, 100, 50, 0.02, 1.0)

    def at(instrument: int, side: int, resting: int, lots: int) -> str:
        return g.check(table, instrument, side, 10, resting, [60_000], [lots], MARK, MARK)

    assert at(0, 1, 0, 1) == "mode"
    assert at(0, -1, 0, 10) == at(0, -1, 4, 6) == PASS
    assert at(0, -1, 0, 11) == at(0, -1, 5, 6) == "mode"
    assert at(1, 1, 0, 40) == PASS
    g.set_reducing(0, False)
    assert at(0, 1, 0, 40) == PASS
