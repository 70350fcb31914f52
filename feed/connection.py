"""Opening a websocket connection to the venue, and what its owner holds of it.

Verified TLS (1.2 or later) or a loopback address, nothing else; no redirects, no compression, no proxy. Pings leave at
a fixed interval whether data flows or not, because the venue cancels by the silence of the client. Owner thread: the
event loop's.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from picows import WSAutoPingStrategy, WSHandshakeError, WSUpgradeRequest, WSUpgradeResponse, ws_connect

from feed.frames import MessageHandler
from feed.transport import Listener, WsSink, abort

FRAME_BYTES_MAX = 1024 * 1024
WRITE_BUFFER_BYTES_MAX = 256 * 1024
"""Beyond it the sink refuses: a second of traffic that the peer has not taken."""
READ_BYTES = 1024 * 1024
"""Room for one read, as a rule more than waits in the kernel: a backlog is one read, and so one decision."""
RETRY_AFTER_S_MAX = 3600.0


class ConnectFailed(ConnectionError):
    """No connection came about; nothing was sent on it. ``retry_after_s``: the pause that the peer asked for, else
    0."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Connection:
    """An open connection. ``sink`` takes requests; ``reason`` tells the end once there is one."""

    def __init__(self, listener: Listener, ended: asyncio.Future[str]) -> None:
        self._listener = listener
        self._ended = ended
        self.sink = listener.sink

    @property
    def is_open(self) -> bool:
        """Has the end not come yet?"""
        return not self._ended.done()

    @property
    def reason(self) -> str:
        """Why the connection ended, "" while it is open."""
        return self._ended.result() if self._ended.done() else ""

    @property
    def error(self) -> BaseException | None:
        """What the handler raised, if that ended the connection."""
        return self._listener.rules.error

    @property
    def descriptor(self) -> int:
        """Of its socket; -1 when there is none any more."""
        transport = self._listener.transport
        found = None if transport is None else transport.underlying_transport.get_extra_info("socket")
        return -1 if found is None else int(found.fileno())

    def abort(self, reason: str) -> None:
        """Reset the connection now; for the venue the session is over at once."""
        if self._listener.transport is not None and self.is_open:
            self._listener.reason = self._listener.reason or reason
            abort(self._listener.transport)

    def close(self, reason: str) -> None:
        """Close in order: what still arrives is delivered until the peer has answered, for at most a second."""
        if self.is_open:
            self._listener.close(reason)

    def retire(self, reason: str, gone: Callable[[int], None]) -> None:
        """End it for the owner now and close in order behind it: what still arrives is dropped.

        ``gone``: told the number of frames that were, once the socket is closed, within a second.
        """
        if self.is_open:
            self._listener.retire(reason, gone)

    def hand_over(self, handler: MessageHandler) -> None:
        """Deliver to another handler from now on, which is told of a new connection."""
        self._listener.hand_over(handler)

    async def wait_closed(self) -> str:
        """Wait for the end; its reason."""
        return await asyncio.shield(self._ended)

    def stats(self) -> dict[str, int]:
        """Counters of frames and writes, and the round trip of the last answered ping in ns."""
        sink = self.sink
        return {
            **self._listener.rules.stats(),
            "writes": sink.writes,
            "writes_refused": sink.refused,
            "bytes_out": sink.bytes_out,
            "ping_rtt_ns": self._listener.ping_rtt_ns,
            "last_read_ns": self._listener.last_read_ns,
        }


