"""A websocket server in raw bytes, which breaks any rule it is told to, and a handler that keeps what it saw."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Awaitable, Callable

from feed.frames import MessageHandler

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload: bytes = b"", opcode: int = TEXT, fin: bool = True, rsv: int = 0, mask: bytes = b"") -> bytes:
    """One frame as bytes; every field may be wrong."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    else:
        length = b"\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x7f" + size.to_bytes(8, "big")
    head = bytes([fin << 7 | rsv << 4 | opcode, length[0] | (0x80 if mask else 0)]) + length[1:] + mask
    return head + payload


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.request = b""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_in_pieces(self, data: bytes, size: int) -> None:
        for start in range(0, len(data), size):
            await self.send(data[start : start + size])
            await asyncio.sleep(0.0005)

    async def read(self) -> tuple[int, bytes]:
        """The next frame of the client, unmasked: opcode and payload."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "a client masks"
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(size)
        return first & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    async def read_until(self, opcode: int) -> bytes:
        while True:
            found, payload = await self.read()
            if found == opcode:
                return payload

    async def upgrade(self, extra: bytes = b"", accept: bytes | None = None) -> None:
        key = next(
            line[18:].strip() for line in self.request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")
        )
        digest = base64.b64encode(hashlib.sha1(key + _KEY).digest()) if accept is None else accept
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        )
        await self.send(head + digest + b"\r\n" + extra + b"\r\n")


class RawServer:
    """``async with RawServer(script) as server``: the script runs a connection, after the handshake if ``upgrade``."""

    def __init__(
        self, script: Callable[[Peer], Awaitable[None]], upgrade: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script, self.upgrade, self.tls = script, upgrade, tls
        self.connections = 0
        self.errors: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        peer = Peer(reader, writer)
        try:
            peer.request = await reader.readuntil(b"\r\n\r\n")
            if self.upgrade:
                await peer.upgrade()
            await self.script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except AssertionError as error:
            self.errors.append(error)
        finally:
            writer.close()

    async def __aenter__(self) -> "RawServer":
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"ws{'s' if self.tls else ''}://localhost:{self.port}/ws/api/v2"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert not self.errors, self.errors


class Recorder(MessageHandler):
    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.lasts: list[bool] = []
        self.calls: list[str] = []
        self.reason = ""
        self.act: Callable[[bytes], None] | None = None

    def on_connected(self, now_ns: int) -> None:
        self.calls.append("connected")

    def on_disconnected(self, now_ns: int, reason: str) -> None:
        self.calls.append("disconnected")
        self.reason = reason

    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None:
        self.calls.append("message")
        self.seen.append(message)
        self.lasts.append(last_in_batch)
        if self.act is not None:
            self.act(message)


async def forever(peer: Peer) -> None:
    while True:
        await peer.read()


async def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen")
