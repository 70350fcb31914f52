"""The flood's sender: a process between quoter and exchange that adds numbered market data at a rate.

    python -m engine.bench.flood_sender URL RATE SECONDS

What passes between the two passes unchanged; the messages added are the latest ticker and light ticker once more, each
with its number and time (``engine.bench.numbered``). Prints its address as one JSON line, and behind the flood what it
sent as another. Ends with the connection.
"""

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import uvloop

from engine.bench.numbered import tail

READ_BYTES = 1 << 16
PACE_S = 0.001
SETTLE_S = 1.0
"""Between the first market data and the flood: the quoter quotes by then."""
CHANNELS = (b'{"channel_name":"ticker.', b'{"channel_name":"lwt.')
TEXT = 0x81


class Flood:
    """One connection, passed on in both directions, with what is added on the way to the quoter."""

    def __init__(self, rate: float, seconds: float) -> None:
        self.rate, self.seconds = rate, seconds
        self.latest: dict[bytes, bytes] = {}
        self.sent = 0
        self.buffered_max = 0
        self.began = asyncio.Event()

    async def pass_up(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """From the quoter to the exchange, byte by byte as they come."""
        while data := await source.read(READ_BYTES):
            target.write(data)
        target.close()

    async def pass_down(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """From the exchange to the quoter, frame by frame, so that others fit between."""
        target.write(await source.readuntil(b"\r\n\r\n"))
        try:
            while True:
                head = await source.readexactly(2)
                extended = {126: 2, 127: 8}.get(head[1], 0)
                if extended:
                    head += await source.readexactly(extended)
                size = int.from_bytes(head[2:]) if extended else head[1]
                payload = await source.readexactly(size)
                target.write(head + payload)
                if head[0] == TEXT:
                    self.note(payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            target.close()

    def note(self, payload: bytes) -> None:
        """Keep the latest of each kind."""
        for channel in CHANNELS:
            if payload.startswith(channel) and b'"snapshot"' not in payload:
                self.latest[channel] = payload[:-1]
        if len(self.latest) == len(CHANNELS):
            self.began.set()

    async def add(self, target: asyncio.StreamWriter) -> float:
        """The flood; how many seconds it took."""
        await self.began.wait()
        await asyncio.sleep(SETTLE_S)
        begin = time.monotonic()
        total = round(self.rate * self.seconds)
        while self.sent < total and not target.is_closing():
            due = min(total, int((time.monotonic() - begin) * self.rate))
            if due > self.sent:
                target.write(b"".join(self.frame(number) for number in range(self.sent, due)))
                self.sent = due
                self.buffered_max = max(self.buffered_max, target.transport.get_write_buffer_size())
            await asyncio.sleep(PACE_S)
        return time.monotonic() - begin

    def frame(self, number: int) -> bytes:
        """The next message as a whole frame."""
        payload = self.latest[CHANNELS[number & 1]] + tail(number, time.monotonic_ns())
        size = len(payload)
        head = bytes((TEXT, size)) if size < 126 else bytes((TEXT, 126)) + size.to_bytes(2)
        return head + payload


async def main(url: str, rate: float, seconds: float) -> None:
    """Serve one connection and print the two lines."""
    exchange, ended = urlsplit(url), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(exchange.hostname, exchange.port, limit=1 << 22)
        flood = Flood(rate, seconds)
        writer.transport.set_write_buffer_limits(high=1 << 30)
        passing = [asyncio.ensure_future(flood.pass_up(reader, up_writer))]
        passing.append(asyncio.ensure_future(flood.pass_down(up_reader, writer)))
        took_s = await flood.add(writer)
        told({"sent": flood.sent, "seconds": took_s, "buffered_bytes_max": flood.buffered_max})
        await asyncio.gather(*passing, return_exceptions=True)
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    told({"url": f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}{exchange.path}"})
    await ended.wait()


def told(value: dict[str, Any]) -> None:
    """One JSON line on standard output."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
