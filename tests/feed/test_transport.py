"""The transport on real sockets, against a server that breaks the rules. On asyncio and on uvloop."""

import asyncio
from itertools import pairwise

import pytest

from feed.connection import Connection, connect
from feed.outbox import Outbox
from feed.transport import WsSink, check_picows, now_ns
from feed.waterfall import Waterfall
from tests.feed.raw_server import BINARY, CLOSE, PING, PONG, TEXT, Peer, RawServer, Recorder, forever, frame, wait_for


async def session(script, handler: Recorder | None = None, **options) -> tuple[Recorder, Connection, RawServer]:
    """Connect, let the script run, wait for the end of the connection."""
    handler = handler or Recorder()
    async with RawServer(script) as server:
        connection = await connect(handler, server.url, **options)
        await asyncio.wait_for(connection.wait_closed(), 5)
    assert handler.calls.count("connected") == 1 and handler.calls[0] == "connected"
    assert handler.calls.count("disconnected") == 1 and handler.calls[-1] == "disconnected"
    assert handler.reason == connection.reason != "" and not connection.is_open
    return handler, connection, server


MESSAGES = [b"", b"a", b'{"id":1}' * 20, "κόσμε €".encode(), b"x" * 70_000, b"last"]


@pytest.mark.parametrize("how", ["each", "one write", "byte by byte", "odd pieces"])
def test_the_cutting_of_the_stream_changes_nothing(run, how):
    frames = [
        frame(MESSAGES[0]), frame(MESSAGES[1], BINARY), frame(MESSAGES[2][:7], fin=False), frame(b"", PING),
        frame(MESSAGES[2][7:], 0), frame(MESSAGES[3]), frame(MESSAGES[4] if how != "byte by byte" else b"y"),
        frame(MESSAGES[5]), frame(b"\x03\xe8", CLOSE),
    ]  # fmt: skip

    async def script(peer: Peer) -> None:
        data = b"".join(frames)
        if how == "each":
            for one in frames:
                await peer.send(one)
        elif how == "one write":
            await peer.send(data)
        else:
            await peer.send_in_pieces(data, 1 if how == "byte by byte" else 997)
        await peer.read_until(PONG)
        assert (await peer.read_until(CLOSE))[:2] == b"\x03\xe8"

    async def work() -> None:
        handler, connection, _ = await session(script)
        assert handler.seen == [m if len(m) < 65_000 or how != "byte by byte" else b"y" for m in MESSAGES]
        assert "1000" in connection.reason
        assert connection.stats()["messages"] == len(MESSAGES)

    run(work())


def test_the_last_message_of_a_read_is_marked(run):
    async def script(peer: Peer) -> None:
        await peer.send(b"".join(frame(b"%d" % i) for i in range(20)))
        await peer.read_until(CLOSE)

    async def work() -> None:
        async with RawServer(script) as server:
            handler = Recorder()
            connection = await connect(handler, server.url)
            await wait_for(lambda: len(handler.seen) == 20)
            assert handler.lasts[-1] and sum(handler.lasts) <= 3
            connection.close("done")
            assert await connection.wait_closed() == "done"

    run(work())


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(b"x", rsv=4), 1002),
        (frame(b"x", rsv=1), 1002),
        (frame(b"x", 3), 1002),
        (frame(b"x", 0), 1002),
        (frame(b"x", fin=False) + frame(b"y"), 1002),
        (frame(b"\xff"), 1007),
        (frame(b"x", mask=b"\0\0\0\0"), 1002),
        (frame(b"x" * 126, PING), 1002),
        (frame(b"x", PING, fin=False), 1002),
        (frame(b"\x03", CLOSE), 1002),
        (frame(b"\x03\xec", CLOSE), 1002),
        (frame(b"x" * 2001), 1009),
        (frame(b"x" * 1500, fin=False) + frame(b"x" * 1500, 0), 1009),
        (frame(b"", fin=False) + frame(b"", 0, fin=False) * 2000, 1009),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_nothing_is_delivered_after_a_violation(run, bad, code, at_once):
    async def script(peer: Peer) -> None:
        await peer.send(frame(b"before"))
        await asyncio.sleep(0.02)
        if at_once:
            await peer.send(bad + frame(b"after") * 3)
        else:
            await peer.send(bad)
            for _ in range(5):
                await peer.send(frame(b"after"))
                await asyncio.sleep(0.001)
        assert int.from_bytes((await peer.read_until(CLOSE))[:2], "big") == code

    async def work() -> None:
        handler, _, _ = await session(script, message_bytes_max=2000)
        assert handler.seen == [b"before"]

    run(work())


