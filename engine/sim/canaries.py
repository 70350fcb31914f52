"""Cores that are broken on purpose: a simulator that does not find them is blind.

Each canary breaks one thing between the core and its surroundings, so that the core as a whole behaves as a core with
that fault would.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from engine.core.plan import CorePlan
from engine.core.step import Core
from engine.sim.options import SECOND_NS
from feed.frames import MessageHandler
from feed.journal import Kind
from feed.tap import Tap, batch_end

if TYPE_CHECKING:
    from engine.sim.host import Host

ACTIVE = 0
ORDERS = b'{"channel_name":"session.orders'
TICKER = b'{"channel_name":"ticker.'
BOOK = b'{"channel_name":"book.'
PROTECTION = b'{"channel_name":"session.mm_protection'


class Canary:
    """Nothing is broken. ``within``: in how many seeds of at least ``events`` events a broken one must be found."""

    name = "none"
    within = 0
    events = 200
    journal = False
    """Each run has a journal."""

    def plan(self, plan: CorePlan) -> CorePlan:
        """A core is made: of which plan."""
        return plan

    def handler(self, tap: Tap, core: Core) -> MessageHandler:
        """What a connection's messages go to, where there is a journal."""
        return tap

    def changed(self, plan: CorePlan) -> CorePlan | None:
        """Another plan for a running core: what it takes, None for nothing."""
        return plan

    def outbound(self, host: "Host", text: bytes) -> bytes | None:
        """A request leaves the core: what the wire gets of it, None for nothing."""
        return text

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """A message reaches the core: what it takes it for."""
        return [data]

    def after(self, host: "Host") -> None:
        """The core was called."""

    def hears(self, host: "Host", data: bytes) -> bool:
        """A connection that is gone delivers a message: whether the core took it."""
        return False

    def pause_ns(self, pause_ns: int | None) -> int | None:
        """The pause before the next attempt to connect; None: the budget is used up."""
        return pause_ns

    def read(self, record: dict[str, Any]) -> dict[str, Any]:
        """What the fast decoder has read."""
        return record


class ForgetsInFlight(Canary):
    """Orders count only once the venue has confirmed them."""

    name, within = "forgets orders in flight", 20

    def after(self, host: "Host") -> None:
        """Break it after each call."""
        for order in host.core.table.orders():
            if order["state"] == "pending":
                host.core.table.release(order["slot"])


class CountsTwice(Canary):
    """A fill that is reported a second time moves the position a second time."""

    name, within = "counts a fill twice", 40

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """Break it on the way in."""
        if not data.startswith(ORDERS) or b'"trade_id"' not in data:
            return [data]
        message = orjson.loads(data)
        for line in message["notification"]:
            line["fills"] += [fill | {"trade_id": fill["trade_id"] + "-again"} for fill in line["fills"]]
        return [orjson.dumps(message)]


class LosesFills(Canary):
    """Every other message with fills is read without them."""

    name, within = "loses fills", 80

    def __init__(self) -> None:
        self._count = 0

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """Break it on the way in."""
        if not data.startswith(ORDERS) or b'"trade_id"' not in data:
            return [data]
        self._count += 1
        if self._count % 2:
            return [data]
        message = orjson.loads(data)
        for line in message["notification"]:
            line["fills"] = []
        return [orjson.dumps(message)]


class QuotesUnprotected(Canary):
    """Cancel-on-disconnect is taken for set, and the leftovers for cancelled, without asking."""

    name, within = "quotes before cancel-on-disconnect", 20

    def outbound(self, host: "Host", text: bytes) -> bytes | None:
        """Break it on the way out."""
        if b'"private/set_cancel_on_disconnect"' in text:
            result = {"message_rate": 50}
        elif b'"private/cancel_session"' in text:
            result = None
        else:
            return text
        answer = orjson.dumps({"id": orjson.loads(text)["id"], "result": result})
        host.agenda.after(host.options.latency_ns, lambda: host.deliver_if_up([answer]))
        return None


