"""A core whose every input goes into the journal before the core sees it.

Messages and the beginning and end of connections come through the tap itself (``handler``); what the live loop does to
the core comes through here.
"""

from typing import Any

import ujson

from engine.core.plan import CorePlan
from engine.core.step import Core
from engine.journal.plan_text import start_text
from feed.frames import Sink
from feed.journal import Kind
from feed.tap import Tap, TapSink


class RecordedCore:
    """Has the members of ``engine.live.loop.Core``; records, then passes on.

    ``tap``: around ``core``. ``labels``: for the first record.
    """

    def __init__(self, core: Core, tap: Tap, now_ns: int, labels: dict[str, Any]) -> None:
        self._core = core
        self._tap = tap
        tap.put(Kind.START, now_ns, start_text(core.plan, labels))

    def attach(self, sink: Sink, now_ns: int) -> None:
        """A new connection's sink; what goes to it is recorded."""
        self._tap.put(Kind.ATTACHED, now_ns)
        self._core.attach(TapSink(self._tap, sink))

    def prepared(self, account: str, message_rate: int, now_ns: int) -> None:
        """The next connection was logged in already, as of ``feed.session.Session.prepared``."""
        told = {"account": account, "message_rate": message_rate}
        self._tap.put(Kind.PREPARED, now_ns, ujson.dumps(told).encode())
        self._core.session.prepared(account, message_rate)

    def on_timer(self, now_ns: int) -> None:
        """As the core's."""
        self._tap.put(Kind.TIMER, now_ns)
        self._core.on_timer(now_ns)

    def provide_token(self, token: str, now_ns: int) -> None:
        """As the core's; the token's text is not recorded."""
        self._tap.token(token, now_ns)
        self._core.provide_token(token, now_ns)

    def operator(self, act: str, now_ns: int) -> None:
        """As the core's."""
        self._tap.put(Kind.OPERATOR, now_ns, act.encode())
        self._core.operator(act, now_ns)

    def configure(self, plan: CorePlan, now_ns: int, labels: dict[str, Any]) -> None:
        """As the core's. ``labels``: for the record."""
        self._tap.put(Kind.CONFIG, now_ns, start_text(plan, labels))
        self._core.configure(plan, now_ns)

    @property
    def plan(self) -> CorePlan:
        """As the core's."""
        return self._core.plan

    def end(self, reason: str, now_ns: int) -> None:
        """The last record."""
        self._tap.put(Kind.END, now_ns, reason.encode())

    @property
    def wants_token(self) -> bool:
        """As the core's."""
        return self._core.wants_token

    @property
    def deadline_ns(self) -> int:
        """As the core's."""
        return self._core.deadline_ns

    @property
    def wants_close(self) -> str | None:
        """As the core's."""
        return self._core.wants_close

    @property
    def close_announced(self) -> bool:
        """As the core's."""
        return self._core.close_announced

    @property
    def fatal(self) -> str | None:
        """As the core's."""
        return self._core.fatal

    @property
    def halt_reason(self) -> str | None:
        """As the core's."""
        return self._core.halt_reason

    @property
    def stopped(self) -> bool:
        """As the core's."""
        return self._core.stopped

    @property
    def orders_left(self) -> int:
        """As the core's."""
        return self._core.orders_left

    @property
    def mode(self) -> str:
        """As the core's."""
        return self._core.mode

    @property
    def session(self) -> Any:
        """As the core's."""
        return self._core.session

    def status(self) -> dict[str, Any]:
        """As the core's."""
        return self._core.status()
