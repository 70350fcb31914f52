"""Orders that somebody else cancelled, read from the bytes, against what the core quotes afterwards."""

from typing import Any

from engine.core.step import Core
from engine.sim.options import SwarmOptions
from engine.sim.violation import Violation

BULK = "client_bulk_cancel"


class Holds:
    """Invariant 35: what somebody else cancelled is not put back before the hold is over; no hold without cause.

    ``expected``: a person has cancelled something in this run.
    """

    def __init__(self, core: Core, options: SwarmOptions) -> None:
        self.expected = False
        self._hold_ns: int = options.windows["hold_ns"]
        self.restarted(core)

    def restarted(self, core: Core) -> None:
        """Another process: it has been told nothing."""
        self._core = core
        self._until_ns = 0
        self._ended: set[str] = set()

    def lifted(self) -> None:
        """A person has resumed."""
        self._until_ns = 0

    def told(self, rows: list[dict[str, Any]], now_ns: int) -> None:
        """Reports reach the core: is one of an order that it believes in, and has not asked to remove?"""
        cancelled = {row["order_id"] for row in rows if row.get("delete_reason") == BULK} - self._ended
        if not cancelled or not self._hold_ns:
            return
        self._ended |= cancelled
        for order in self._core.table.orders():
            if order["order_id"] in cancelled and order["state"] in ("live", "amending", "unknown"):
                self._until_ns = now_ns + self._hold_ns

    def quoting(self, now_ns: int) -> None:
        """The core quotes."""
        if now_ns < self._until_ns:
            left_s = (self._until_ns - now_ns) / 1e9
            raise Violation(35, f"quoted {left_s:.3f} s before the hold of what somebody else cancelled is over")

    def judge(self) -> None:
        """Nobody but a person makes the core hold."""
        if self._core.restraint.held is not None and not self.expected:
            raise Violation(35, f"held without cause: {self._core.restraint.held}")