class TimeoutIsRejection(Canary):
    """A request without an answer in time is taken for refused."""

    name, within = "takes a timeout for a rejection", 600

    def __init__(self) -> None:
        self._core: Core | None = None
        self._open: dict[int, int] = {}

    def outbound(self, host: "Host", text: bytes) -> bytes | None:
        """Break it on the way out."""
        request: dict[str, Any] = orjson.loads(text)
        if request["method"] in ("private/insert", "private/amend", "private/mass_quote"):
            number, core = request["id"], host.core
            refusal = orjson.dumps({"id": number, "error": {"code": 6, "message": "no answer"}})

            def late() -> None:
                if host.core is core and number in self._open:
                    host.deliver_if_up([refusal])

            self._open[number] = host.now_ns
            host.agenda.after(host.options.reply_ns - 1, late)
        return text

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """Break it on the way in."""
        if data.startswith(b'{"id":'):
            self._open.pop(int(data[6 : data.index(b",")]), None)
        return [data]


class IgnoresHalt(Canary):
    """A halt cancels, and then quoting goes on."""

    name, within = "ignores a halt", 40

    def after(self, host: "Host") -> None:
        """Break it after each call."""
        host.core.gate.set_mode(ACTIVE)


class IgnoresBreach(Canary):
    """A monitor that wants the position reduced is not obeyed by the gate."""

    name, within = "quotes on in a breach", 200

    def after(self, host: "Host") -> None:
        """Break it after each call."""
        for instrument in host.core.instruments:
            host.core.gate.set_reducing(instrument.index, False)


class IgnoresRestraint(Canary):
    """The account goes on as if nothing made it only reduce."""

    name, within = "ignores the account's restraint", 40

    def after(self, host: "Host") -> None:
        """Break it after each call."""
        if host.core.mode == "REDUCING":
            host.core.gate.set_mode(ACTIVE)


class PassesTheGate(Canary):
    """Now and then the last quote is sent once more, and nobody has asked the gate."""

    name, within = "sends past the gate", 20

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None
        self._calls = 0

    def outbound(self, host: "Host", text: bytes) -> bytes | None:
        """See what is sent."""
        if b'"private/mass_quote"' in text and b'"b":[],"a":[]' not in text:
            self._last = orjson.loads(text)
        return text

    def after(self, host: "Host") -> None:
        """Break it after some calls."""
        self._calls += 1
        core = host.core
        if self._last is not None and self._calls % 10 == 0 and core.requests.pending == 0 and core.session.is_live:
            host.sink.sent.append(orjson.dumps(self._last | {"id": 1}))


class WaitsForEver(Canary):
    """A request without an answer is never given up."""

    name, within = "waits for ever", 60

    def plan(self, plan: CorePlan) -> CorePlan:
        """Break it before it is made."""
        return replace(plan, timing=replace(plan.timing, reply_ns=3600 * SECOND_NS))


class TrustsOldData(Canary):
    """The last ticker is taken for fresh for ever."""

    name, within, events = "quotes on stale data", 60, 800

    def __init__(self) -> None:
        self._tickers: dict[bytes, bytes] = {}
        self._fed_ns = 0

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """Break it on the way in."""
        if data.startswith(TICKER):
            self._tickers[data[: data.index(b",")]] = data
        return [data]

    def after(self, host: "Host") -> None:
        """Break it after each call."""
        if host.core.session.is_live and host.now_ns - self._fed_ns > SECOND_NS:
            self._fed_ns = host.now_ns
            for data in self._tickers.values():
                host.core.on_message(data, host.now_ns, False)


class KeepsQuotesOnStop(Canary):
    """Cancels never leave."""

    name, within = "never cancels", 40

    def outbound(self, host: "Host", text: bytes) -> bytes | None:
        """Break it on the way out."""
        if b'"private/cancel' in text or b'"b":[],"a":[]' in text:
            answer = orjson.dumps({"id": orjson.loads(text)["id"], "result": None})
            host.agenda.after(host.options.latency_ns, lambda: host.deliver_if_up([answer]))
            return None
        return text


class HearsTheDead(Canary):
    """What an old socket delivers is taken for the new one's."""

    name, within = "hears old connections", 200

    def hears(self, host: "Host", data: bytes) -> bool:
        """Break it behind the rules."""
        host.core.on_message(data, host.now_ns, True)
        return True


