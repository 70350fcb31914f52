"""The live loop against a scripted core and connection: timers, tokens, reconnects, the two kinds of stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

import pytest
import uvloop

from engine.live.clock import now_ns
from engine.live.loop import Cause, Ending, LiveLoop
from feed.backoff import Backoff, BackoffSettings
from feed.connection import ConnectFailed

LOG = logging.Logger("test")


class FakeSession:
    is_live = False


class FakeCore:
    """A core that records what it is told; ``orders`` is what the venue holds."""

    def __init__(self) -> None:
        self.session = FakeSession()
        self.mode = "ACTIVE"
        self.wants_token = False
        self.tokens: list[str] = []
        self.deadline_ns = 0
        self.timers: list[int] = []
        self.wants_close: str | None = None
        self.fatal: str | None = None
        self.close_announced = False
        self.stopped = False
        self.orders_left = -1
        self.orders = 3
        self.answers = True
        self.acts: list[str] = []
        self.on_timer_hook: Callable[[], None] = lambda: None

    def provide_token(self, token: str, now_ns: int) -> None:
        self.tokens.append(token)
        self.wants_token = False

    def on_timer(self, now: int) -> None:
        assert now >= self.deadline_ns
        self.timers.append(now)
        self.deadline_ns = now + 5_000_000
        self.on_timer_hook()
        if "stop" in self.acts and self.answers:
            self.orders, self.orders_left, self.stopped = 0, 0, True

    def operator(self, act: str, now_ns: int) -> None:
        self.acts.append(act)
        if act == "move":
            self.orders_left = -1
            return
        self.mode = "HALTED"

    def status(self) -> dict[str, Any]:
        return {}


class FakeConnection:
    def __init__(self, core: FakeCore) -> None:
        self.core = core
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.calls: list[str] = []
        self.error: BaseException | None = None

    async def wait_closed(self) -> str:
        return await asyncio.shield(self.ended)

    def finish(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    def close(self, reason: str) -> None:
        self.calls.append("close")
        self.finish("closed by us")

    def retire(self, reason: str, gone: Callable[[int], None]) -> None:
        self.calls.append("retire")
        self.core.wants_close = None
        self.finish(reason)
        gone(7)

    def abort(self, reason: str) -> None:
        self.calls.append("abort")
        self.core.wants_close = None
        self.finish("aborted")


class FakeNext:
    """The next connection of a world, logged in."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.is_open = True
        self.aborted = False

    def take(self) -> FakeConnection:
        self.world.core.close_announced = False
        self.world.connections.append(FakeConnection(self.world.core))
        return self.world.connections[-1]

    def abort(self, reason: str) -> None:
        self.aborted = True


class World:
    """A loop, its core, and every connection it made; ``refusals`` connections are refused first."""

    def __init__(self, *, refusals: int = 0, pause_ns: int = 1_000_000, **options: Any) -> None:
        self.core = FakeCore()
        self.connections: list[FakeConnection] = []
        self.attempts = 0
        options.setdefault("prepare", self.prepare)
        self.refusals = refusals
        settings = BackoffSettings(first_ns=pause_ns, cap_ns=5 * pause_ns)
        options.setdefault("stop_timeout_s", 0.3)
        self.loop = LiveLoop(
            self.core, self.connect, lambda: "token", now_ns, Backoff(Random(1), settings), LOG, **options
        )
        self.prepared: list[FakeNext] = []

    async def prepare(self) -> FakeNext:
        self.prepared.append(FakeNext(self))
        return self.prepared[-1]

    async def connect(self) -> FakeConnection:
        self.attempts += 1
        if self.attempts <= self.refusals:
            raise ConnectionRefusedError("nobody there")
        self.connections.append(FakeConnection(self.core))
        return self.connections[-1]


def played(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), 10))


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


async def both(world: World, script: Awaitable[None], seconds: float | None = None) -> Ending:
    ending, _ = await asyncio.gather(world.loop.run(seconds), script)
    return ending


@pytest.mark.parametrize("spin", [False, True])
def test_a_stop_proves_that_no_order_is_left_and_closes_in_order(spin: bool) -> None:
    async def scenario() -> None:
        world = World(spin=spin)
        world.core.wants_token = True

        async def script() -> None:
            await until(lambda: world.core.tokens and len(world.core.timers) > 3)
            world.loop.stop()

        ending = await both(world, script())
        assert ending == Ending(Cause.STOPPED, "", connected=True, clean=True, mode="ACTIVE")
        assert world.core.tokens == ["token"]
        assert world.core.acts == ["stop"]
        assert world.connections[0].calls == ["close"]
        timers = len(world.core.timers)
        await asyncio.sleep(0.03)
        assert len(world.core.timers) == timers, "no timer fires after the end"

    played(scenario)


def test_the_time_is_up() -> None:
    async def scenario() -> None:
        world = World()
        ending = await world.loop.run(0.05)
        assert (ending.cause, ending.clean) == (Cause.TIME_IS_UP, True)

    played(scenario)


