import numpy as np
from numpy.typing import NDArray

from feed.frames import MessageHandler, Sink
from feed.stamps import Stamper
from kernels.ring import RingWriter

SLOT_BYTES: int
DATA_BYTES_MAX: int
TOKEN_PLACEHOLDER: str

def batch_end(handler: MessageHandler, now_ns: int) -> None: ...

class Tap(MessageHandler):
    handler: MessageHandler
    ring: RingWriter
    sequence: int
    def __init__(self, handler: MessageHandler, ring: RingWriter) -> None: ...
    def stamp(self, stamper: Stamper) -> None: ...
    def put(self, kind: int, now_ns: int, data: bytes = ..., last: bool = ...) -> None: ...
    def token(self, token: str, now_ns: int) -> None: ...

class TapSink(Sink):
    tap: Tap
    sink: Sink
    def __init__(self, tap: Tap, sink: Sink) -> None: ...

class AnswerSink(Sink):
    sent: list[bytes]
    def expect(self, refused: set[int]) -> None: ...

class Joiner:
    expected: int
    lost: int
    def __init__(self, expected: int = ...) -> None: ...
    def join(self, slots: NDArray[np.uint8]) -> list[tuple[int, int, int, bool, bytes]]: ...
