"""The exchange on real sockets: path, frames, pings, the dead-man's timer, TLS, shutdown."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import time

import orjson
import pytest
import uvloop
import websockets
from websockets.asyncio.client import connect

from feed.exchange.exchange import Exchange
from feed.exchange.options import Options
from feed.exchange.recorded import RecordedMarket
from feed.exchange.server import LATE_NS_MAX, Server, serve
from feed.exchange.tls import from_files, self_signed
from tests.exchange.recordings import small
from tests.exchange.scripted import PERP, ScriptedMarket, public_pem, token


def run(main):
    """Serve a fresh exchange and run ``main(server)`` beside it."""

    async def whole():
        server = await serve(Exchange(ScriptedMarket(depth=5)))
        try:
            await main(server)
        finally:
            await server.close()

    uvloop.run(asyncio.wait_for(whole(), 20))


def dial(server, **more):
    return connect(server.url, proxy=None, **more)


async def call(ws, method, **params):
    await ws.send(orjson.dumps({"method": method, "params": params, "id": 1}).decode())
    while True:
        message = orjson.loads(await ws.recv())
        if "id" in message:
            return message


def test_text_and_binary_frames_pings_and_no_compression():
    async def main(server):
        async with dial(server, compression="deflate", user_agent_header="anything") as ws:
            assert ws.protocol.extensions == []
            assert (await call(ws, "public/system_info"))["result"]["environment"] == "testnet"
            await ws.send(b'{"method":"public/system_info","params":{},"id":7}')
            raw = await ws.recv()
            assert isinstance(raw, str)
            assert raw.startswith('{"id":7,"result":')
            latency = await (await ws.ping(b"1234"))
            assert latency < 1

    run(main)


def test_fragmented_message_is_joined():
    async def main(server):
        async with dial(server) as ws:
            await ws.send(['{"method":"public/system', '_info","params"', ':{},"id":3}'])
            assert orjson.loads(await ws.recv())["id"] == 3

    run(main)


def test_other_paths_are_not_found():
    async def main(server):
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with connect(server.url.replace("/ws/api/v2", "/other"), proxy=None):
                pass
        assert caught.value.response.status_code == 404

    run(main)


def test_market_moves_while_nobody_asks():
    async def main(server):
        async with dial(server) as ws:
            await call(ws, "public/subscribe", channels=["ticker.BTC-PERPETUAL.raw"])
            first = orjson.loads(await ws.recv())
            second = orjson.loads(await asyncio.wait_for(ws.recv(), 3))
            assert second["notification"]["mark_timestamp"] > first["notification"]["mark_timestamp"]
            assert abs(second["notification"]["mark_timestamp"] - time.time()) < 2

    run(main)


def test_silence_ends_the_session_and_pings_keep_it():
    async def main(server):
        async with dial(server, ping_interval=0.3) as kept, dial(server, ping_interval=None) as silent:
            for ws in (kept, silent):
                await call(ws, "public/login", token=token("K1"))
                await call(ws, "private/set_cancel_on_disconnect", timeout_secs=1)
                await call(ws, "private/buy", instrument_name=PERP, amount=0.1, price=77_000)
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await asyncio.wait_for(silent.recv(), 5)
            assert caught.value.rcvd is not None
            assert len((await call(kept, "private/open_orders"))["result"]) == 1

    run(main)


def test_closing_the_socket_deletes_the_sessions_orders():
    async def main(server):
        async with dial(server) as other:
            await call(other, "public/login", token=token("K1"))
            async with dial(server) as ws:
                await call(ws, "public/login", token=token("K1"))
                await call(ws, "private/set_cancel_on_disconnect", timeout_secs=60)
                await call(ws, "private/buy", instrument_name=PERP, amount=0.1, price=77_000)
                assert len((await call(other, "private/open_orders"))["result"]) == 1
            await asyncio.sleep(0.05)
            assert (await call(other, "private/open_orders"))["result"] == []

    run(main)


def test_oversized_message_closes_the_connection():
    async def main(server):
        async with dial(server) as ws:
            with pytest.raises(websockets.ConnectionClosed):
                await ws.send("x" * (5 * 1024 * 1024))
                await asyncio.wait_for(ws.recv(), 5)
            async with dial(server) as again:
                assert "result" in await call(again, "public/system_info")

    run(main)


def test_garbage_is_answered_and_the_session_lives():
    async def main(server):
        async with dial(server) as ws:
            for garbage in ("", "[]", "nonsense", b"\xff\xfe", '"x"', "[1,2]", "null"):
                await ws.send(garbage)
                assert orjson.loads(await ws.recv())["error"]["code"] == 6
            assert "result" in await call(ws, "public/system_info")

    run(main)


def test_tls_with_its_own_certificate_and_with_files(tmp_path):
    async def main(tls, trust):
        server = await serve(Exchange(ScriptedMarket()), tls=tls)
        assert server.url.startswith("wss://")
        context = ssl.create_default_context(cadata=trust)
        async with dial(server, ssl=context) as ws:
            assert "result" in await call(ws, "public/system_info")
        with pytest.raises(ssl.SSLCertVerificationError):
            async with dial(server, ssl=ssl.create_default_context()):
                pass
        await server.close()

    own = self_signed()
    uvloop.run(asyncio.wait_for(main(own, own.certificate_pem), 20))
    with pytest.raises(OSError, match="missing"):
        from_files(str(tmp_path / "missing.pem"), None)


def test_open_mode_stays_on_loopback():
    async def main():
        with pytest.raises(ValueError, match="register public keys"):
            await serve(Exchange(ScriptedMarket()), host="0.0.0.0")
        server = await serve(Exchange(ScriptedMarket(), Options(public_keys={"*": public_pem()})), host="0.0.0.0")
        await server.close()

    uvloop.run(main())


def test_taken_port_is_an_error():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
            await serve(Exchange(ScriptedMarket()), port=taken.getsockname()[1])

    uvloop.run(main())


def test_run_exchange_serves_until_a_signal():
    program = textwrap.dedent(
        """
        from feed.exchange.exchange import Exchange
        from feed.exchange.server import run_exchange
        from tests.exchange.scripted import ScriptedMarket
        run_exchange(Exchange(ScriptedMarket()), ready=lambda server: print(server.url, flush=True))
        print("done")
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    url = process.stdout.readline().strip()

    async def ask():
        async with connect(url, proxy=None) as ws:
            assert "result" in await call(ws, "public/system_info")
            process.send_signal(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await asyncio.wait_for(ws.recv(), 5)
            assert caught.value.rcvd.code == 1001

    uvloop.run(ask())
    assert process.wait(10) == 0
    assert process.stdout.read() == "done\n"


def test_a_recording_too_fast_for_the_machine_is_held_back_and_nothing_else_is(tmp_path):
    """However far behind, one call plays at most ``LATE_NS_MAX`` of it; a market of its own pace is not touched."""
    loop = uvloop.new_event_loop()
    market = RecordedMarket(small(tmp_path / "abcusd"))
    server = Server(Exchange(market), loop)
    server.exchange.start(server.now_ns() - 5_000_000_000)
    assert market.next_ns() - server.now_ns() < -4_000_000_000
    now_ns = server.catch_up()
    assert market.next_ns() == now_ns - LATE_NS_MAX
    assert market.held_back_ns > 4_000_000_000
    before_ns = market.next_ns()
    server.catch_up()
    assert market.next_ns() - before_ns < 1_000_000_000
    scripted = ScriptedMarket(depth=5)
    other = Server(Exchange(scripted), loop)
    other.exchange.start(other.now_ns() - 5_000_000_000)
    due_ns = scripted.next_ns()
    other.catch_up()
    assert scripted.next_ns() == due_ns
    loop.close()
