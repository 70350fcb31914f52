"""The first steps of a set-up on a second connection, against the real exchange, and their hand-over to a session."""

import asyncio
import time
from dataclasses import replace

import pytest

from feed.auth import throwaway_key
from feed.connection import connect
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.seeded import SeededMarket
from feed.exchange.server import Server, serve
from feed.prelude import Prelude, PreludeFailed, Prepared
from feed.session_plan import SessionPlan
from feed.session_table import PRELUDE_STEPS, TABLE, State, Trigger
from feed.transport import now_ns
from tests.feed.raw_server import Peer, RawServer, Recorder, frame, wait_for
from tests.feed.session_driver import ORDER, Driver

PLAN = SessionPlan(instruments=("BTC-PERPETUAL",), channels_public=("system",))


async def walked(url: str, plan: SessionPlan = PLAN) -> Prepared:
    key = throwaway_key()
    prelude = Prelude(plan, lambda: key.token(time.time()))
    return await prelude.walk(await connect(prelude, url, sink=prelude.sink), now_ns)


async def served() -> Server:
    return await serve(Exchange(SeededMarket(default_instruments(time.time_ns()), 0)))


def test_a_walk_logs_in_and_switches_cancel_on_disconnect_on_and_nothing_else(run):
    async def work() -> None:
        server = await served()
        try:
            prepared = await walked(server.url)
            (connection,) = server.exchange.connections.values()
            assert prepared.connection.is_open
            assert (prepared.account, prepared.message_rate) == (connection.account.number, 50)
            assert not connection.persistent, "cancel-on-disconnect is on"
            handler = Recorder()
            prepared.connection.hand_over(handler)
            assert handler.calls == ["connected"]
            prepared.connection.abort("enough")
            await wait_for(lambda: handler.calls[-1] == "disconnected")
        finally:
            await server.close()

    run(work())


def test_another_environment_is_refused_and_the_connection_dropped(run):
    async def work() -> None:
        server = await served()
        try:
            with pytest.raises(PreludeFailed, match="environment, not mainnet"):
                await walked(server.url, replace(PLAN, environment="mainnet"))
            await wait_for(lambda: not server.exchange.connections)
        finally:
            await server.close()

    run(work())


@pytest.mark.parametrize("how", ["cut", "silence", "nonsense"])
def test_a_walk_that_does_not_end_leaves_no_connection(run, how):
    async def script(peer: Peer) -> None:
        await peer.read()
        if how == "cut":
            peer.writer.transport.abort()
        elif how == "nonsense":
            await peer.send(frame(b"{"))
        await asyncio.sleep(5)

    async def work() -> None:
        async with RawServer(script) as server:
            with pytest.raises(ConnectionError):
                await walked(server.url, replace(PLAN, reply_timeout_ns=100_000_000))

    run(work())


def test_a_prepared_connection_begins_behind_the_steps_it_has_been_through():
    driver = Driver()
    driver.session.prepared("A123", 50)
    driver.connect()
    assert not driver.session.wants_token
    driver.run()
    assert [request["method"] for request in driver.sent] == ORDER[4:]
    assert [type(event).__name__ for event in driver.events[:2]] == ["LoggedIn", "MessageRate"]
    driver.session.disconnected(0, "lost")
    driver.sent.clear()
    driver.connect()
    driver.run()
    assert [request["method"] for request in driver.sent] == ORDER, "the next one is not prepared"


def test_the_steps_of_a_prelude_are_the_first_of_the_set_up():
    state, found = State.LOGIN, set()
    while state in PRELUDE_STEPS:
        found.add(state)
        state = TABLE[state][Trigger.DONE]
    assert found == PRELUDE_STEPS
