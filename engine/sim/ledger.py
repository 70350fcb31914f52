"""What the core was told of its orders and fills, read from the bytes, against what it makes of them."""

from typing import Any

import orjson

from engine.core.step import Core
from engine.sim.options import LOT_E8
from engine.sim.violation import Violation

ENDED = frozenset(("filled", "cancelled", "cancelled_partially_filled"))


class Ledger:
    """Invariants 11 and 18: an order that ended stays ended, a filled amount never falls nor exceeds its order, and
    while a session is live the position moves by the fills that were told, each trade id once, and by nothing else.
    ``moved``: a fill was told since ``positions`` looked.
    """

    def __init__(self, core: Core) -> None:
        self.restarted(core)

    def restarted(self, core: Core) -> None:
        """Another process: it has been told nothing."""
        self._core = core
        self._instruments = {instrument.name.decode(): instrument for instrument in core.instruments}
        self._trades: set[str] = set()
        self._told = dict.fromkeys(self._instruments, 0)
        self._base: dict[str, int] = {}
        self._ended: set[str] = set()
        self._filled: dict[tuple[int, str], int] = {}
        self.moved = False

    def reset(self) -> None:
        """A connection begins or ends: positions are taken from the venue before the next session is live."""
        self._base.clear()
        self._filled.clear()

    def told(self, rows: list[dict[str, Any]]) -> None:
        """Reports of orders reach the core."""
        for row in rows:
            self._row(row)

    def answered(self, data: bytes) -> None:
        """A reply that tells of an order reaches the core."""
        result = orjson.loads(data).get("result")
        if isinstance(result, dict) and "order_id" in result:
            self._row(result)

    def _row(self, row: dict[str, Any]) -> None:
        instrument = self._instruments.get(row["instrument_name"])
        if instrument is None or instrument.tick_e8 == 0:
            return
        if row["status"] in ENDED:
            self._ended.add(row["order_id"])
        if row["change_reason"] == "existing":
            return
        for fill in row["fills"]:
            if fill["trade_id"] not in self._trades:
                self._trades.add(fill["trade_id"])
                lots = round(fill["amount"] * 1e8) // LOT_E8
                self._told[row["instrument_name"]] += lots if row["direction"] == "buy" else -lots
                self.moved = True

    def positions(self) -> None:
        """Every position is the one that the session began with, and the fills told since."""
        self.moved = False
        if not self._core.session.is_live:
            self._base.clear()
            return
        for name, instrument in self._instruments.items():
            base = instrument.position_lots - self._told[name]
            if self._base.setdefault(name, base) != base:
                excess = base - self._base[name]
                raise Violation(
                    18, f"{name}: position {instrument.position_lots} lots, {excess:+d} beyond the fills told"
                )

    def orders(self, believed: list[dict[str, Any]]) -> None:
        """What is believed of the orders: ``believed`` as ``OrderTable.orders`` tells it."""
        filled = {}
        for order in believed:
            number, lots = order["order_id"], order["filled_lots"]
            if not number:
                continue
            if number in self._ended and order["state"] != "ended" and order["repeats"] == 0:
                raise Violation(11, f"order {number} has ended and is believed {order['state']}")
            key = (order["slot"], number)
            if lots < self._filled.get(key, 0) or lots > order["lots"]:
                was = self._filled.get(key, 0)
                raise Violation(11, f"order {number} of {order['lots']} lots: {lots} filled, before that {was}")
            filled[key] = lots
        self._filled = filled
