from engine.core.instrument import Instrument

class Reports:
    halt: str | None
    duplicates: int
    unknown_replies: int
    errors: int
    last_error: int
    foreign: int
    def book_missed(self, instrument: Instrument, lots: int, price_usd: float) -> None: ...
