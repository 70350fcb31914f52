"""A TCP proxy that breaks what goes through it: stalls, cuts, delays, other chunks, corruption, half-open connections.

``up`` is from the quoter to the exchange, ``down`` the way back. Conditions belong to the proxy, not to a connection:
what is set holds for the next connection too, until ``heal``.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.faults.background import Background

READ_BYTES = 65536
POLL_S = 0.002
_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Conditions:
    """What happens to the bytes of one direction; the defaults pass them on at once. Times in s."""

    stalled: bool = False
    """Nothing is read any more: the sender's buffers fill."""
    held: bool = False
    """Everything is read and kept; set back, all of it is written at once."""
    dropped: bool = False
    """Everything is read and thrown away, an end of the connection too: half open."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    chunk: int = 0
    """Largest number of bytes of one write; 0 for no limit."""
    gather_s: float = 0.0
    """Bytes are gathered for so long and then written at once."""
    rate: float = 0.0
    """Bytes a second; 0 for no limit."""
    cut_after: int = -1
    """Pass so many bytes more, then reset both sides; -1 for never."""
    change: Callable[[bytes], bytes] | None = None
    """Applied to every chunk that was read: flips bits, counts, leaves out."""


class Pipe:
    """One direction of one connection."""

    def __init__(
        self, link: "Link", conditions: Conditions, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.link, self.conditions, self.reader, self.writer = link, conditions, reader, writer
        self.kept: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self.last_due = 0.0
        self.bytes = 0
        self.largest_write = 0

    async def read(self) -> None:
        """Take bytes, give each its time; b"" is the end of the connection."""
        conditions = self.conditions
        data = b"?"
        while data:
            while conditions.stalled:
                await asyncio.sleep(POLL_S)
            data = await self.reader.read(READ_BYTES)
            while conditions.stalled:
                await asyncio.sleep(POLL_S)
            if conditions.dropped:
                if not data:
                    return
                continue
            if data and conditions.change is not None:
                data = conditions.change(data)
            wait = conditions.delay_s + self.link.random.random() * conditions.jitter_s
            self.last_due = max(self.last_due, time.monotonic() + wait)
            self.kept.put_nowait((self.last_due, data))

    async def write(self) -> None:
        """Pass on what is due; the end comes after the last byte."""
        conditions = self.conditions
        while True:
            due, data = await self.kept.get()
            await asyncio.sleep(max(0.0, due - time.monotonic(), conditions.gather_s))
            while conditions.held:
                await asyncio.sleep(POLL_S)
            ended = not data
            while not self.kept.empty() and self.kept._queue[0][0] <= time.monotonic():  # type: ignore[attr-defined]
                more = self.kept.get_nowait()[1]
                ended = ended or not more
                data += more
            if conditions.dropped:
                continue
            await self.pass_on(data)
            if ended:
                self.link.end()
                return

    async def pass_on(self, data: bytes) -> None:
        """Write in the chunks and at the rate of the conditions, and cut where they say so."""
        conditions = self.conditions
        if 0 <= conditions.cut_after < len(data):
            cut, data = True, data[: conditions.cut_after]
        else:
            cut = False
        if conditions.cut_after >= 0:
            conditions.cut_after -= len(data)
        size = conditions.chunk or max(1, len(data))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.writer.write(piece)
            self.bytes += len(piece)
            self.largest_write = max(self.largest_write, len(piece))
            await self.writer.drain()
            await asyncio.sleep(len(piece) / conditions.rate if conditions.rate else 0)
        if cut:
            conditions.cut_after = -1
            self.link.reset()


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: "Proxy", here: asyncio.StreamWriter, there: asyncio.StreamWriter) -> None:
        self.proxy, self.here, self.there = proxy, here, there
        self.random = proxy.random
        self.ended = asyncio.Event()
        for writer in (here, there):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end(self) -> None:
        """Close both sides in order (FIN)."""
        self.here.close()
        self.there.close()
        self.ended.set()

    def reset(self) -> None:
        """Reset both sides (RST)."""
        for writer in (self.here, self.there):
            raw = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        self.ended.set()


class Proxy:
    """Listens on loopback and passes connections on to ``port``. Every method may be called from any thread."""

    def __init__(self, background: Background, port: int, seed: int = 0) -> None:
        self.background, self.target = background, port
        self.random = Random(seed)
        self.up, self.down = Conditions(), Conditions()
        self.links: set[Link] = set()
        self.connections = 0
        self.refusing = False
        self.largest_write = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = background.run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def heal(self) -> None:
        """Every direction passes everything on at once, in what connections there are and in new ones."""

        def healed() -> None:
            for conditions in (self.up, self.down):
                for name in Conditions.__slots__:
                    setattr(conditions, name, getattr(Conditions(), name))
            self.refusing = False

        self.background.call(healed)

    def reset(self) -> int:
        """Reset every connection now; how many there were."""
        return self.background.call(self.reset_here)

    def reset_here(self) -> int:
        """``reset`` for callers on the loop's own thread."""
        links = list(self.links)
        for link in links:
            link.reset()
        return len(links)

    def end(self) -> int:
        """Close every connection in order now; how many there were."""

        def ended() -> int:
            links = list(self.links)
            for link in links:
                link.end()
            return len(links)

        return self.background.call(ended)

    def close(self) -> None:
        """Stop listening, reset what is open."""

        async def closed() -> None:
            self._server.close()
            for link in list(self.links):
                link.reset()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self.background.run(closed())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            if self.refusing:
                writer.transport.abort()
                return
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
            await self._linked(Link(self, writer, there), reader, there_reader)
        except OSError:
            writer.transport.abort()  # nobody listens there
        finally:
            self._tasks.discard(task)

    async def _linked(self, link: Link, reader: asyncio.StreamReader, there_reader: asyncio.StreamReader) -> None:
        self.links.add(link)
        pipes = Pipe(link, self.up, reader, link.there), Pipe(link, self.down, there_reader, link.here)
        works = [asyncio.ensure_future(work) for pipe in pipes for work in (pipe.read(), pipe.write())]
        ended = asyncio.ensure_future(link.ended.wait())
        try:
            waiting: set[asyncio.Future[object]] = {ended, *works}  # type: ignore[arg-type]
            while not ended.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                # A side that was reset is reset on the other side too, unless the connection is half open.
                if any(work is not ended and work.exception() is not None for work in done):
                    if self.up.dropped or self.down.dropped:
                        continue
                    link.reset()
        finally:
            self.largest_write = max(self.largest_write, *(pipe.largest_write for pipe in pipes))
            for work in (*works, ended):
                work.cancel()
            await asyncio.gather(*works, ended, return_exceptions=True)
            self.links.discard(link)
            link.reset()
