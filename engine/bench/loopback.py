"""Tick to request over a loopback websocket: the live transport and the core, a picows echo, and a bare C socket.

A server process of its own sends the frames of a recorded session and reads the clock at both ends of each round trip.
The client walks the whole set-up and answers every tick through ``feed.connection``, with the journal's tap and the
waterfall, as it trades; only the times that the core sees are the tape's, so that neither the message budget nor a
timer waits, and nobody reads the journal's ring. Every request is compared with the tape's, to the byte.
"""

import asyncio
import os
import pickle
import select
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import uvloop
from picows import ws_connect

from engine.bench import sdk
from engine.bench.echo import EchoListener
from engine.bench.figures import Rounds
from engine.bench.harness import CountingSink, Player, TapeHandler
from engine.bench.in_process import journal_ring, tickers
from engine.bench.peer import floor_client, server_frame
from engine.bench.serve import Script
from engine.bench.tapes import INSTRUMENT, Session
from engine.live.latency import figures
from engine.sim.tape import Act
from feed.connection import client_tls, connect
from feed.tap import Tap, TapSink
from feed.transport import WsSink
from feed.waterfall import Waterfall

ANSWER_S_MAX = 60.0


class RigFailed(RuntimeError):
    """A round did not come to its end, or a request was not the tape's."""


