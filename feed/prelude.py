"""The first steps of a set-up on a connection of its own: login, environment, account, cancel-on-disconnect, and
``cancel_session``, which removes orders and protection of that new connection alone (protocol sections 4.3 and 7.2).

For a venue that announces that it will close a connection: the next one goes as far as this while the old one
quotes, and is then handed to the owner of the session (``Session.prepared``). Nothing here places an order or touches
one of another connection, and nothing is subscribed to, so nothing can arrive that the owner would miss. Owner thread:
the event loop's.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from feed import decode_slow
from feed import session_events as events
from feed.commands import Priority
from feed.connection import Connection
from feed.frames import MessageHandler
from feed.outbox import Outbox
from feed.session import Session
from feed.session_plan import SessionPlan
from feed.transport import WsSink

POLL_S = 0.05


class PreludeFailed(ConnectionError):
    """The connection came up but is of no use; another attempt would meet the same answer."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A connection that is logged in and cancels on disconnect; hand it over, or abort it."""

    connection: Connection
    sink: WsSink
    account: str
    message_rate: int


class Prelude(MessageHandler):
    """Walks one connection through ``session_table.PRELUDE_STEPS``; its messages come here until it is handed over."""

    def __init__(self, plan: SessionPlan, token: Callable[[], str]) -> None:
        self.sink = WsSink()
        self._session = Session(replace(plan, prelude=True))
        self._token = token
        self._outbox = Outbox(self.sink)
        self._account = ""
        self._message_rate = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def walk(self, connection: Connection, now_ns: Callable[[], int]) -> Prepared:
        """Wait for the end of the walk. Raises ``PreludeFailed`` and ``ConnectionError``, with nothing left open."""
        try:
            while not self._done.done():
                self._session.poll(now_ns())
                self._pump(now_ns())
                await asyncio.wait([self._done], timeout=POLL_S)
            self._done.result()
        except BaseException:
            connection.abort("not needed")
            raise
        return Prepared(connection, self.sink, self._account, self._message_rate)

    def on_connected(self, now_ns: int) -> None:
        """Begin: the login leaves at once."""
        self._outbox.attach(self.sink)
        self._session.connected(now_ns)
        if self._session.wants_token:
            self._session.provide_token(self._token(), now_ns)
        self._pump(now_ns)

    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None:
        """An answer to a step."""
        self._session.receive(decode_slow.decode(message), now_ns)
        self._pump(now_ns)

    def on_disconnected(self, now_ns: int, reason: str) -> None:
        """It was lost on the way."""
        self._end(ConnectionError(reason))

    def _pump(self, now_ns: int) -> None:
        for text in self._session.take_requests():
            self._outbox.submit(Priority.OTHER, text, now_ns)
        for event in self._session.take_events():
            if isinstance(event, events.LoggedIn):
                self._account = event.account
            elif isinstance(event, events.MessageRate):
                self._message_rate = event.rate
            elif isinstance(event, events.Failed):
                self._end(PreludeFailed(event.reason))
            elif isinstance(event, events.Syncing):
                self._end(None)

    def _end(self, error: ConnectionError | None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)
