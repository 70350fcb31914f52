from typing import Any

from engine.core.alarm import Alarm
from engine.core.plan import Record
from kernels.book import Book

BREACHES: dict[int, str]

class Instrument:
    index: int
    name: bytes
    alarm: Alarm
    product: str
    tick_e8: int
    lot_e8: int
    book: Book
    book_synced: bool
    wants_resync: bool
    ticks: int
    fills: int
    quotes: int
    breach: int
    restraint: str | None
    breaches: int
    losses: int
    position_lots: int
    why: str
    def __init__(self, index: int, name: bytes, settings: Record, volatility: Record) -> None: ...
    def configure(self, tick_e8: int, lot_e8: int, min_lots: int, product: str) -> None: ...
    def unsync(self) -> None: ...
    def rebase(self, lots: int, price_usd: float) -> None: ...
    def records(self) -> dict[str, Any]: ...
    def status(self) -> dict[str, Any]: ...
