from collections.abc import Sequence

from engine.core.orders import OrderTable

MODES: dict[int, str]
REASONS: dict[int, str]

class Gate:
    mode: int
    passed: int
    refused: int
    def __init__(self, instruments: int) -> None: ...
    def set_limits(
        self, instrument: int, max_lots: int, max_order_lots: int, collar: float, tick_usd: float
    ) -> None: ...
    def set_mode(self, mode: int) -> None: ...
    def set_reducing(self, instrument: int, reducing: bool) -> None: ...
    def check(
        self,
        table: OrderTable,
        instrument: int,
        side: int,
        position_lots: int,
        exposure_lots: int,
        price_ticks: Sequence[int],
        lots: Sequence[int],
        mark_usd: float,
        index_usd: float,
    ) -> str: ...
    def refusals(self) -> dict[str, int]: ...
