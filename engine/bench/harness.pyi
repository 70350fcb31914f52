"""Types of the compiled module."""

import numpy as np
import numpy.typing as npt

from engine.core.step import Core
from engine.sim.tape import Tape
from feed.frames import MessageHandler, Sink
from feed.waterfall import Waterfall

class CountingSink(Sink):
    writes: int
    bytes_out: int
    written_ns: int
    waterfall: Waterfall | None

class Player:
    count: int
    tap: MessageHandler | None
    waterfall: Waterfall | None
    def __init__(self, tape: Tape) -> None: ...
    def play(self, core: Core, start: int, stop: int) -> None: ...
    def measure(
        self,
        core: Core,
        sink: CountingSink,
        start: int,
        stop: int,
        ns: npt.NDArray[np.int64],
        sent: npt.NDArray[np.int64],
        busy: npt.NDArray[np.int64],
    ) -> None: ...
    def blocks(self, core: Core, start: int, stop: int) -> tuple[int, int]: ...
    def time_messages(self, core: Core, start: int, stop: int) -> int: ...

class TapeHandler(MessageHandler):
    core: Core
    player: Player
    position: int
    wrong: str | None
    def __init__(self, core: Core, player: Player, waterfall: Waterfall | None = None, live_at: int = 0) -> None: ...

def repeat_quote(address: int, market: int, model: int, target: int, n: int) -> int: ...
def repeat_volatility(address: int, state: int, price_usd: float, step_ns: int, n: int) -> float: ...
def repeat_fill(address: int, position: int, lots: int, price_ticks: int, n: int) -> int: ...
def checked() -> bool: ...
def clock_cost_ns(rounds: int = 10_000) -> int: ...
