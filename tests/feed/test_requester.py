"""Requests against a peer that answers late, wrongly or not at all; and subscribers that are slow or broken."""

import asyncio
import json
from random import Random
from typing import Any

import pytest

from feed.auth import throwaway_key
from feed.backoff import BackoffSettings
from feed.client import ThalexClient
from feed.client_errors import NotSent, OutcomeUnknown, Overrun, VenueError
from feed.connection import Connection, connect
from feed.requester import Requester
from feed.subscription import ChannelMessage, Subscription
from feed.venue import Method
from tests.feed.raw_server import TEXT, Peer, RawServer, frame, wait_for

ORDER = {"instrument_name": "X", "amount": 1, "price": 1}


class Venue:
    """Keeps the requests and answers those that the test says."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.peer: Peer | None = None
        self.answers: dict[str, Any] = {}

    async def script(self, peer: Peer) -> None:
        self.peer = peer
        while True:
            opcode, payload = await peer.read()
            if opcode != TEXT:
                continue
            request = json.loads(payload)
            self.requests.append(request)
            if request["method"] in self.answers:
                await self.reply(request, **self.answers[request["method"]])

    async def reply(self, request: dict[str, Any], **result_or_error: Any) -> None:
        assert self.peer is not None
        await self.peer.send(frame(json.dumps({"id": request["id"], **result_or_error}).encode()))

    @property
    def methods(self) -> list[str]:
        return [request["method"] for request in self.requests]


def with_requester(run, work) -> None:
    async def whole() -> None:
        venue, told = Venue(), []
        requester = Requester(lambda message, _now: told.append(message))
        async with RawServer(venue.script) as server:
            connection = await connect(requester, server.url, sink=requester.sink)
            await work(requester, venue, connection)
            connection.abort("done")
            await connection.wait_closed()

    run(whole())


def test_no_answer_is_an_unknown_outcome_and_a_late_one_changes_nothing(run):
    async def work(requester: Requester, venue: Venue, connection: Connection):
        with pytest.raises(OutcomeUnknown, match="no answer"):
            await requester.call(Method.BUY, ORDER, 0.05)
        await venue.reply(venue.requests[0], result={"order_id": "1"})
        await wait_for(lambda: requester.unmatched == 1)
        assert connection.is_open

    with_requester(run, work)


def test_a_lost_connection_tells_sent_from_unsent(run):
    async def work(requester: Requester, venue: Venue, connection: Connection):
        requester.outbox.set_message_rate(1)
        calls = [asyncio.create_task(requester.call(Method.BUY, ORDER, 5)) for _ in range(3)]
        await wait_for(lambda: len(venue.requests) == 1)
        connection.abort("cut")
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [OutcomeUnknown, NotSent, NotSent]
        with pytest.raises(NotSent, match="not connected"):
            await requester.call(Method.BUY, ORDER, 5)

    with_requester(run, work)


@pytest.mark.parametrize("text", [b"{", b"[]", b"1", b"{}", b'{"id":1}', b'{"id":{}}', b'{"id":1,"error":5}'])
def test_nonsense_poisons_the_connection(run, text):
    async def work(requester: Requester, venue: Venue, connection: Connection):
        call = asyncio.create_task(requester.call(Method.SYSTEM_INFO, {}, 5))
        await wait_for(lambda: bool(venue.requests))
        assert venue.peer is not None
        await venue.peer.send(frame(text))
        with pytest.raises(OutcomeUnknown, match="handler failed"):
            await call
        assert not connection.is_open and connection.error is not None

    with_requester(run, work)


def test_what_is_urgent_leaves_first_and_cancels_at_once(run):
    async def work(requester: Requester, venue: Venue, connection: Connection):
        requester.outbox.set_message_rate(4)
        quotes = [asyncio.create_task(requester.call(Method.BUY, ORDER, 5)) for _ in range(8)]
        await wait_for(lambda: len(venue.requests) >= 1)
        waiting = len(venue.requests)
        reducing = asyncio.create_task(requester.call(Method.SELL, {**ORDER, "reduce_only": True}, 5))
        cancel = asyncio.create_task(requester.call(Method.CANCEL, {"order_id": "A"}, 5))
        await wait_for(lambda: Method.CANCEL in venue.methods)
        assert len(venue.requests) <= waiting + 2
        await wait_for(lambda: Method.SELL in venue.methods)
        later = venue.methods[waiting:]
        assert later.count(Method.BUY) == 0 or later.index(Method.SELL) < later.index(Method.BUY)
        for task in (*quotes, reducing, cancel):
            task.cancel()
        await asyncio.gather(*quotes, reducing, cancel, return_exceptions=True)

    with_requester(run, work)


def test_throttling_stops_quotes_and_never_cancels(run):
    async def work(requester: Requester, venue: Venue, connection: Connection):
        venue.answers = {
            Method.BUY: {"error": {"code": 4, "message": "throttle exceeded"}},
            Method.CANCEL: {"error": {"code": 1, "message": "order not found"}},
        }
        with pytest.raises(VenueError) as caught:
            await requester.call(Method.BUY, ORDER, 5)
        assert (caught.value.code, caught.value.name) == (4, "THROTTLE_EXCEEDED")
        assert requester.outbox.stats()["breaker"] == "open"
        with pytest.raises(NotSent):
            await requester.call(Method.BUY, ORDER, 0.1)
        with pytest.raises(VenueError):
            await requester.call(Method.CANCEL, {"order_id": "A"}, 5)
        assert venue.methods == [Method.BUY, Method.CANCEL]

    with_requester(run, work)


def test_a_cancelled_call_that_waits_is_never_sent(run):
    async def work(requester: Requester, venue: Venue, connection: Connection):
        requester.outbox.set_message_rate(1)
        calls = [asyncio.create_task(requester.call(Method.BUY, {**ORDER, "price": n}, 5)) for n in (1, 2, 3)]
        await wait_for(lambda: len(venue.requests) == 1)
        calls[1].cancel()
        await wait_for(lambda: len(venue.requests) == 2)
        assert [request["params"]["price"] for request in venue.requests] == [1, 3]
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    with_requester(run, work)


def test_three_refused_logins_end_the_client(run):
    """The first set-up is good; after a drop every login is refused."""

    async def whole() -> None:
        venue = Venue()
        good = {
            Method.LOGIN: {"result": {"account_number": "A1"}},
            Method.SET_CANCEL_ON_DISCONNECT: {"result": {"message_rate": 50}},
            Method.INSTRUMENTS: {"result": []},
            Method.PUBLIC_SUBSCRIBE: {"result": ["system"]},
        }
        venue.answers = dict(good)
        async with RawServer(venue.script) as server:
            client = ThalexClient(
                server.url,
                throwaway_key(),
                backoff=BackoffSettings(first_ns=1_000_000, cap_ns=2_000_000),
                random=Random(1),
            )
            await client.initialize()
            venue.answers[Method.PUBLIC_SUBSCRIBE] = {"result": ["price_index.BTCUSD"]}
            subscription = await client.subscribe("price_index.BTCUSD")
            venue.answers[Method.LOGIN] = {"error": {"code": 19, "message": "authentication failed"}}
            assert venue.peer is not None
            venue.peer.writer.transport.abort()
            with pytest.raises(VenueError):
                await asyncio.wait_for(anext(subscription), 5)
            assert isinstance(client.failure, VenueError) and client.failure.code == 19
            assert venue.methods.count(Method.LOGIN) == 4
            with pytest.raises(VenueError):
                await client.ticker("X")
            await client.close()

    run(whole())


def message(number: int) -> ChannelMessage:
    return ChannelMessage("c", number, False, 1, 0)


def test_a_slow_reader_is_told_how_much_it_lost(run):
    async def work() -> None:
        subscription = Subscription(("c",), None, 3)
        for number in range(5):
            subscription.put(message(number))
        with pytest.raises(Overrun) as caught:
            await anext(subscription)
        assert caught.value.lost == 2
        assert [(await anext(subscription)).payload for _ in range(3)] == [2, 3, 4]
        subscription.end()
        assert [m async for m in subscription] == []

    run(work())


def test_a_reader_gets_what_came_before_the_end_and_then_the_error(run):
    async def work() -> None:
        subscription = Subscription(("c",), None, 3)
        subscription.put(message(1))
        subscription.end(NotSent("gone"))
        assert (await anext(subscription)).payload == 1
        with pytest.raises(NotSent):
            await anext(subscription)
        with pytest.raises(ValueError):
            Subscription(("c",), None, 0)

    run(work())


def test_a_broken_callback_is_reported_and_breaks_nothing_else(run):
    async def work() -> None:
        reports: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reports.append(context))
        seen: list[int] = []

        def callback(given: ChannelMessage) -> None:
            seen.append(given.payload)
            raise KeyError("a bug")

        subscription = Subscription(("c",), callback, 3)
        subscription.put(message(1))
        subscription.put(message(2))
        assert seen == [1, 2]
        assert [type(report["exception"]) for report in reports] == [KeyError, KeyError]

    run(work())