class ConnectsAtOnce(Canary):
    """A lost connection is made again at once, however often."""

    name, within = "reconnects without a pause", 40

    def pause_ns(self, pause_ns: int | None) -> int | None:
        """Break it between connections."""
        return 0


class ReadsWrongly(Canary):
    """The fast decoder takes the best bid for the mark price."""

    name, within = "decodes a number wrongly", 60

    def read(self, record: dict[str, Any]) -> dict[str, Any]:
        """Break it in the decoder."""
        return record | {"mark_price": record["best_bid_e8"] / 1e8} if "best_bid_e8" in record else record


class SkipsTotals(Canary):
    """Book changes are applied without a look at the totals, and some are not applied."""

    name, within = "ignores lost book changes", 100

    def __init__(self) -> None:
        self._count = 0

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """Break it on the way in."""
        if not data.startswith(BOOK) or b'"snapshot":true' in data:
            return [data]
        self._count += 1
        message = orjson.loads(data)
        book = message["notification"]
        for member in ("total_bid_amount", "total_ask_amount"):
            del book[member]
        if self._count % 8 == 0:
            book.pop("bid_changes", None)
        return [orjson.dumps(message)]


class RevivesOrders(Canary):
    """The end of an order is taken for its being open."""

    name, within = "revives orders that ended", 60

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """Break it on the way in."""
        if not data.startswith(ORDERS):
            return [data]
        message = orjson.loads(data)
        for line in message["notification"]:
            if line["status"].startswith("cancelled"):
                line["status"] = "open"
                line.pop("delete_reason", None)
        return [orjson.dumps(message)]


class TrustsProtection(Canary):
    """Nobody listens to protection that fires."""

    name, within = "does not hear protection", 200

    def inbound(self, host: "Host", data: bytes) -> list[bytes]:
        """Break it on the way in."""
        return [] if data.startswith(PROTECTION) else [data]


class PutsBack(Canary):
    """What somebody else cancelled is quoted again at once."""

    name, within = "puts back what was cancelled by hand", 200

    def plan(self, plan: CorePlan) -> CorePlan:
        """Break it in the plan."""
        return replace(plan, limits=replace(plan.limits, hold_ns=0))

    def changed(self, plan: CorePlan) -> CorePlan | None:
        """Break it there as well."""
        return self.plan(plan)


class _Late(MessageHandler):
    """Gives each message to the core before the journal."""

    def __init__(self, tap: Tap, core: Core) -> None:
        self._tap = tap
        self._core = core

    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None:
        """Break the order."""
        self._core.on_message(message, now_ns, last_in_batch)
        self._tap.put(Kind.MESSAGE, now_ns, message, last_in_batch)

    def on_batch_end(self, now_ns: int) -> None:
        """Pass it on."""
        batch_end(self._tap, now_ns)

    def on_connected(self, now_ns: int) -> None:
        """Pass it on."""
        self._tap.on_connected(now_ns)

    def on_disconnected(self, now_ns: int, reason: str) -> None:
        """Pass it on."""
        self._tap.on_disconnected(now_ns, reason)


class JournalsLate(Canary):
    """What came in is written down when it has been acted upon."""

    name, within, journal = "journals behind the act", 10, True

    def handler(self, tap: Tap, core: Core) -> MessageHandler:
        """Break it between connection and core."""
        return _Late(tap, core)


class KeepsOldLimits(Canary):
    """A changed configuration is not taken."""

    name, within = "ignores changed limits", 200

    def changed(self, plan: CorePlan) -> CorePlan | None:
        """Break it before it is taken."""
        return None


CANARIES: tuple[type[Canary], ...] = (
    ForgetsInFlight,
    CountsTwice,
    LosesFills,
    QuotesUnprotected,
    TimeoutIsRejection,
    IgnoresHalt,
    IgnoresBreach,
    IgnoresRestraint,
    PassesTheGate,
    WaitsForEver,
    TrustsOldData,
    KeepsQuotesOnStop,
    HearsTheDead,
    ConnectsAtOnce,
    ReadsWrongly,
    SkipsTotals,
    RevivesOrders,
    TrustsProtection,
    KeepsOldLimits,
    PutsBack,
    JournalsLate,
)
