"""The connections of a live run: the one that the core quotes on, and the next one while that still quotes."""

from collections.abc import Callable

from engine.core.step import Core
from engine.live.clock import now_ns, wall_s
from engine.live.run_journal import RunJournal
from feed.auth import Credentials
from feed.connection import Connection, connect
from feed.frames import MessageHandler
from feed.prelude import Prelude, Prepared
from feed.transport import WsSink
from feed.waterfall import Waterfall

PONG_SHARE = 0.5
"""A pong must come within this share of the interval of pings."""


class Next:
    """A connection that is logged in and not quoted on yet."""

    def __init__(self, prepared: Prepared, take: Callable[[Prepared], None]) -> None:
        self._prepared = prepared
        self._take = take

    @property
    def is_open(self) -> bool:
        """Whether it is still there."""
        return self._prepared.connection.is_open

    def take(self) -> Connection:
        """Give it to the core, whose last connection has ended."""
        self._take(self._prepared)
        return self._prepared.connection

    def abort(self, reason: str) -> None:
        """Drop it: it was not needed."""
        self._prepared.connection.abort(reason)


class Connector:
    """Connects ``core`` to ``url``, through the journal where there is one."""

    def __init__(
        self,
        core: Core,
        journal: RunJournal | None,
        url: str,
        ping_interval_s: float,
        waterfall: Waterfall,
        credentials: Credentials,
    ) -> None:
        self._core = core
        self._journal = journal
        self._url = url
        self._ping_interval_s = ping_interval_s
        self._waterfall = waterfall
        self._credentials = credentials
        self._handler: MessageHandler = core if journal is None else journal.tap
        if journal is not None:
            journal.tap.stamp(waterfall)

    def token(self) -> str:
        """A fresh login token; each is for one login."""
        return self._credentials.token(wall_s())

    async def connect(self) -> Connection:
        """A connection whose messages go to the core from its first on."""
        sink = WsSink(self._waterfall)
        self._attach(sink)
        return await self._open(self._handler, sink)

    async def prepare(self) -> Next:
        """Another connection, through the first steps of the set-up. Raises ``PreludeFailed`` and ``OSError``."""
        prelude = Prelude(self._core.session.plan, self.token)
        connection = await self._open(prelude, prelude.sink)
        return Next(await prelude.walk(connection, now_ns), self._take)

    def _take(self, prepared: Prepared) -> None:
        prepared.sink.stamp(self._waterfall)
        self._attach(prepared.sink)
        if self._journal is None:
            self._core.session.prepared(prepared.account, prepared.message_rate)
        else:
            self._journal.core.prepared(prepared.account, prepared.message_rate, now_ns())
        prepared.connection.hand_over(self._handler)

    def _attach(self, sink: WsSink) -> None:
        self._waterfall.connecting()
        if self._journal is None:
            self._core.attach(sink)
        else:
            self._journal.core.attach(sink, now_ns())

    async def _open(self, handler: MessageHandler, sink: WsSink) -> Connection:
        interval_s = self._ping_interval_s
        return await connect(
            handler, self._url, sink=sink, ping_interval_s=interval_s, pong_timeout_s=PONG_SHARE * interval_s
        )
