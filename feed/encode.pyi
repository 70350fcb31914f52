from collections.abc import Sequence

class Encoder:
    def __init__(self, capacity: int = ...) -> None: ...
    def insert(
        self,
        request_id: int,
        buy: bool,
        instrument: bytes,
        price_e8: int,
        amount_e8: int,
        client_order_id: int,
        label: bytes = b"",
        flags: int = 0,
    ) -> bytes: ...
    def amend(self, request_id: int, client_order_id: int, price_e8: int, amount_e8: int) -> bytes: ...
    def cancel(self, request_id: int, client_order_id: int) -> bytes: ...
    def cancel_by_order_id(self, request_id: int, order_id: bytes) -> bytes: ...
    def simple(self, request_id: int, method: bytes) -> bytes: ...
    def mass_quote(
        self,
        request_id: int,
        quotes: Sequence[tuple[bytes, Sequence[tuple[int, int]] | None, Sequence[tuple[int, int]] | None]],
        label: bytes = b"",
        flags: int = 0,
    ) -> bytes: ...
    def repeat_mass_quote(
        self, instrument: bytes, price_e8: int, step_e8: int, amount_e8: int, levels: int, n: int
    ) -> int: ...
