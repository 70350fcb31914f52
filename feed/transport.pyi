"""Types of the compiled module."""

from collections.abc import Callable

from picows import WSListener, WSTransport

from feed.frames import FrameRules, MessageHandler, Sink
from feed.waterfall import Waterfall

def check_picows(version: str) -> None: ...
def now_ns() -> int: ...
def abort(transport: WSTransport) -> None: ...

class WsSink(Sink):
    waterfall: Waterfall | None
    reason: str
    paused: bool
    writes: int
    refused: int
    bytes_out: int
    def __init__(self, waterfall: Waterfall | None = None) -> None: ...

class Listener(WSListener):
    rules: FrameRules
    sink: WsSink
    transport: WSTransport | None
    ping_rtt_ns: int
    last_read_ns: int
    reason: str
    def __init__(
        self, handler: MessageHandler, sink: WsSink, closed: Callable[[str], None], message_bytes_max: int
    ) -> None: ...
    def give_up(self, code: int, reason: str) -> None: ...
    def close(self, reason: str) -> None: ...
    def abort_later(self, after_s: float) -> None: ...
    def why(self) -> str: ...
