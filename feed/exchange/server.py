"""The local exchange on a websocket: picows on the running loop, the wall clock, one listener per client (protocol 2).

Everything happens on the loop's thread. The exchange stays sans-IO: this file gives it frames and the time, and wakes
it when it is next due.
"""

import asyncio
import ipaddress
import signal
import socket
import time
from collections.abc import Callable

import uvloop
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

from feed.exchange.connection import Connection
from feed.exchange.exchange import Exchange
from feed.exchange.market import NEVER_NS, Playback
from feed.exchange.tls import Tls

PATH = "/ws/api/v2"
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""Largest message taken from a client; a full mass quote is about 50 kB."""
BACKLOG_BYTES_MAX = 64 * 1024 * 1024
"""A client that reads so much too slowly is disconnected."""
WAKE_NS_MAX = 3_600_000_000_000
LATE_NS_MAX = 20_000_000
"""A recording later than this is held back: no client waits for more of it than that."""


def loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Session(WSListener):
    """One client's websocket: frames to its ``Connection``, messages back as text frames."""

    def __init__(self, server: "Server") -> None:
        super().__init__()
        self.server = server
        self.connection: Connection | None = None
        self.transport: WSTransport | None = None
        self.kind = WSMsgType.BINARY if server.exchange.options.binary_frames else WSMsgType.TEXT
        self.fragments = bytearray()
        self.fragmented = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Open the session."""
        self.transport = transport
        raw = transport.underlying_transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = self.server
        self.connection = server.exchange.connect(self._send, server.now_ns(), self._close)
        server.sessions.add(self)
        server.arm()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame; fragmented messages are joined first."""
        connection, kind = self.connection, frame.msg_type
        if connection is None:
            return
        now_ns = self.server.catch_up()
        if kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            if frame.fin and not self.fragmented:
                connection.receive(frame.get_payload_as_bytes(), now_ns)
            else:
                self.fragments += frame.get_payload_as_memoryview()
                self.fragmented = not frame.fin
                if len(self.fragments) > MESSAGE_BYTES_MAX:
                    transport.send_close(WSCloseCode.MESSAGE_TOO_BIG)
                    transport.disconnect()
                elif frame.fin:
                    message = bytes(self.fragments)
                    self.fragments.clear()
                    connection.receive(message, now_ns)
                else:
                    connection.ping(now_ns)
        elif kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            connection.ping(now_ns)
        elif kind == WSMsgType.PONG:
            connection.ping(now_ns)
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), None)
            transport.disconnect()
        self.server.arm()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """End the session."""
        self.server.sessions.discard(self)
        if self.connection is not None:
            self.connection.disconnect(self.server.now_ns())
            self.server.arm()

    def _send(self, data: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_disconnected:
            return
        transport.send(self.kind, data)
        if transport.underlying_transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
            transport.disconnect(graceful=False)

    def _close(self, code: int, reason: str) -> None:
        transport = self.transport
        if transport is not None and not transport.is_disconnected:
            transport.send_close(WSCloseCode(code), reason.encode())
            transport.disconnect()


class Server:
    """A serving exchange. ``url`` is what a client connects to, ``certificate_pem`` what it has to trust under TLS."""

    def __init__(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        self.exchange = exchange
        self.loop = loop
        self.sessions: set[Session] = set()
        self.offset_ns = time.time_ns() - time.monotonic_ns()
        self.listening: asyncio.Server | None = None
        self.url = ""
        self.certificate_pem = ""
        self.timer: asyncio.TimerHandle | None = None
        self.timer_due_ns = NEVER_NS
        self.pinging: asyncio.TimerHandle | None = None

    def now_ns(self) -> int:
        """The wall clock at start, moved on by the monotonic one: it never steps."""
        return time.monotonic_ns() + self.offset_ns

    def arm(self) -> None:
        """Wake when the exchange is next due."""
        due_ns = self.exchange.next_ns()
        if due_ns >= self.timer_due_ns:
            return
        if self.timer is not None:
            self.timer.cancel()
        self.timer_due_ns = due_ns
        wait_ns = min(max(0, due_ns - self.now_ns()), WAKE_NS_MAX)
        self.timer = self.loop.call_later(wait_ns / 1e9, self._wake)

    def catch_up(self) -> int:
        """The present, for the exchange to advance to.

        A recording that is due faster than this machine can play it is held back: the backlog of one call would keep
        clients waiting, the next backlog would be longer, and in the end nobody would be answered.
        """
        now_ns, market = self.now_ns(), self.exchange.market
        if isinstance(market, Playback):
            late_ns = now_ns - market.next_ns() - LATE_NS_MAX
            if late_ns > 0:
                market.hold_back(late_ns)
        return now_ns

    def _wake(self) -> None:
        self.timer = None
        self.timer_due_ns = NEVER_NS
        self.exchange.advance(self.catch_up())
        self.arm()

    def ping(self) -> None:
        """Ping every client, now and at the interval of the options."""
        for session in self.sessions:
            if session.transport is not None and not session.transport.is_disconnected:
                session.transport.send_ping()
        self.pinging = self.loop.call_later(self.exchange.options.server_ping_ns / 1e9, self.ping)

    async def close(self) -> None:
        """Stop listening, end every session, stop the clock."""
        if self.listening is not None:
            self.listening.close()
        for session in list(self.sessions):
            if session.connection is not None:
                session.connection.end(self.exchange.now_ns, 1001, "the exchange is closing")
        for session in list(self.sessions):
            if session.transport is not None:
                session.transport.disconnect(graceful=False)
        for timer in (self.timer, self.pinging):
            if timer is not None:
                timer.cancel()
        self.timer_due_ns = -1
        if self.listening is not None:
            await self.listening.wait_closed()


async def serve(exchange: Exchange, host: str = "127.0.0.1", port: int = 0, tls: Tls | None = None) -> Server:
    """Serve on ``host``; port 0 takes a free one. Starts the exchange if that has not happened.

    Raises ValueError when the exchange checks no signatures but would be reachable from elsewhere,
    OSError when the port is taken.
    """
    if not exchange.options.public_keys and not loopback(host):
        raise ValueError(f"{host} is not a loopback address: register public keys, or serve on 127.0.0.1")
    server = Server(exchange, asyncio.get_running_loop())
    if tls is not None:
        server.certificate_pem = tls.certificate_pem

    def accept(request: WSUpgradeRequest) -> WSListener | None:
        path = request.path.decode("ascii", "replace").partition("?")[0]
        return Session(server) if path == PATH else None

    server.listening = await ws_create_server(
        accept,
        host,
        port,
        ssl=tls.context if tls is not None else None,
        enable_auto_pong=False,
        max_frame_size=MESSAGE_BYTES_MAX,
        disconnect_on_exception=True,
    )
    if exchange.now_ns == 0:
        exchange.start(server.now_ns())
    bound = server.listening.sockets[0].getsockname()
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    server.url = f"{'wss' if tls is not None else 'ws'}://{shown}:{bound[1]}{PATH}"
    server.arm()
    if exchange.options.server_ping_ns:
        server.ping()
    return server


def run_exchange(
    exchange: Exchange,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    ready: Callable[[Server], None] | None = None,
) -> None:
    """Serve under uvloop until SIGINT or SIGTERM; ``ready`` is called once clients can connect. Errors as ``serve``."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        server = await serve(exchange, host, port, tls)
        try:
            if ready is not None:
                ready(server)
            await stop.wait()
        finally:
            await server.close()

    uvloop.run(main())
