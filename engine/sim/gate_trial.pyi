class GateTrial:
    events: int
    sent: int
    refused: int
    fills: int
    rejected: int
    drops: int
    overs: int
    unders: int
    flips: int
    def __init__(self, seed: int, fault: int = 0) -> None: ...
    def run(self, schedules: int, events: int) -> int: ...