@dataclass(slots=True)
class Loopback:
    """Round trips of ticks that are answered, from the server's write to the first request's arrival.

    ``floor`` is plain TCP only; it and ``sdk`` may be without a round. ``stages``: the core's
    waterfall over all rounds, percentiles in ns by name.
    """

    core: Rounds = field(default_factory=Rounds)
    echo: Rounds = field(default_factory=Rounds)
    floor: Rounds = field(default_factory=Rounds)
    sdk: Rounds = field(default_factory=Rounds)
    stages: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The core's p50 over the echo's."""
        return self.core.best(50.0) / self.echo.best(50.0)


def script_of(session: Session) -> tuple[Script, npt.NDArray[np.bool_], int]:
    """The session as the server plays it, which of its steps are measured, and the usual size of an answer."""
    frames: list[bytes] = []
    expected: list[tuple[bytes, ...]] = []
    measured: list[bool] = []
    first: tuple[bytes, ...] = ()
    for i, (entry, texts) in enumerate(zip(session.tape.inputs, session.sent, strict=True)):
        if entry.act is Act.MESSAGE:
            frames.append(server_frame(entry.data))
            expected.append(texts)
            measured.append(i >= session.live_at and len(texts) > 0)
        elif expected:
            measured[-1] = measured[-1] and not texts
            expected[-1] += texts
        else:
            first += texts
    sizes = [len(texts[0]) for texts, is_measured in zip(expected, measured, strict=True) if is_measured]
    return Script(frames, expected, True, first), np.array(measured), int(np.median(sizes))


class Rig:
    """The server process and the clients. Use it as a context manager."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._player = Player(session.tape)
        script, measured, self._reply_size = script_of(session)
        fixed = Script(script.frames, [(b"",)] * len(script.frames), False)
        ticks = [server_frame(tick.frame) for tick in tickers(session)]
        sdk_script = Script(ticks, [(b"",)] * len(ticks), False)
        self._measured = {"core": measured, "echo": measured, "floor": measured, "sdk": np.ones(len(ticks), np.bool_)}
        root = Path(__file__).resolve().parents[2]
        self._server = subprocess.Popen(
            [sys.executable, "-m", "engine.bench.serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
        )
        pickle.dump({"core": script, "echo": fixed, "floor": fixed, "sdk": sdk_script}, self._stdin)
        self._stdin.flush()
        self._port, self._tls_port, certificate = self._answer()
        self._context = client_tls()
        self._context.load_verify_locations(cadata=certificate)
        self._records = self._final_records()
        self._cpus = os.sched_getaffinity(0)
        self._waterfall = Waterfall()
        self._ring = journal_ring()

    @property
    def _stdin(self) -> Any:
        return self._server.stdin

    @property
    def parallel(self) -> bool:
        """Whether both ends have a processor of their own; without, spinning measures the scheduler."""
        return len(self._cpus) > 1

    def __enter__(self) -> "Rig":
        os.sched_setaffinity(0, {min(self._cpus)})
        return self

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._cpus)
        self._ring.close()
        self._stdin.close()
        try:
            self._server.wait(ANSWER_S_MAX)
        finally:
            self._server.kill()
            self._server.wait()
            assert self._server.stdout is not None
            self._server.stdout.close()

    def _answer(self) -> Any:
        assert self._server.stdout is not None
        ready, _, _ = select.select([self._server.stdout], [], [], ANSWER_S_MAX)
        if not ready:
            raise RigFailed(f"the server said nothing in {ANSWER_S_MAX:g} s")
        return pickle.load(self._server.stdout)

    def _result(self, what: str) -> npt.NDArray[np.int64]:
        """The measured round trips of the connection that just ended."""
        answer = self._answer()
        if isinstance(answer, str):
            raise RigFailed(f"{what}: {answer}")
        took, wrong = answer
        if wrong:
            raise RigFailed(f"{what}: {wrong} requests were not those expected")
        values: npt.NDArray[np.int64] = took[self._measured[what]]
        return values

    def measure(
        self,
        spin: bool,
        rounds: int,
        progress: Callable[[], None] = lambda: None,
        *,
        tls: bool = False,
        with_sdk: bool = False,
    ) -> Loopback:
        """``rounds`` rounds of each, in turn: core, echo, bare socket where nothing is encrypted.

        ``with_sdk``: the official SDK and a model in Python too, if it is installed (``sdk.missing``), on asyncio's own
        loop.
        """
        found = Loopback()
        self._waterfall = Waterfall()
        for _ in range(rounds):
            found.core.add(self._looped(self._core, "core", spin, tls))
            found.echo.add(self._looped(self._echo, "echo", spin, tls))
            if not tls:
                found.floor.add(self._floor(spin))
            if with_sdk and sdk.missing() is None:
                found.sdk.add(self._sdk())
            progress()
        found.stages = figures(self._waterfall.histograms.histograms)
        return found

    def _final_records(self) -> dict[str, Any]:
        """The records of the instrument once the session was played: what the model in Python works with."""
        core = self._session.core()
        core.attach(CountingSink())
        self._player.play(core, 0, self._player.count)
        return core.instruments[0].records()

    def _sdk(self) -> npt.NDArray[np.int64]:
        asyncio.run(sdk.quote(f"ws://127.0.0.1:{self._port}/sdk?spin=0", INSTRUMENT, self._records))
        return self._result("sdk")

    def _looped(
        self, client: Callable[[str, ssl.SSLContext | None], Awaitable[None]], name: str, spin: bool, tls: bool
    ) -> npt.NDArray[np.int64]:
        async def run() -> None:
            loop = asyncio.get_running_loop()

            def poll() -> None:
                if not done:
                    loop.call_soon(poll)

            done = not spin
            loop.call_soon(poll)
            try:
                async with asyncio.timeout(ANSWER_S_MAX):
                    start = f"wss://127.0.0.1:{self._tls_port}" if tls else f"ws://127.0.0.1:{self._port}"
                    await client(f"{start}/{name}?spin={int(spin)}", self._context if tls else None)
            finally:
                done = True

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
        return self._result(name)

    async def _core(self, url: str, context: ssl.SSLContext | None) -> None:
        core, sink = self._session.core(), WsSink(self._waterfall)
        self._player.tap = tap = Tap(core, self._ring)
        core.attach(TapSink(tap, sink))
        core.stamp(self._waterfall)
        tap.stamp(self._waterfall)
        self._waterfall.connecting()
        handler = TapeHandler(core, self._player, self._waterfall, self._session.live_at)
        connection = await connect(handler, url, sink=sink, ssl_context=context)
        await connection.wait_closed()
        if handler.wrong or connection.error is not None:
            raise RigFailed(f"core: {handler.wrong or connection.error!r}")

    async def _echo(self, url: str, context: ssl.SSLContext | None) -> None:
        ended = asyncio.Event()
        await ws_connect(
            lambda *_: EchoListener(self._reply_size, ended.set),
            url,
            ssl_context=context,
            enable_auto_pong=False,
        )
        await ended.wait()

    def _floor(self, spin: bool) -> npt.NDArray[np.int64]:
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(f"GET /floor?spin={int(spin)} HTTP/1.1\r\n\r\n".encode())
            floor_client(connection.fileno(), self._reply_size, spin)
        return self._result("floor")
