"""Types of the compiled module."""

import ssl
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

def floor_client(descriptor: int, reply_size: int, spin: bool) -> int: ...
def server_frame(payload: bytes) -> bytes: ...

class Peer:
    def __init__(self, descriptor: int, spin: bool, tls: ssl.SSLSocket | None = None) -> None: ...
    def play(
        self, frames: Sequence[bytes], expected: Sequence[Sequence[bytes]], exact: bool
    ) -> tuple[npt.NDArray[np.int64], int]: ...