def test_nothing_is_delivered_after_an_exception_of_the_handler(run):
    async def script(peer: Peer) -> None:
        await peer.send(frame(b"good") + frame(b"bad") + frame(b"more") * 5)
        assert (await peer.read_until(CLOSE))[:2] == (1011).to_bytes(2, "big")

    async def work() -> None:
        handler = Recorder()

        def act(message: bytes) -> None:
            if message == b"bad":
                raise KeyError("a bug")

        handler.act = act
        _, connection, _ = await session(script, handler)
        assert handler.seen == [b"good", b"bad"]
        assert isinstance(connection.error, KeyError)
        assert "KeyError" in connection.reason

    run(work())


def test_pings_are_answered_with_their_payload(run):
    async def script(peer: Peer) -> None:
        await peer.send(frame(b"12345678", PING))
        assert await peer.read_until(PONG) == b"12345678"
        await peer.send(frame(b"", CLOSE))

    async def work() -> None:
        _, connection, _ = await session(script)
        assert "1005" in connection.reason

    run(work())


def test_pings_leave_at_their_interval_though_data_flows(run):
    pings: list[int] = []

    async def script(peer: Peer) -> None:
        async def chatter() -> None:
            while True:
                await peer.send(frame(b"tick"))
                await asyncio.sleep(0.005)

        talking = asyncio.create_task(chatter())
        try:
            while len(pings) < 5:
                await peer.read_until(PING)
                pings.append(now_ns())
                await peer.send(frame(b"", PONG))
        finally:
            talking.cancel()

    async def work() -> None:
        handler, connection, _ = await session(script, ping_interval_s=0.1, pong_timeout_s=0.05)
        gaps = [later - earlier for earlier, later in pairwise(pings)]
        assert all(50e6 < gap < 300e6 for gap in gaps), gaps
        assert len(handler.seen) > 20
        assert 0 < connection.stats()["ping_rtt_ns"] < 1e9

    run(work())


def test_a_peer_that_answers_no_ping_is_given_up(run):
    async def work() -> None:
        start = now_ns()
        _, connection, _ = await session(forever, ping_interval_s=0.2, pong_timeout_s=0.1)
        assert 0.1e9 < now_ns() - start < 2e9
        assert "ping" in connection.reason

    run(work())


def test_a_peer_that_reads_nothing_is_given_up_too(run):
    async def script(peer: Peer) -> None:
        await asyncio.sleep(30)

    async def work() -> None:
        handler = Recorder()
        sink = WsSink()
        async with RawServer(script) as server:
            connection = await connect(handler, server.url, sink=sink, ping_interval_s=0.2, pong_timeout_s=0.1)
            outbox = Outbox(sink)
            while outbox.submit(0, b"c" * 60_000, now_ns()) == 1:
                await asyncio.sleep(0)
            assert sink.refused > 0
            await asyncio.wait_for(connection.wait_closed(), 3)
        assert handler.calls[-1] == "disconnected"

    run(work())


def test_the_write_buffer_is_bounded_and_opens_again(run):
    gate = asyncio.Event()
    sizes: list[int] = []

    async def script(peer: Peer) -> None:
        await gate.wait()
        while True:
            opcode, payload = await peer.read()
            if opcode == TEXT:
                sizes.append(len(payload))
            elif opcode == PING:
                await peer.send(frame(payload, PONG))

    async def work() -> None:
        handler, sink = Recorder(), WsSink()
        async with RawServer(script) as server:
            connection = await connect(
                handler, server.url, sink=sink, write_buffer_bytes_max=100_000, ping_interval_s=8, pong_timeout_s=4
            )
            outbox = Outbox(sink, queue_age_max_ns=10**12)
            sent = 0
            while outbox.submit(0, b"c" * 60_000, now_ns()) == 1:
                sent += 1
                assert sent < 1000
            assert sink.paused
            gate.set()
            await wait_for(lambda: not sink.paused)
            assert outbox.flush(now_ns()) == 1
            await wait_for(lambda: len(sizes) == sent + 1)
            assert set(sizes) == {60_000}
            connection.abort("done")
            await connection.wait_closed()

    run(work())


def test_requests_arrive_as_written_and_the_time_from_tick_to_quote_is_taken(run):
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        received.append(await peer.read_until(TEXT))
        await peer.send(frame(b"tick"))
        received.append(await peer.read_until(TEXT))
        received.append(await peer.read_until(TEXT))
        await peer.send(frame(b"\x03\xe8", CLOSE))

    async def work() -> None:
        waterfall = Waterfall(every=1)
        waterfall.counts()
        handler, sink = Recorder(), WsSink(waterfall)
        outbox = Outbox(sink)
        handler.act = lambda message: [outbox.submit(2, b"quote" * n, now_ns()) for n in (1, 100)]
        assert outbox.submit(2, b"early", now_ns()) == 0, "nothing is written before there is a connection"
        async with RawServer(script) as server:
            connection = await connect(handler, server.url, sink=sink)
            assert outbox.submit(3, b"first", now_ns()) == 1
            seen = waterfall.histograms.histograms
            assert seen["tick_to_quote"].count == seen["tick_done"].count == 0
            await connection.wait_closed()
        assert received == [b"first", b"quote", b"quote" * 100]
        seen = waterfall.histograms.histograms
        assert seen["tick_to_quote"].count == 2 and seen["stages_total"].count == 1
        assert 0 < seen["stages_total"].max <= seen["tick_to_quote"].max < 1e9
        assert seen["write"].sum == seen["stages_total"].sum, "no other stage was told of"
        assert seen["tick_done"].count == 2, "the tick and the close"
        assert outbox.submit(0, b"late", now_ns()) == 2
        stats = connection.stats()
        assert (stats["writes"], stats["bytes_out"]) == (3, 5 + 5 + 500)

    run(work())


