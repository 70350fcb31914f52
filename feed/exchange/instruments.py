"""Instruments of the local exchange (protocol sections 5 and 11)."""

from dataclasses import dataclass
from typing import Literal

E8 = 100_000_000
"""Fixed point: the venue rounds every number it receives to 8 decimals (protocol section 3)."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable contract: linear, one contract is one unit of the underlying, quoted in USD.

    ``tick_e8`` and ``lot_e8`` are the price and volume ticks in units of 1e-8; ``min_lots`` the smallest order in lots.
    ``expiry_ns`` is the epoch time of expiry in ns, 0 for a perpetual.
    """

    name: str
    underlying: str
    kind: Literal["perpetual", "future"]
    tick_e8: int
    lot_e8: int
    min_lots: int
    expiry_ns: int = 0
    create_ns: int = 0

    @property
    def product(self) -> str:
        """Product of the protection group: ``F`` and the underlying (protocol section 7.2)."""
        return f"F{self.underlying}"

    @property
    def tick_usd(self) -> float:
        """Price tick in USD."""
        return self.tick_e8 / E8

    @property
    def lot_contracts(self) -> float:
        """Volume tick in contracts."""
        return self.lot_e8 / E8
