"""The live loop: connects, keeps the core's timers, reconnects with backoff, and stops with no order left.

It runs on one event loop and one thread. The core decides; this module only gives it time, tokens and connections, and
acts on what it says of the connection (``wants_close``, ``fatal``).

A connection whose close the venue has announced is quoted on until the next one is open and logged in. Then the core
empties it, and when the venue has told that no order is left the next one takes its place: never are two connections
quoted on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from logging import Logger
from typing import Any, Protocol

from feed.backoff import Backoff
from feed.connection import ConnectFailed
from feed.prelude import PreludeFailed

TICK_S = 0.02
"""Longest time between two looks at the core's timers and wishes."""

WATCH_S = 0.1
"""Time between two looks at what must work beside the core."""

STOP_TICK_S = 0.005
MOVE_AGAIN_S = 1.0
CLOSE_S_MAX = 1.0
MOVE_TICK_S = 0.001
CONNECT_S_MAX = 10.0


class Core(Protocol):
    """The deterministic core, as the loop sees it; times are monotonic ns."""

    @property
    def wants_token(self) -> bool:
        """A login token is needed."""

    @property
    def deadline_ns(self) -> int:
        """When ``on_timer`` is due."""

    @property
    def wants_close(self) -> str | None:
        """Why the connection should be closed and made anew."""

    @property
    def close_announced(self) -> bool:
        """Whether the venue has announced that it closes this connection."""

    @property
    def fatal(self) -> str | None:
        """Why no connection should be made again."""

    @property
    def stopped(self) -> bool:
        """After ``operator("stop")``: no order is left, proven by the venue."""

    @property
    def orders_left(self) -> int:
        """Orders still open, as the venue last told while stopping; -1: not told."""

    @property
    def mode(self) -> str:
        """ACTIVE, REDUCING or HALTED."""

    @property
    def session(self) -> "Session":
        """The session of the connection."""

    def provide_token(self, token: str, now_ns: int) -> None:
        """Give the token that ``wants_token`` asks for."""

    def on_timer(self, now_ns: int) -> None:
        """Act on every deadline that has passed."""

    def operator(self, act: str, now_ns: int) -> None:
        """``stop``, ``halt``, ``resume``, ``move``, ``unwatched`` or ``watched``."""

    def status(self) -> dict[str, Any]:
        """Counters and state for people."""


class Session(Protocol):
    """The part of the session that the loop looks at."""

    @property
    def is_live(self) -> bool:
        """Set-up is over; quotes may be sent."""


class Connection(Protocol):
    """An open connection of ``feed.transport``."""

    @property
    def error(self) -> BaseException | None:
        """What the core raised while it handled a message, if that ended the connection."""

    async def wait_closed(self) -> object:
        """Return when the connection is closed."""

    def close(self, reason: str) -> None:
        """Close in order."""

    def abort(self, reason: str) -> None:
        """Drop at once, which makes the venue cancel what it may."""

    def retire(self, reason: str, gone: Callable[[int], None]) -> None:
        """End it now and close in order behind it; ``gone``: told how many frames still came."""


class Next(Protocol):
    """A connection that is open and logged in while another one is quoted on."""

    @property
    def is_open(self) -> bool:
        """Whether it is still there."""

    def take(self) -> Connection:
        """Give it to the core."""

    def abort(self, reason: str) -> None:
        """Drop it."""


