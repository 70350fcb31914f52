"""Market data at a rate over loopback into a quoter that quotes: is any lost, does a queue grow, how late is it?

The quoter of ``quoter run`` without its journal trades on the local exchange; between the two stands a sender that adds
numbered messages (``engine.bench.flood_sender``).
"""

import asyncio
import fcntl
import json
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from logging import NullHandler, getLogger
from pathlib import Path
from random import Random
from typing import IO, Any

import uvloop

from engine.bench.numbered import Numbered
from engine.config_schema import Config
from engine.core.step import Core
from engine.live.clock import now_ns, wall_s
from engine.live.local_exchange import LocalExchange
from engine.live.loop import LiveLoop
from engine.plan_builder import core_plan
from feed.auth import throwaway_key
from feed.backoff import Backoff
from feed.connection import Connection, connect
from feed.transport import WsSink
from kernels.kept import addresses

RATE_PER_S = 50_000.0
SECONDS = 60.0
RATE_SHARE_MIN = 0.95
BUFFERED_BYTES_MAX = 8 << 20
"""What may wait in the sender: a quarter of a second of the flood. More is a queue that grows."""
LOOK_S = 0.01
AFTER_S = 0.5
ROOT = Path(__file__).resolve().parents[2]


class FloodFailed(RuntimeError):
    """The flood did not come to its end."""


@dataclass(frozen=True, slots=True)
class Flooded:
    """What was found. ``buffered_bytes_max``: waiting in the sender; ``unread_bytes_max``: in the quoter's socket."""

    asked_per_s: float
    sent: int
    seconds: float
    buffered_bytes_max: int
    unread_bytes_max: int
    numbered: Numbered
    status: dict[str, Any]
    clean: bool

    @property
    def ok(self) -> bool:
        """Everything sent was applied in order at the rate asked for, nothing piled up, and no order was left."""
        return (
            self.numbered.received == self.sent > 0
            and self.numbered.misplaced == 0
            and self.sent >= RATE_SHARE_MIN * self.asked_per_s * self.seconds
            and self.buffered_bytes_max <= BUFFERED_BYTES_MAX
            and self.status["counters"]["malformed"] == 0
            and self.status["quotes_sent"] > 0
            and self.clean
        )

    def report(self) -> dict[str, Any]:
        """For machines."""
        return {
            "ok": self.ok,
            "sent": self.sent,
            "received": self.numbered.received,
            "lost": self.sent - self.numbered.received,
            "out_of_order": self.numbered.misplaced,
            "seconds": round(self.seconds, 3),
            "per_s": round(self.sent / self.seconds),
            "lag_ns": self.numbered.lag.as_dict(),
            "queue": {
                "sender_bytes_max": self.buffered_bytes_max,
                "unread_bytes_max": self.unread_bytes_max,
                "messages_of_a_read_max": self.numbered.largest_batch,
            },
            "decisions": self.status["decisions"],
            "quotes_sent": self.status["quotes_sent"],
            "malformed": self.status["counters"]["malformed"],
            "no_order_left": self.clean,
        }

    def text(self) -> str:
        """For people."""
        told = self.report()
        lag, queue = told["lag_ns"], told["queue"]
        return "\n".join(
            [
                f"{told['sent']:,} messages in {told['seconds']:.1f} s, {told['per_s']:,} a second: "
                f"lost {told['lost']}, out of order {told['out_of_order']}, malformed {told['malformed']}",
                f"from the sender to applied: p50 {lag['p50'] / 1000:.0f} us, p99 {lag['p99'] / 1000:.0f} us, "
                f"p99.9 {lag['p999'] / 1000:.0f} us, max {lag['max'] / 1000:.0f} us",
                f"largest queue: {queue['sender_bytes_max']:,} bytes in the sender, {queue['unread_bytes_max']:,} "
                f"unread in the socket, {queue['messages_of_a_read_max']:,} messages of one read",
                f"meanwhile: {told['decisions']:,} decisions, {told['quotes_sent']:,} quotes, "
                f"{'no order left' if self.clean else 'ORDERS MAY BE LEFT'} at the end",
                "ok" if self.ok else "missed",
            ]
        )


def run(rate_per_s: float = RATE_PER_S, seconds: float = SECONDS) -> Flooded:
    """Flood a quoter. Raises ``FloodFailed`` when sender or exchange give up."""
    exchange = LocalExchange()
    command = [sys.executable, "-m", "engine.bench.flood_sender"]
    try:
        with subprocess.Popen(
            [*command, exchange.url, str(rate_per_s), str(seconds)], stdout=subprocess.PIPE, cwd=ROOT
        ) as sender:
            try:
                return uvloop.run(_flooded(sender, rate_per_s, seconds))
            finally:
                sender.kill()
    finally:
        exchange.close()


async def _flooded(sender: subprocess.Popen[bytes], rate_per_s: float, seconds: float) -> Flooded:
    assert sender.stdout is not None
    url = _line(sender.stdout)["url"]
    core, key = Core(core_plan(Config()), addresses()), throwaway_key()
    numbered = Numbered(core)
    held: list[Connection] = []

    async def connected() -> Connection:
        core.attach(sink := WsSink())
        held.append(await connect(numbered, url, sink=sink))
        return held[-1]

    log = getLogger("thalex-quoter.flood")
    log.propagate = False
    log.addHandler(NullHandler())
    session = LiveLoop(core, connected, lambda: key.token(wall_s()), now_ns, Backoff(Random(0)), log)
    loop = asyncio.get_running_loop()
    unread = [0]
    looking = loop.create_task(_look(held, unread))
    running = loop.create_task(session.run(None))
    told = loop.run_in_executor(None, _line, sender.stdout)
    done, _ = await asyncio.wait((running, told), timeout=seconds * 2 + 30, return_when=asyncio.FIRST_COMPLETED)
    if told not in done:
        sender.kill()
        raise FloodFailed(f"the quoter ended first: {running.result()}" if running in done else "the flood has no end")
    sent = told.result()
    deadline = time.monotonic() + seconds + 5
    while numbered.received < sent["sent"] and time.monotonic() < deadline:
        await asyncio.sleep(AFTER_S)
    session.stop()
    ending = await running
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return Flooded(
        asked_per_s=rate_per_s,
        sent=sent["sent"],
        seconds=sent["seconds"],
        buffered_bytes_max=sent["buffered_bytes_max"],
        unread_bytes_max=max(unread),
        numbered=numbered,
        status=core.status(),
        clean=ending.clean,
    )


async def _look(connections: list[Connection], unread: list[int]) -> None:
    """Ask the kernel now and then how much waits in the socket; the most is kept."""
    while True:
        for connection in connections[-1:]:
            if connection.is_open:
                waiting = fcntl.ioctl(connection.descriptor, termios.FIONREAD, struct.pack("i", 0))
                unread[0] = max(unread[0], *struct.unpack("i", waiting))
        await asyncio.sleep(LOOK_S)


def _line(stream: IO[bytes]) -> dict[str, Any]:
    line = stream.readline()
    if not line:
        raise FloodFailed("the sender ended")
    told: dict[str, Any] = json.loads(line)
    return told
