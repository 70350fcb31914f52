"""One subscriber: its channels, and the notifications it has not read yet."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from feed.client_errors import Overrun


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """A notification as on the wire. ``generation`` counts the client's connections: what a new one sends follows a
    gap."""

    channel: str
    payload: Any
    snapshot: bool
    generation: int
    received_ns: int


class Subscription(AsyncIterator[ChannelMessage]):
    """Notifications of some channels, by ``async for`` or to a callback.

    At most ``buffer`` notifications wait for the reader; then the oldest are dropped and reading raises ``Overrun``
    once. The iteration ends when the subscription or the client is closed, and raises what ended the client if that
    was an error.
    """

    def __init__(
        self, channels: tuple[str, ...], callback: Callable[[ChannelMessage], None] | None, buffer: int
    ) -> None:
        if buffer < 1:
            raise ValueError("buffer must be positive")
        self.channels = channels
        self._callback = callback
        self._waiting: deque[ChannelMessage] = deque(maxlen=buffer)
        self._lost = 0
        self._arrived = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    def put(self, message: ChannelMessage) -> None:
        """Hand a notification over. A callback's exception goes to the event loop's exception handler."""
        if self._callback is None:
            if len(self._waiting) == self._waiting.maxlen:
                self._lost += 1
            self._waiting.append(message)
            self._arrived.set()
            return
        try:
            self._callback(message)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"the callback of {message.channel} failed", "exception": error}
            )

    def end(self, error: BaseException | None = None) -> None:
        """Let the iteration end once everything that waits has been read."""
        self._ended = True
        self._error = self._error or error
        self._arrived.set()

    async def __anext__(self) -> ChannelMessage:
        while True:
            if self._lost:
                lost, self._lost = self._lost, 0
                raise Overrun(lost)
            if self._waiting:
                return self._waiting.popleft()
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
