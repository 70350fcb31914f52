"""A dead man's switch: a process with a connection of its own that cancels everything when the quoter hangs or dies.

``python -m engine.live.supervisor``, told what to do by one JSON object on standard input. It reads the quoter's
heartbeat from shared memory. A heart that stands still (a hung process, SIGSTOP) or whose process is gone (kill -9)
means ``private/cancel_all`` on the account, again and again until the venue says that no order is open. A quoter that
ends in order closes its heart, and this process ends too. The venue's cancel-on-disconnect (protocol section 4.3) is
the switch behind this one.

It has a heartbeat too: the quoter quotes only while this process beats and has its connection (``engine.live.heart``).
"""

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from engine.config_schema import Credentials as Place
from engine.live.hardening import no_dumps
from engine.live.keys import find_key, supervisor_place
from engine.plan_builder import Network
from feed.auth import Credentials, throwaway_key
from feed.client import ThalexClient
from feed.client_errors import ClientError, VenueError
from feed.venue import ErrorCode
from kernels.ring import CLOSED, RingReader, RingWriter

HEART_PREFIX = "quoter.heart"
BEAT = np.dtype([("now_ns", "i8")])
STATUS = np.dtype([("state", "i8"), ("cancels", "i8")])
LOOK_S = 0.05
LAG_S_MAX = 0.5
"""Later than this by itself, this process cannot tell who was late: the silence counts anew."""
AGAIN_S = 0.5
LOGINS_MAX = 3
"""Refused logins in a row: more would lock the key out."""
GIVE_UP_S = 60.0
"""After the quoter's death, for as long without an answer of the venue; its cancel-on-disconnect has acted by then."""


class State(IntEnum):
    """What the supervisor does; with each heartbeat."""

    CONNECTING = 0
    WATCHING = 1
    CANCELLING = 2


@dataclass(frozen=True, slots=True)
class Orders:
    """What to watch and how to reach the venue. ``silence_s``: longest time without a heartbeat.

    ``credentials``: of ``engine.config_schema.Credentials``, without what is not given. ``requests_a_minute`` bounds
    what is asked beside cancels, which nothing holds back.
    """

    heart: str
    url: str
    network: Network
    credentials: dict[str, str]
    silence_s: float
    requests_a_minute: int


class Pulse:
    """Judges the heartbeat of another process by this process's own clock."""

    def __init__(self, heart: RingReader, silence_s: float, now_s: float) -> None:
        self._heart = heart
        self._silence_s = silence_s
        self._beats = 0
        self._beat_s = self._looked_s = now_s
        self.ended = False
        self.dead = False
        self.last: np.ndarray | None = None

    def stopped(self, now_s: float) -> bool:
        """No beat for too long, or nobody left to beat; ``last`` is the last record."""
        code, beats = self._heart.read()
        if len(beats):
            self.last = beats[-1:]
        self.ended = code == CLOSED
        self.dead = not self.ended and not self._heart.writer_alive()
        if len(beats) or now_s - self._looked_s > LAG_S_MAX:
            self._beat_s = now_s
        self._looked_s = now_s
        return not self.ended and (self.dead or now_s - self._beat_s > self._silence_s)


class Supervisor:
    """Watches one heart."""

    def __init__(self, orders: Orders, credentials: Credentials) -> None:
        self._state = State.CONNECTING
        self._orders = orders
        self._credentials = credentials
        self._client: ThalexClient | None = None
        self._status = RingWriter(HEART_PREFIX, "status", 64, STATUS)
        self._cancels = 0
        self._tell()

    def _tell(self) -> None:
        """One beat of this process's own heart."""
        ready = self._client is not None and self._client.is_ready and self._client.failure is None
        record = np.zeros(1, STATUS)
        record["state"] = self._state if self._state is State.CANCELLING or ready else State.CONNECTING
        record["cancels"] = self._cancels
        self._status.push(record)

    async def _beat(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(LOOK_S)

    async def run(self) -> None:
        """Until the quoter has ended and nothing of it is left."""
        pulse = Pulse(RingReader(self._orders.heart, BEAT), self._orders.silence_s, time.monotonic())
        beside = (asyncio.create_task(self._connected()), asyncio.create_task(self._beat()))
        try:
            while not pulse.ended:
                await asyncio.sleep(LOOK_S)
                if pulse.stopped(time.monotonic()):
                    await self._empty(pulse)
                    if pulse.dead:
                        return
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            if self._client is not None:
                await self._client.close()
            self._status.close()

    async def _connected(self) -> None:
        """Make the connection; the client keeps it from then on."""
        refused = 0
        while refused < LOGINS_MAX:
            account = None if self._orders.network == "local" else self._orders.credentials.get("account")
            client = ThalexClient(self._orders.url, self._credentials, account=account)
            client.rate_limit = self._orders.requests_a_minute
            try:
                await client.initialize()
            except (ClientError, OSError) as error:
                print(f"supervisor: {error}", file=sys.stderr, flush=True)
                refused += isinstance(error, VenueError) and error.code == ErrorCode.AUTHENTICATION_FAILED
                await asyncio.sleep(AGAIN_S)
                continue
            self._client, self._state = client, State.WATCHING
            return
        print("supervisor: no further login is tried; nothing is quoted without it", file=sys.stderr, flush=True)

    async def _empty(self, pulse: Pulse) -> None:
        """Cancel everything until nothing is open, and as long as the heart stands still."""
        self._state = State.CANCELLING
        why = "the quoter is dead" if pulse.dead else f"no heartbeat for {self._orders.silence_s:g} s"
        print(f"supervisor: {why}: cancelling all orders", file=sys.stderr, flush=True)
        give_up_s = time.monotonic() + GIVE_UP_S
        while pulse.stopped(time.monotonic()):
            try:
                open_orders = await self._cancel_all()
            except (ClientError, OSError, TimeoutError) as error:
                print(f"supervisor: {error}", file=sys.stderr, flush=True)
                open_orders = -1
            if pulse.dead and (open_orders == 0 or time.monotonic() > give_up_s):
                break
            # A hung quoter is looked at more often than the silence lasts, so that its waking is not missed.
            for _ in range(round(AGAIN_S / LOOK_S)):
                await asyncio.sleep(LOOK_S)
                if not pulse.stopped(time.monotonic()):
                    break
        self._state = State.WATCHING

    async def _cancel_all(self) -> int:
        """One attempt; the number of orders that are open after it."""
        if self._client is None:
            raise ConnectionError("not connected yet")
        self._cancels += 1
        async with asyncio.timeout(self._orders.silence_s + AGAIN_S):
            await self._client.cancel_all()
            left = len(await self._client.open_orders())
        print(f"supervisor: {left} orders open", file=sys.stderr, flush=True)
        return left


def main() -> int:
    """Entry of the process."""
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    orders = Orders(**json.load(sys.stdin))
    place = Place(**orders.credentials)
    local = orders.network == "local"
    if not local:
        no_dumps()
    credentials = throwaway_key() if local else find_key(supervisor_place(place), orders.network, os.environ)
    asyncio.run(Supervisor(orders, credentials).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
