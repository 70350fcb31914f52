"""Types of the compiled module."""

from collections.abc import Callable

from picows import WSListener

class EchoListener(WSListener):
    answers: int
    def __init__(self, reply_size: int, closed: Callable[[], None]) -> None: ...
