"""An event loop on a thread of its own, which the test's thread asks to do things."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

Result = TypeVar("Result")

ANSWER_S_MAX = 20.0


class Background:
    """``with Background() as background``: exchange and proxy live on its loop."""

    def __enter__(self) -> "Background":
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(ANSWER_S_MAX)

    def run(self, work: Awaitable[Result]) -> Result:
        """Await ``work`` on the loop; its result."""

        async def awaited() -> Result:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(ANSWER_S_MAX)

    def call(self, act: Callable[[], Result]) -> Result:
        """Call ``act`` on the loop's thread; its result."""

        async def called() -> Result:
            return act()

        return self.run(called())


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until ``condition()`` holds; how long it took. Raises AssertionError that says ``what`` did not happen."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - started
