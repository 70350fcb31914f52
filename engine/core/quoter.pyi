from engine.core.instrument import Instrument
from engine.core.orders import OrderTable
from engine.core.requests import RequestRing
from engine.core.restraint import Restraint
from engine.core.risk import Gate

class Quoter:
    table: OrderTable
    gate: Gate
    restraint: Restraint
    requests: RequestRing
    instruments: list[Instrument]
    quotes_sent: int
    messages_sent: int
    decisions: int
    encoded: int
