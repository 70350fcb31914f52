"""What the tests of the feed share."""

import asyncio
from collections.abc import Awaitable

import pytest
import uvloop


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    def runner(work: Awaitable[None]) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as loop:
            loop.run(asyncio.wait_for(work, 20))

    return runner