def test_a_venue_that_does_not_answer_the_stop_is_aborted_after_the_time_given() -> None:
    async def scenario() -> None:
        world = World(stop_timeout_s=0.05)
        world.core.answers = False
        ending = await world.loop.run(0.02)
        assert ending.clean is False
        assert world.connections[0].calls[0] == "abort"

    played(scenario)


def test_a_second_stop_drops_the_connection_at_once() -> None:
    async def scenario() -> None:
        world = World(stop_timeout_s=30.0)
        world.core.answers = False

        async def script() -> None:
            await until(lambda: world.connections)
            world.loop.stop()
            await until(lambda: world.core.acts)
            world.loop.stop()

        ending = await both(world, script())
        assert ending.clean is False
        assert ending.cause is Cause.ABORTED
        assert world.connections[0].calls[0] == "abort"

    played(scenario)


def test_lost_connections_are_made_again() -> None:
    async def scenario() -> None:
        world = World(refusals=2)

        async def script() -> None:
            await until(lambda: world.connections)
            world.connections[0].finish("the peer closed with 1012")
            await until(lambda: len(world.connections) == 2)
            world.core.wants_close = "malformed message"
            await until(lambda: len(world.connections) == 3)
            world.loop.stop()

        ending = await both(world, script())
        assert ending.clean is True
        assert world.attempts == 5
        assert world.connections[1].calls == ["abort"]

    played(scenario)


@pytest.mark.parametrize(
    ("announced", "live", "at_once"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_only_an_announced_close_of_a_live_session_is_followed_without_a_pause(
    announced: bool, live: bool, at_once: bool
) -> None:
    async def scenario() -> None:
        world = World(pause_ns=60_000_000_000)
        world.core.session.is_live = live

        async def script() -> None:
            await until(lambda: world.connections)
            world.core.close_announced = announced
            world.core.wants_close = "the venue asked for a new connection"
            await until(lambda: world.connections[0].calls)
            await asyncio.sleep(0.1)
            assert (len(world.connections) == 2) == at_once
            world.core.close_announced = False
            world.connections[-1].finish("lost")
            await asyncio.sleep(0.1)
            assert world.attempts == 1 + at_once, "the next one waits"
            world.loop.stop()

        await both(world, script())

    played(scenario)


def test_attempts_in_a_row_end_and_a_live_session_starts_the_count_again() -> None:
    async def scenario() -> None:
        world = World(refusals=99, attempts_max=3)
        ending = await world.loop.run()
        assert (ending.cause, ending.connected, world.attempts) == (Cause.UNREACHABLE, False, 3)
        assert "nobody there" in ending.detail

        world = World(attempts_max=2)
        world.core.session.is_live = True

        async def script() -> None:
            for count in range(1, 5):
                await until(lambda: len(world.connections) == count)  # noqa: B023
                await asyncio.sleep(0.03)
                world.connections[-1].finish("lost")
            await until(lambda: len(world.connections) == 5)
            world.loop.stop()

        assert (await both(world, script())).cause is Cause.STOPPED

    played(scenario)


def test_a_fatal_reason_ends_the_run_without_another_attempt() -> None:
    async def scenario() -> None:
        world = World()

        async def script() -> None:
            await until(lambda: world.connections)
            world.core.fatal = "unknown instrument BTC-PERPETUALL"

        ending = await both(world, script())
        assert (ending.cause, ending.detail) == (Cause.FATAL, "unknown instrument BTC-PERPETUALL")
        assert world.attempts == 1

    played(scenario)


def test_an_exception_of_the_core_drops_the_connection_and_ends_the_run() -> None:
    async def scenario() -> None:
        world = World()

        def broken() -> None:
            if world.connections:
                raise ZeroDivisionError("canary")

        world.core.on_timer_hook = broken
        ending = await world.loop.run()
        assert ending.cause is Cause.FAILED
        assert "canary" in ending.detail
        assert world.connections[0].calls[0] == "abort"

    played(scenario)


def test_an_exception_while_a_message_was_handled_ends_the_run_without_another_connection() -> None:
    async def scenario() -> None:
        world = World()

        async def script() -> None:
            await until(lambda: world.connections)
            world.connections[0].error = ZeroDivisionError("canary")
            world.connections[0].finish("the handler raised")

        ending = await both(world, script())
        assert ending.cause is Cause.FAILED
        assert "canary" in ending.detail
        assert world.attempts == 1

    played(scenario)


def test_the_pause_that_a_refusing_venue_asks_for_is_kept() -> None:
    async def scenario() -> None:
        world = World()
        attempts: list[float] = []

        async def refused() -> FakeConnection:
            attempts.append(asyncio.get_running_loop().time())
            if len(attempts) == 1:
                raise ConnectFailed("503", 0.2)
            return await World.connect(world)

        world.loop._connect = refused  # type: ignore[assignment]
        await world.loop.run(0.4)
        assert attempts[1] - attempts[0] >= 0.19

    played(scenario)
