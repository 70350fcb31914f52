"""The risk gate on one side of a ladder, called from Python, against the same rules in plain Python."""

from benchmarks.conftest import Race
from engine.core.orders import OrderTable
from engine.core.risk import Gate

N = 500
MARK_USD = 60_000.0
MAX_LOTS, ORDER_LOTS, COLLAR = 1_000, 100, 0.02


def plain(opposite: int, position: int, exposure: int, prices: list[int], lots: list[int], mark: float) -> str:
    """A buy's checks: size, collar, own crossing, worst case."""
    total = exposure
    for price, size in zip(prices, lots, strict=True):
        if not 0 < size <= ORDER_LOTS:
            return "order size"
        if price <= 0 or abs(price - mark) > COLLAR * mark:
            return "price collar"
        if price >= opposite:
            return "own orders would cross"
        total += size
        if total > MAX_LOTS - position:
            return "worst case over the position limit"
    return "pass"


def test_risk(race: Race) -> None:
    gate, table, n = Gate(1), OrderTable(1), 5 if race.smoke else N
    gate.set_limits(0, MAX_LOTS, ORDER_LOTS, COLLAR, 1.0)
    for level in range(5):
        table.take(0, -1, 60_010 + level, 10)
    prices, lots = [60_000 - level for level in range(5)], [50] * 5
    for position in (0, 700, 800):
        verdict = gate.check(table, 0, 1, position, 0, prices, lots, MARK_USD, MARK_USD)
        assert verdict == plain(60_010, position, 0, prices, lots, MARK_USD)

    def ours() -> None:
        for _ in range(n):
            gate.check(table, 0, 1, 100, 50, prices, lots, MARK_USD, MARK_USD)

    def theirs() -> None:
        for _ in range(n):
            plain(60_010, 100, 50, prices, lots, MARK_USD)

    race("risk.check", ours, theirs, "plain Python", ops=n, their_ops=n)
    assert gate.refused == 1, "only the worst case was refused"