class Cause(Enum):
    """Why a run ended."""

    STOPPED = "stopped"
    TIME_IS_UP = "time is up"
    FATAL = "refused"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why and how a run ended.

    ``connected``: at least one connection was made. ``clean``: the venue said that no order is left. ``mode``: the mode
    of the core when the end began.
    """

    cause: Cause
    detail: str
    connected: bool
    clean: bool
    mode: str


class LiveLoop:
    """Runs one core until it is told to stop.

    Errors of the core itself end the run: an exception never leaves quotes up. ``watch``: says what fails beside the
    core (the journal), which ends the run in order; None while all is well. ``on_lag``: told by how many ns each tick
    came late, of a loop whose timers count whole ms.
    """

    def __init__(
        self,
        core: Core,
        connect: Callable[[], Awaitable[Connection]],
        token: Callable[[], str],
        now_ns: Callable[[], int],
        backoff: Backoff,
        log: Logger,
        *,
        prepare: Callable[[], Awaitable[Next]] | None = None,
        on_live: Callable[[], None] = lambda: None,
        on_lag: Callable[[int], None] = lambda _: None,
        watch: Callable[[], str | None] = lambda: None,
        attempts_max: int = 0,
        stop_timeout_s: float = 5.0,
        spin: bool = False,
    ) -> None:
        self._core = core
        self._connect = connect
        self._prepare = prepare
        self._mover: asyncio.Task[None] | None = None
        self._next: Next | None = None
        self.ignored = 0
        self._token = token
        self._now_ns = now_ns
        self._backoff = backoff
        self._log = log
        self._on_live = on_live
        self._on_lag = on_lag
        self._due_ns = 0
        self._watch = watch
        self._watched_ns = 0
        self._attempts_max = attempts_max
        self._stop_timeout_s = stop_timeout_s
        self._spin = spin
        self._connection: Connection | None = None
        self._connections = 0
        self._failures = 0
        self._asked_pause_ns = 0
        self._announced = False
        self._ended: asyncio.Future[Cause] | None = None
        self._detail = ""
        self._finishing = False
        self._aborted = False
        self._timer: asyncio.Handle | None = None

    async def run(self, seconds: float | None = None) -> Ending:
        """Quote for ``seconds`` (None: until ``stop``), then stop in order."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        clock = None if seconds is None else loop.call_later(seconds, self._end, Cause.TIME_IS_UP, "")
        self._tick()
        if self._spin:
            loop.call_soon(self._spin_once)
        keeper = loop.create_task(self._keep_connected())
        keeper.add_done_callback(self._task_done)
        try:
            cause = await self._ended
            mode = self._core.mode
            clean = await self._finish()
        finally:
            self._finishing = True
            if clock is not None:
                clock.cancel()
            if self._timer is not None:
                self._timer.cancel()
            tasks = [task for task in (keeper, self._mover) if task is not None]
            for task in tasks:
                task.remove_done_callback(self._task_done)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._next is not None:
                self._next.abort("not needed")
        if self._aborted:
            cause = Cause.ABORTED
        return Ending(cause, self._detail, self._connections > 0, clean, mode)

    @property
    def ending(self) -> bool:
        """Whether the end has begun."""
        return self._ended is not None and self._ended.done()

    def stop(self) -> None:
        """Stop in order: cancel everything, prove it, close. A second call drops the connection and ends at once."""
        if self.ending:
            self._aborted = True
            self._abort("aborted by the operator")
        else:
            self._end(Cause.STOPPED, "")

    def _end(self, cause: Cause, detail: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._detail = detail
            self._ended.set_result(cause)

    def _abort(self, reason: str) -> None:
        self._finishing = True
        if self._connection is not None:
            self._connection.abort(reason)

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        """A task of the loop has ended by itself; an exception of it ends the run."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("internal error", exc_info=error)
            self._abort("internal error")
            self._end(Cause.FAILED, f"internal error: {error!r}")

    async def _keep_connected(self) -> None:
        """Connect, wait for the end of the connection, pause, and again."""
        while True:
            reason = await self._one_connection()
            if self._core.fatal is not None:
                self._end(Cause.FATAL, self._core.fatal)
                return
            if self._next is not None and not self._finishing:
                continue
            if self._attempts_max and self._failures >= self._attempts_max:
                self._end(Cause.UNREACHABLE, f"{self._failures} attempts in a row failed, the last: {reason}")
                return
            pause_ns = self._backoff.pause_ns(self._now_ns(), self._asked_pause_ns)
            if pause_ns is None:
                self._end(Cause.UNREACHABLE, f"the hour's budget of attempts is used up, the last: {reason}")
                return
            if self._announced:
                # It was live, and nothing is wrong with the venue; the attempt counts, the pause does not.
                pause_ns = 0
            self._log.warning("not connected", extra={"fields": {"reason": reason, "pause_s": pause_ns / 1e9}})
            await asyncio.sleep(pause_ns / 1e9)

    async def _one_connection(self) -> str:
        """One connection from its start to its end; returns why it ended."""
        self._asked_pause_ns = 0
        self._announced = False
        if self._next is not None and self._next.is_open:
            self._connection, self._next = self._next.take(), None
            return await self._until_its_end(self._connection)
        self._next = None
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                self._connection = await self._connect()
        except (OSError, TimeoutError, EOFError, RuntimeError) as error:
            self._failures += 1
            if isinstance(error, ConnectFailed):
                self._asked_pause_ns = int(error.retry_after_s * 1e9)
            return str(error) or type(error).__name__
        return await self._until_its_end(self._connection)

    async def _until_its_end(self, connection: Connection) -> str:
        """Wait for the end of a connection; why it ended."""
        self._connections += 1
        self._log.info("connected", extra={"fields": {"connection": self._connections}})
        try:
            reason = await connection.wait_closed()
        finally:
            self._connection = None
        if connection.error is not None:
            raise connection.error
        self._failures += 1
        return str(reason)

    def _begin_move(self, old: Connection) -> None:
        if self._prepare is not None:
            self._mover = asyncio.get_running_loop().create_task(self._move(old, self._prepare))
            self._mover.add_done_callback(self._task_done)

    async def _move(self, old: Connection, prepare: Callable[[], Awaitable[Next]]) -> None:
        """The venue will close ``old``: open the next connection, let the core empty the old one, and replace it.

        Where none can be opened the old one stays until its end.
        """
        while self._backoff.pause_ns(self._now_ns()) is not None:
            try:
                async with asyncio.timeout(CONNECT_S_MAX):
                    following = await prepare()
                break
            except (PreludeFailed, OSError, TimeoutError, EOFError) as error:
                self._log.warning("no next connection", extra={"fields": {"reason": str(error) or repr(error)}})
                if isinstance(error, PreludeFailed):
                    return
                await asyncio.sleep(MOVE_AGAIN_S)
        else:
            return
        if self.ending or self._connection is not old:
            following.abort("not needed")
            return
        self._next = following
        self._core.operator("move", self._now_ns())
        while self._connection is old and self._core.wants_close is None and not self.ending:
            await asyncio.sleep(MOVE_TICK_S)
        if self._connection is old and not self.ending:
            self._give_up(old, self._core.wants_close or "")

    def _give_up(self, connection: Connection, reason: str) -> None:
        """End a connection: in order if the venue has told that it is empty and another one is ready, else at once."""
        self._log.warning("closing", extra={"fields": {"reason": reason}})
        if self._next is not None and self._core.orders_left == 0:
            connection.retire(reason, self._retired)
        else:
            connection.abort(reason)

    def _retired(self, frames: int) -> None:
        self.ignored += frames
        self._log.info("the last connection is closed", extra={"fields": {"frames_ignored": frames}})

    def _tick(self) -> None:
        """Give the core its time and look at its wishes; arms itself again."""
        if self._finishing:
            return
        if self._due_ns:
            self._on_lag(self._now_ns() - self._due_ns)
        try:
            self._serve()
        except Exception as error:  # the core must not raise; if it does, quotes come off by cancel-on-disconnect
            self._log.exception("internal error")
            self._abort("internal error")
            self._end(Cause.FAILED, f"internal error: {error!r}")
            return
        now_ns = self._now_ns()
        wait_s = min(max((self._core.deadline_ns - now_ns) / 1e9, 0.0002), TICK_S)
        self._due_ns = now_ns + int(wait_s * 1e9)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _serve(self) -> None:
        core, now_ns = self._core, self._now_ns()
        if now_ns >= core.deadline_ns:
            core.on_timer(now_ns)
        if core.wants_token:
            core.provide_token(self._token(), self._now_ns())
        if now_ns - self._watched_ns > WATCH_S * 1e9:
            self._watched_ns = now_ns
            if (problem := self._watch()) is not None:
                self._end(Cause.FAILED, problem)
        if core.fatal is not None:
            self._end(Cause.FATAL, core.fatal)
        elif (reason := core.wants_close) is not None and self._connection is not None:
            self._announced = self._announced or (core.close_announced and core.session.is_live)
            self._give_up(self._connection, reason)
        elif core.session.is_live:
            if core.close_announced and not self._announced and self._connection is not None:
                self._announced = True
                self._begin_move(self._connection)
            self._failures = 0
            self._backoff.live(now_ns)
            self._on_live()

    def _spin_once(self) -> None:
        if not self._finishing:
            asyncio.get_running_loop().call_soon(self._spin_once)

    async def _finish(self) -> bool:
        """Cancel everything and prove that nothing is left; True when proven within the time given."""
        now_ns = self._now_ns()
        deadline_ns = now_ns + int(self._stop_timeout_s * 1e9)
        self._core.operator("stop", now_ns)
        while not self._core.stopped and not self._finishing and self._now_ns() < deadline_ns:
            await asyncio.sleep(STOP_TICK_S)
        clean = self._core.orders_left == 0 and not self._finishing
        connection, self._finishing = self._connection, True
        if connection is not None:
            if clean:
                connection.close("stopped")
            else:
                connection.abort("stopped without proof that no order is left")
            try:
                async with asyncio.timeout(CLOSE_S_MAX):
                    await connection.wait_closed()
            except TimeoutError:
                connection.abort("the peer does not close")
        return clean