def client_tls(ca_file: str | None = None) -> ssl.SSLContext:
    """A context that verifies certificate and host name, TLS 1.2 or later. ``ca_file``: trust only these
    certificates."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def check_address(url: str, context: ssl.SSLContext | None) -> None:
    """Raise ``ValueError`` unless ``url`` is wss:// with verification, or ws:// to this machine."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address must not hold a user name or a password")
    if parts.scheme == "wss":
        if context is None:
            return
        if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
            raise ValueError("the TLS context does not verify certificate and host name")
        if context.minimum_version < ssl.TLSVersion.TLSv1_2:
            raise ValueError("the TLS context allows versions before 1.2")
    elif parts.scheme == "ws":
        if not _is_loopback(parts.hostname or ""):
            raise ValueError(f"{parts.hostname} is not this machine: unencrypted connections go to loopback only")
    else:
        raise ValueError(f"not a websocket address: {url!r}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Attempt:
    """One attempt to connect: makes the listener when the peer has accepted, drops it if nobody waits any more."""

    def __init__(self, handler: MessageHandler, sink: WsSink, message_bytes_max: int) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.is_over = False
        self._handler = handler
        self._sink = sink
        self._message_bytes_max = message_bytes_max
        self._listener: Listener | None = None

    def make_listener(self, _request: WSUpgradeRequest, response: WSUpgradeResponse) -> Listener:
        """Called by picows once the handshake is complete."""
        if self.is_over:
            raise WSHandshakeError("the attempt has been given up", response=response)
        for header in ("Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"):
            if header in response.headers:
                raise WSHandshakeError(f"the peer imposes {header}: {response.headers[header]!r}", response=response)
        self._listener = Listener(self._handler, self._sink, self.ended.set_result, self._message_bytes_max)
        return self._listener

    def drop(self) -> None:
        """Abort a connection that came up in the moment in which its owner gave it up."""
        if self._listener is not None and self._listener.transport is not None:
            abort(self._listener.transport)


async def connect(
    handler: MessageHandler,
    url: str,
    *,
    sink: WsSink | None = None,
    ssl_context: ssl.SSLContext | None = None,
    timeout_s: float = 5.0,
    ping_interval_s: float = 2.0,
    pong_timeout_s: float = 1.0,
    cancel_on_disconnect_s: float | None = None,
    message_bytes_max: int = FRAME_BYTES_MAX,
    write_buffer_bytes_max: int = WRITE_BUFFER_BYTES_MAX,
) -> Connection:
    """Open a connection whose messages go to ``handler``; ``timeout_s`` bounds name, TCP, TLS and handshake together.

    A peer that does not answer a ping within ``pong_timeout_s`` is given up. ``cancel_on_disconnect_s``: the venue's
    silence limit, of which ``ping_interval_s`` must be at most half. Raises ``ValueError`` for an address or setting
    that must not be used, ``ConnectFailed`` for everything that happens on the way.
    """
    check_address(url, ssl_context)
    _check_pings(ping_interval_s, pong_timeout_s, cancel_on_disconnect_s)
    attempt = _Attempt(handler, WsSink() if sink is None else sink, message_bytes_max)
    try:
        async with asyncio.timeout(timeout_s):
            transport, listener = await ws_connect(
                attempt.make_listener,
                url,
                ssl_context=client_tls() if ssl_context is None and url.startswith("wss:") else ssl_context,
                websocket_handshake_timeout=timeout_s,
                enable_auto_ping=True,
                # Picows sleeps for one, then for the other: their sum is the period.
                auto_ping_idle_timeout=ping_interval_s - pong_timeout_s,
                auto_ping_reply_timeout=pong_timeout_s,
                auto_ping_strategy=WSAutoPingStrategy.PING_PERIODICALLY,
                enable_auto_pong=False,
                max_frame_size=message_bytes_max,
                read_buffer_init_size=READ_BYTES,
                max_redirects=0,
                logger_name="feed",
            )
    except WSHandshakeError as error:
        raise ConnectFailed(f"the websocket handshake failed: {error}", _retry_after_s(error)) from error
    except (TimeoutError, asyncio.CancelledError) as error:
        attempt.drop()
        if isinstance(error, asyncio.CancelledError):
            raise
        raise ConnectFailed(f"no connection within {timeout_s:g} s") from error
    except OSError as error:
        raise ConnectFailed(f"no connection: {error}") from error
    finally:
        attempt.is_over = True
    if not isinstance(listener, Listener):
        # So picows tells that the peer hung up before its answer.
        raise ConnectFailed("the peer hung up during the websocket handshake")
    transport.underlying_transport.set_write_buffer_limits(high=write_buffer_bytes_max)
    return Connection(listener, attempt.ended)


def _check_pings(interval_s: float, pong_timeout_s: float, cancel_on_disconnect_s: float | None) -> None:
    if not 0 < pong_timeout_s <= interval_s / 2:
        raise ValueError("pong_timeout_s must be positive and at most half of ping_interval_s")
    if cancel_on_disconnect_s is not None and interval_s > cancel_on_disconnect_s / 2:
        raise ValueError("ping_interval_s must be at most half of cancel_on_disconnect_s")


def _retry_after_s(error: WSHandshakeError) -> float:
    """The pause a refusing peer asks for, in seconds; a date, nonsense or nothing counts as none."""
    text = "" if error.response is None else error.response.headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_S_MAX) if text.isascii() and text.isdigit() else 0.0
