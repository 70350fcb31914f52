"""Types of the compiled module."""

class MessageHandler:
    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None: ...
    def on_batch_end(self, now_ns: int) -> None: ...
    def on_connected(self, now_ns: int) -> None: ...
    def on_disconnected(self, now_ns: int, reason: str) -> None: ...

class Sink:
    def close(self, reason: str) -> None: ...

class ListSink(Sink):
    sent: list[bytes]
    blocked: bool
    closed: list[str]
    @property
    def refused(self) -> int: ...

class FrameRules:
    poisoned: bool
    close_code: int
    peer_code: int
    reason: str
    error: BaseException | None
    frames: int
    messages: int
    fragmented: int
    controls: int
    dropped: int
    bytes_in: int
    def __init__(self, handler: MessageHandler, message_bytes_max: int = ..., fragments_max: int = ...) -> None: ...
    def on_frame(
        self, opcode: int, fin: bool, rsv: int, payload: bytes, now_ns: int = 0, last_in_batch: bool = True
    ) -> int: ...
    def poison(self, close_code: int, reason: str) -> None: ...
    def stats(self) -> dict[str, int]: ...

def valid_utf8(text: bytes) -> bool: ...
