"""Types of the compiled module."""

from feed.frames import MessageHandler
from kernels.histogram import Histogram

def tail(number: int, sent_ns: int) -> bytes: ...

class Numbered(MessageHandler):
    lag: Histogram
    received: int
    misplaced: int
    missed: int
    largest_batch: int
    def __init__(self, inner: MessageHandler) -> None: ...
