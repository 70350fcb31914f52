"""The live loop when the venue announces a close: the next connection first, then the old one emptied, then its end."""

import asyncio
from typing import Any

import pytest

from engine.live.loop import Cause
from feed.connection import ConnectFailed
from feed.prelude import PreludeFailed
from tests.engine.test_live_loop import FakeNext, World, both, played, until


def announced(**options: Any) -> World:
    """A live world whose venue has announced that it closes the connection."""
    world = World(pause_ns=60_000_000_000, **options)
    world.core.session.is_live = True
    world.core.close_announced = True
    return world


def test_an_announced_close_is_followed_on_a_connection_that_was_opened_before() -> None:
    async def scenario() -> None:
        world = announced(attempts_max=1)

        async def script() -> None:
            await until(lambda: world.core.acts)
            assert world.core.acts == ["move"]
            assert len(world.prepared) == 1
            await asyncio.sleep(0.05)
            assert [one.calls for one in world.connections] == [[]], "the old one is there until it is empty"
            world.core.orders_left, world.core.wants_close = 0, "empty"
            await until(lambda: len(world.connections) == 2)
            assert world.connections[0].calls == ["retire"]
            assert world.loop.ignored == 7
            await asyncio.sleep(0.05)
            world.loop.stop()

        ending = await both(world, script())
        assert ending.cause is Cause.STOPPED
        assert (world.attempts, len(world.prepared)) == (1, 1)
        assert not world.prepared[0].aborted

    played(scenario)


def test_a_connection_that_is_not_proven_empty_is_dropped_for_the_venue_to_cancel() -> None:
    async def scenario() -> None:
        world = announced()

        async def script() -> None:
            await until(lambda: world.core.acts)
            world.core.wants_close = "the venue does not answer the stop"
            await until(lambda: len(world.connections) == 2)
            assert world.connections[0].calls == ["abort"]
            world.loop.stop()

        await both(world, script())

    played(scenario)


@pytest.mark.parametrize("error", [ConnectFailed("refused"), TimeoutError(), PreludeFailed("logged in elsewhere")])
def test_without_a_next_connection_the_old_one_stays_until_its_end(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.live.loop.MOVE_AGAIN_S", 0.01)

    async def scenario() -> None:
        attempts: list[int] = []

        async def refused() -> FakeNext:
            attempts.append(1)
            raise error

        world = announced(prepare=refused)

        async def script() -> None:
            await until(lambda: attempts)
            await asyncio.sleep(0.1)
            assert (len(attempts) == 1) == isinstance(error, PreludeFailed), "what was refused is not asked again"
            assert (world.core.acts, world.connections[0].calls) == ([], [])
            world.connections[0].finish("the peer closed with 1001")
            await until(lambda: len(world.connections) == 2)
            world.loop.stop()

        await both(world, script())
        assert world.attempts == 2, "at once, though the pause is a minute"

    played(scenario)


def test_a_next_connection_that_comes_too_late_or_during_the_stop_is_dropped() -> None:
    async def scenario() -> None:
        world = announced()
        given: asyncio.Future[FakeNext] = asyncio.get_running_loop().create_future()

        async def late() -> FakeNext:
            return await asyncio.shield(given)

        world.loop._prepare = late

        async def script() -> None:
            await until(lambda: world.loop._mover)
            world.core.close_announced = False
            world.connections[0].finish("the peer closed with 1001")
            await until(lambda: len(world.connections) == 2)
            following = FakeNext(world)
            given.set_result(following)
            await until(lambda: following.aborted)
            assert world.core.acts == []
            world.loop.stop()

        await both(world, script())

        world = announced()

        async def stopping() -> None:
            await until(lambda: world.core.acts)
            world.loop.stop()

        assert (await both(world, stopping())).clean
        assert world.prepared[0].aborted
        assert len(world.connections) == 1

    played(scenario)
