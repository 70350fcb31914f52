"""The supervisor with real processes: it cancels for a quoter that hangs or dies, and for nobody else."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.live.supervisor import BEAT, LAG_S_MAX, Orders, Pulse, Supervisor
from feed.auth import throwaway_key
from feed.client import ThalexClient
from feed.client_errors import NotSent
from kernels.ring import RingReader, RingWriter
from tests.engine.test_cli_run import ROOT, children_of, finished, gone, quoter


@pytest.fixture
def exchange() -> Iterator[str]:
    command = [sys.executable, "-m", "engine.cli.main", "exchange", "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["url"]
    process.send_signal(signal.SIGINT)
    process.wait(10)


def supervised(url: str) -> "subprocess.Popen[str]":
    # The venue's own switch is set far away, so that it is the supervisor's cancels that are seen.
    far = ("--set", "connection.cancel_on_disconnect=60", "--set", "connection.heartbeat_interval=2")
    return quoter("--json", "--url", url, "--supervisor", *far)


async def eventually(done: Callable[[], Awaitable[bool]], seconds: float) -> float:
    start_s = time.monotonic()
    while not await done():
        assert time.monotonic() - start_s < seconds, "not in time"
        await asyncio.sleep(0.05)
    return time.monotonic() - start_s


def supervisor_of(pid: int) -> int:
    (found,) = (child for child in children_of(pid) if b"supervisor" in Path(f"/proc/{child}/cmdline").read_bytes())
    return found


def test_orders_of_a_hung_quoter_are_cancelled(exchange: str) -> None:
    process = supervised(exchange)

    async def scenario() -> None:
        async with ThalexClient(exchange, throwaway_key()) as client:

            async def some() -> bool:
                return bool(await client.open_orders())

            async def none() -> bool:
                return not await client.open_orders()

            await eventually(some, 20)
            await asyncio.sleep(1.5)  # the supervisor has connected
            os.kill(process.pid, signal.SIGSTOP)
            assert await eventually(none, 8) > 1.0
            os.kill(process.pid, signal.SIGCONT)
            await eventually(some, 20)

    asyncio.run(scenario())
    process.send_signal(signal.SIGINT)
    _, out, err = finished(process)
    report = json.loads(out)
    assert report["orders_left"] == 0
    assert report["supervisor"]["cancels"] >= 1
    assert report["supervisor"]["state"] == "watching"
    assert "no heartbeat for 2 s: cancelling all orders" in err


def test_a_dead_quoter_leaves_no_order_and_no_process(exchange: str) -> None:
    process = supervised(exchange)

    async def scenario() -> list[int]:
        async with ThalexClient(exchange, throwaway_key()) as client:

            async def some() -> bool:
                return bool(await client.open_orders())

            async def none() -> bool:
                return not await client.open_orders()

            await eventually(some, 20)
            children = children_of(process.pid)
            process.kill()
            await eventually(none, 8)
            return children

    children = asyncio.run(scenario())
    _, _, err = finished(process)
    assert "the quoter is dead: cancelling all orders" in err
    assert all(gone(child) for child in children)


def test_a_supervisor_that_dies_is_started_anew(exchange: str) -> None:
    process = supervised(exchange)
    assert process.stderr is not None
    while "quotes" not in process.stderr.readline():
        continue
    os.kill(supervisor_of(process.pid), signal.SIGKILL)
    time.sleep(1.0)
    assert supervisor_of(process.pid)
    process.send_signal(signal.SIGINT)
    status, out, _ = finished(process)
    assert status == 0
    report = json.loads(out)["supervisor"]
    assert report["restarts"] == 1
    assert report["cancels"] == 0
    assert gone(report["pid"])


def test_a_pulse_is_judged_by_its_own_clock() -> None:
    with RingWriter("test.heart", "beat", 64, BEAT) as ring:
        pulse = Pulse(RingReader(ring.name, BEAT), 2.0, 100.0)
        now_s = 100.0
        for _ in range(10):
            ring.push(np.zeros(1, BEAT))
            now_s += 0.1
            assert not pulse.stopped(now_s)
        silent_s = now_s
        while not pulse.stopped(now_s):
            now_s += 0.05
        assert 2.0 < now_s - silent_s < 2.2
        ring.push(np.zeros(1, BEAT))
        assert not pulse.stopped(now_s)
        # It was this process that slept: nothing is known of the other.
        assert not pulse.stopped(now_s + 30.0)
        assert not pulse.stopped(now_s + 30.0 + LAG_S_MAX)
        assert pulse.last is not None
        assert len(pulse.last) == 1
    assert not pulse.stopped(now_s + 60.0)
    assert pulse.ended
    assert not pulse.dead


def test_its_questions_keep_to_the_configured_rate_and_its_cancels_do_not(exchange: str) -> None:
    """Of 150 a minute the set-up takes a few; the 151st request waits, a cancel after it leaves at once."""
    ring = RingWriter("quoter.heart", "rate", 64, BEAT)

    async def scenario() -> None:
        supervisor = Supervisor(Orders(ring.name, exchange, "local", {}, 2.0, 150), throwaway_key())
        await supervisor._connected()
        client = supervisor._client
        assert client is not None
        assert client.rate_limit == 150
        client.request_timeout_s = 0.3
        with pytest.raises(NotSent):
            for _ in range(150):
                await client.open_orders()
        assert await client.cancel_all() == 0
        await client.close()
        supervisor._status.close()

    asyncio.run(scenario())
    ring.close()