def test_aborting_is_seen_at_once(run):
    ended: list[BaseException | None] = []

    async def script(peer: Peer) -> None:
        try:
            await peer.read()
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            ended.append(error)

    async def work() -> None:
        async with RawServer(script) as server:
            connection = await connect(Recorder(), server.url)
            connection.abort("enough")
            assert await connection.wait_closed() == "enough"
            await wait_for(lambda: len(ended) == 1)
            assert isinstance(ended[0], ConnectionResetError)
            connection.abort("again")
            connection.close("again")

    run(work())


def test_a_sink_that_gives_up_tells_why(run):
    async def work() -> None:
        handler, sink = Recorder(), WsSink()
        sink.close("there is nothing to close")
        async with RawServer(forever) as server:
            for _ in range(2):
                connection = await connect(handler, server.url, sink=sink)
                sink.close("the way out is stuck")
                sink.close("again")
                assert await connection.wait_closed() == "the way out is stuck"
            connection = await connect(handler, server.url, sink=sink)
            connection.abort("enough")
            assert await connection.wait_closed() == "enough"

    run(work())


def test_a_backlog_in_the_socket_is_one_batch(run):
    """Ten seconds of a usual market, 400 messages, wait in the kernel: they are one read, and so one decision."""
    backlog = [b"%03d" % i + b" " * 240 for i in range(400)]

    async def script(peer: Peer) -> None:
        await peer.send(b"".join(frame(message) for message in backlog))
        await peer.read_until(CLOSE)

    async def work() -> None:
        handler = Recorder()
        async with RawServer(script) as server:
            connection = await connect(handler, server.url)
            await wait_for(lambda: len(handler.seen) == len(backlog))
            assert handler.seen == backlog and handler.lasts[-1]
            assert sum(handler.lasts) == 1
            connection.close("enough")
            await connection.wait_closed()

    run(work())


def test_closing_in_order_still_delivers(run):
    async def script(peer: Peer) -> None:
        assert (await peer.read_until(CLOSE))[:2] == b"\x03\xe8"
        await peer.send(frame(b"a last fill") + frame(b"\x03\xe8", CLOSE))

    async def work() -> None:
        handler = Recorder()
        async with RawServer(script) as server:
            connection = await connect(handler, server.url)
            connection.close("the day is over")
            assert await connection.wait_closed() == "the day is over"
        assert handler.seen == [b"a last fill"]

    run(work())


@pytest.mark.parametrize("answers", [True, False])
def test_a_retired_connection_ends_at_once_and_what_still_comes_is_counted(run, answers):
    async def script(peer: Peer) -> None:
        await peer.send(frame(b"seen"))
        await peer.read_until(CLOSE)
        await peer.send(frame(b"late") * 3)
        await peer.send(frame(b"\x03\xe8", CLOSE) if answers else b"")
        await asyncio.sleep(3)

    async def work() -> None:
        handler, dropped = Recorder(), []
        async with RawServer(script) as server:
            connection = await connect(handler, server.url)
            await wait_for(lambda: handler.seen == [b"seen"])
            connection.retire("another one is there", dropped.append)
            assert handler.calls[-1] == "disconnected"
            assert not connection.is_open
            assert connection.reason == handler.reason == "another one is there"
            connection.retire("again", dropped.append)
            await wait_for(lambda: len(dropped) == 1)
        assert dropped == [4 if answers else 3]
        assert handler.seen == [b"seen"]
        assert handler.calls.count("disconnected") == 1

    run(work())


def test_closing_does_not_hang_on_a_silent_peer(run):
    async def work() -> None:
        async with RawServer(forever) as server:
            connection = await connect(Recorder(), server.url, ping_interval_s=8, pong_timeout_s=4)
            start = now_ns()
            connection.close("enough")
            await connection.wait_closed()
            assert now_ns() - start < 2e9

    run(work())


def test_a_lost_connection_says_so(run):
    async def script(peer: Peer) -> None:
        peer.writer.transport.abort()

    async def work() -> None:
        _, connection, _ = await session(script)
        assert connection.reason == "the connection was lost"

    run(work())


def test_another_picows_than_the_one_built_against_is_refused():
    check_picows("2.3.1")
    with pytest.raises(ImportError, match=r"install picows==2\.3\.1"):
        check_picows("2.3.2")
