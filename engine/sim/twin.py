"""The fast decoder against the slow one, on messages of a simulated run."""

from collections.abc import Callable
from typing import Any

from engine.core.step import Core
from engine.sim.violation import Violation
from feed.as_record import as_record
from feed.decode import Decoder
from feed.decode_slow import decode
from feed.messages import Malformed

Record = dict[str, Any]
EVERY = 251
"""One message in so many is decoded both ways: the slow one is slow."""


class Twin:
    """Invariant 26: what the fast decoder accepts, the slow one accepts and reads alike.

    ``seed`` sets which messages are looked at. ``read``: what is broken on purpose in the fast decoder.
    """

    def __init__(self, core: Core, seed: int, read: Callable[[Record], Record] = lambda record: record) -> None:
        known = core.decoder
        self._fast = Decoder(known.channels, known.instruments, known.underlyings)
        self._left = seed % EVERY
        self._read = read

    def delivered(self, data: bytes) -> None:
        """A message reaches the core."""
        self._left -= 1
        if self._left < 0:
            self._left = EVERY - 1
            self.compare(data)

    def compare(self, data: bytes) -> None:
        """Decode a message both ways."""
        kind = self._fast.decode(data)
        if not kind:
            return
        fast = self._read(self._fast.record(kind))
        try:
            message = decode(data)
        except Malformed as error:
            raise Violation(26, f"only the fast decoder accepts ({error}): {data!r}") from None
        slow_kind, slow = as_record(message, self._fast.channels, self._fast.instruments, self._fast.underlyings)
        if (kind, fast) != (slow_kind, slow):
            raise Violation(26, f"fast {fast}, slow {slow}: {data!r}")
