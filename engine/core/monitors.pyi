from engine.core.plan import Limits
from engine.core.risk import Gate

class Monitors:
    def __init__(self, instruments: int, limits: Limits, closing_rate: float, gate: Gate) -> None: ...
