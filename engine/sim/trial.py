"""One simulated run of the real core against the real exchange: faults and checks first, then recovery, then an end.

Safety: faults are on and nothing may be wrong. Liveness: everything is healed, and within ``LIVE_WITHIN_NS`` the core
must quote again, with belief equal to truth. End: it stops, and no order is left. Time is simulated throughout; the
same options give the same bytes at the same times, which the digest shows.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from engine.core.instrument import BREACHES
from engine.core.step import Core
from engine.sim import faults
from engine.sim.agenda import Agenda
from engine.sim.canaries import Canary
from engine.sim.checkers import Checker, Violation
from engine.sim.market import HostileMarket
from engine.sim.network import Link
from engine.sim.options import MS, SECOND_NS, START_NS, SwarmOptions
from engine.sim.wire import Wire
from feed.exchange.accounts import USD
from feed.exchange.connection import Connection
from feed.exchange.exchange import Exchange
from feed.exchange.options import Options as ExchangeOptions
from feed.frames import ListSink
from kernels.kept import addresses

PRICE = re.compile(rb'"price":([0-9.]+)')
KEY_NAME = "K1"
ACCOUNT = "A1"
LIVE_WITHIN_NS = 40 * SECOND_NS
POLL_NS = 250 * MS
SPINS_MAX = 1000
FLAPS_MAX = 4
DEEP_EVERY = 16


def token(now_ns: int) -> str:
    """A login token whose signature nobody checks: the simulated exchange runs in open mode."""
    parts = ({"alg": "RS512", "kid": KEY_NAME}, {"iat": now_ns / 1e9})
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts) + ".AA"


@dataclass(slots=True)
class Verdict:
    """What became of one run. ``failure`` is None when every invariant held."""

    seed: int
    events: int
    digest: str
    invariant: int = 0
    failure: str | None = None
    at_s: float = 0.0
    marks: Counter[str] = field(default_factory=Counter)


class Trial:
    """One run; ``run`` once. ``canary``: what is broken on purpose."""

    def __init__(self, options: SwarmOptions, canary: Canary | None = None) -> None:
        self.options = options
        self.marks: Counter[str] = Counter()
        self.agenda = Agenda(START_NS)
        self.wire = Wire(options, self.marks)
        self.market = HostileMarket(options.listed, options.rng("market"), options.market_step_ns, options.market_whole)
        self.exchange = Exchange(self.market, self._exchange_options(), seed=options.seed)
        self.exchange.start(START_NS)
        self.sink = ListSink()
        self.canary = canary or Canary()
        self._broken = canary is not None
        self.core = self._new_core()
        self.checker = Checker(options, self.exchange, self.core, ACCOUNT)
        self.link: Link | None = None
        self.healed = False
        self.ready_ns = 0
        self.stopping = False
        self.events = 0
        self.spins = 0
        self.lives = 0
        self._net = options.rng("net")
        self._backoff = options.rng("backoff")
        self._adversary = options.rng("adversary")
        self._digest = hashlib.sha256()
        self._was_live = False
        self._foreign: Connection | None = None
        self._halted_ns = 0
        self._was_halted = False
        self._breaches: dict[bytes, int] = {}

    def _exchange_options(self) -> ExchangeOptions:
        return replace(self.options.exchange, deposit_usd=self.options.deposit_usd)

    def _new_core(self) -> Core:
        core = Core(self.canary.plan(self.options.plan()), addresses())
        core.attach(self.sink)
        return core

    @property
    def now_ns(self) -> int:
        """Simulated time."""
        return self.agenda.now_ns

    # --- the run --------------------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Both phases and the end; a violated invariant ends it at once."""
        verdict = Verdict(self.options.seed, 0, "", marks=self.marks)
        try:
            self._connect()
            faults.schedule(self)
            self._safety()
            self._heal()
            self._recover()
            self._end()
        except Violation as violation:
            verdict.invariant, verdict.failure = violation.invariant, str(violation)
        verdict.events, verdict.digest = self.events, self._digest.hexdigest()
        verdict.at_s = (self.now_ns - START_NS) / SECOND_NS
        self._count_branches()
        return verdict

    def _safety(self) -> None:
        while self.events < self.options.events:
            self._step()

    def _heal(self) -> None:
        self.healed = self.wire.healed = True
        self.ready_ns = 0
        self.unblock()
        if self.link is not None:
            self.link.heal()
        self.exchange.advance(self.now_ns)
        self.market.heal(self.now_ns)
        account = self.checker.account
        if account is not None:
            account.balance += 1_000_000 * USD
            account.deposit += 1_000_000 * USD
        self.lives = 0

    def _recover(self) -> None:
        """It quotes again in time, and once the market stands still belief and truth are the same."""
        deadline_ns = self.now_ns + LIVE_WITHIN_NS
        settled = 0
        while settled < 4:
            if self.now_ns > deadline_ns:
                raise Violation(
                    28, f"not quoting {LIVE_WITHIN_NS // SECOND_NS} s after the last fault: {self._reasons()}"
                )
            self._advance(POLL_NS)
            if self.core.halt_reason is not None:
                self.resume()
            settled += self._quoting()
        if self.lives > FLAPS_MAX:
            raise Violation(30, f"{self.lives} sessions went live after the last fault")
        self.market.still = True
        self._agree()

    def _agree(self) -> None:
        difference: str | None = ""
        deadline_ns = self.now_ns + 25 * SECOND_NS
        while difference is not None:
            if self.now_ns > deadline_ns:
                raise Violation(19, f"belief is not truth at rest: {difference}")
            self._advance(POLL_NS - 37 * MS)
            if self.core.halt_reason is not None:
                self.resume()
            difference = self.checker.difference() if self.link is not None and self.link.idle else "messages under way"

    def _quoting(self) -> bool:
        """It quotes, or only reduces because a monitor says so."""
        core = self.core
        return bool(
            core.session.is_live
            and core.halt_reason is None
            and all(i.why == "quoting" or i.why in BREACHES.values() for i in core.instruments)
        )

    def _reasons(self) -> str:
        why = {instrument.name.decode(): instrument.why for instrument in self.core.instruments}
        return (
            f"session {self.core.session.state.name}, mode {self.core.mode}, {why}, last error {self.core.last_error}"
        )

    def _end(self) -> None:
        """Half of the runs end by an orderly stop."""
        if not self.options.stop_at_end:
            return
        self.stopping = True
        self._operator("stop")
        deadline_ns = self.now_ns + self.options.patience_ns
        while not self.core.stopped:
            if self.now_ns > deadline_ns:
                raise Violation(15, "the stop does not end")
            self._advance(POLL_NS)
        if self.core.orders_left != 0 or self.checker.ours():
            raise Violation(15, f"stopped with {len(self.checker.ours())} orders, told {self.core.orders_left}")

    def _advance(self, duration_ns: int) -> None:
        """Simulate so long."""
        until_ns = self.now_ns + duration_ns
        self.agenda.at(until_ns, lambda: None)
        while self.now_ns < until_ns:
            self._step()

    def _step(self) -> None:
        """The next event, whatever it is, and the checks that follow every event."""
        agenda = self.agenda
        act_ns, exchange_ns = agenda.next_ns, self.exchange.next_ns()
        timer_ns = max(self.core.deadline_ns, self.ready_ns, agenda.now_ns)
        due_ns = min(act_ns, exchange_ns, timer_ns)
        if due_ns - agenda.now_ns >= 1000:
            self.spins = 0
        agenda.now_ns = max(agenda.now_ns, due_ns)
        self.events += 1
        if due_ns == exchange_ns:
            self.exchange.advance(agenda.now_ns)
        elif due_ns == act_ns:
            agenda.pop()()
        else:
            self.spins += 1
            if self.spins > SPINS_MAX:
                raise Violation(33, "deadlines in the past: the timer spins")
            self._call(lambda: self.core.on_timer(self.now_ns))
        self.checker.after_event(agenda.now_ns)
        if self.events % DEEP_EVERY == 0:
            self.checker.deep(agenda.now_ns)

    # --- the core's surroundings ------------------------------------------------------------------------------------

    def _call(self, act: Callable[[], None]) -> None:
        """Call the core, then do what it wishes; it never raises."""
        try:
            act()
            if self.core.wants_token and self.link is not None:
                self.core.provide_token(token(self.now_ns), self.now_ns)
        except Violation:
            raise
        except Exception as error:
            raise Violation(34, f"the core raised {type(error).__name__}: {error}") from error
        self.canary.after(self)
        self._send()
        if self.core.session.is_live and not self._was_live:
            self.lives += 1
            self.marks["live"] += 1
        self._was_live = self.core.session.is_live
        self._watch_limits()
        if self.core.fatal is not None:
            raise Violation(28, f"gave up for ever: {self.core.fatal}")
        if self.core.wants_close is not None and self.link is not None:
            self.marks[f"close: {self.core.wants_close.lstrip('0123456789 ')[:40]}"] += 1
            self.link.cut(self.core.wants_close)

    def _watch_limits(self) -> None:
        """Mark the monitors that have acted."""
        core = self.core
        if core.halt_reason is not None and not self._was_halted:
            self.marks[f"halt: {core.halt_reason.split()[0]}"] += 1
        self._was_halted = core.halt_reason is not None
        for instrument in core.instruments:
            if instrument.breach != self._breaches.get(instrument.name, 0):
                self._breaches[instrument.name] = instrument.breach
                if instrument.breach:
                    self.marks[f"breach: {BREACHES[instrument.breach]}"] += 1

    def _send(self) -> None:
        sent, self.sink.sent = self.sink.sent, []
        link = self.link
        if link is None:
            return
        for text in sent:
            self._digest.update(b"> %d " % self.now_ns + text)
            self.checker.sent(text, self.now_ns)
            passed = self.canary.outbound(self, text)
            if passed is not None:
                link.send(passed)
        if sent and self.wire.strikes("hiccup"):
            self.sink.blocked = True
            self.agenda.after(self._net.randint(1, 3 * MS), self.unblock)
        if sent and self.wire.strikes("adversary"):
            arrival_ns, listed = link.arrival_ns(), self._adversary.choice(self.options.listed)
            buy, lots = self._adversary.random() < 0.5, self._adversary.choice((1, 2, 1000))
            for due_ns in (arrival_ns - 1, arrival_ns + 1):
                self.agenda.at(due_ns, lambda: self._take(listed.name, buy, lots))
            price = PRICE.search(sent[-1])
            if price is not None and self._adversary.random() < 0.5:
                self.agenda.at(arrival_ns - 1, lambda: self._meet(float(price[1])))

    def _take(self, name: str, buy: bool, lots: int) -> None:
        self.exchange.advance(self.now_ns)
        self.market.take(name, buy, lots)

    def _meet(self, price_usd: float) -> None:
        """Let a single order that is about to arrive find its price taken by the other side."""
        self.exchange.advance(self.now_ns)
        self.agenda.after(MS, self.market.meet(price_usd))

    def _deliver(self, batch: list[bytes]) -> None:
        self.marks["batches" if len(batch) > 1 else "messages"] += 1

        def act() -> None:
            now_ns, core, delivered = self.agenda.now_ns, self.core, self.checker.delivered
            arriving = [data for text in batch for data in self.canary.inbound(self, text)] if self._broken else batch
            self._digest.update(b"< %d " % now_ns + b"".join(arriving))
            last = len(arriving)
            for data in arriving:
                last -= 1
                delivered(data, now_ns)
                core.on_message(data, now_ns, last == 0)

        self._call(act)

    def deliver_if_up(self, batch: list[bytes]) -> None:
        """Let messages reach the core that the exchange did not send, if there is a connection."""
        if self.link is not None and self.link.up:
            self._deliver(batch)

    def _connect(self) -> None:
        """A new connection, as the live loop makes one after its pause."""
        if self.link is not None:
            return
        self.sink.sent.clear()
        self.link = Link(
            self.options,
            self.agenda,
            self.wire,
            self.exchange,
            self._net,
            self._deliver,
            self._lost,
            lambda: self.ready_ns,
        )
        self.checker.reset(self.link.connection)
        self._call(lambda: self.core.on_connected(self.now_ns))

    def _lost(self, reason: str) -> None:
        """The connection is gone; the next one after a pause."""
        self.link = None
        self.sink.sent.clear()
        self.checker.reset(None)
        self._was_live = False
        self._call(lambda: self.core.on_disconnected(self.now_ns, reason))
        pause_s = 0.25 if self.healed else self._backoff.choice((0.0, 0.02, 0.3, 2.0))
        self.agenda.after(round(pause_s * SECOND_NS), self._connect)

    def unblock(self) -> None:
        """The socket takes bytes again."""
        self.sink.blocked = False

    # --- operator and process --------------------------------------------------------------------------------------

    def _operator(self, act: str) -> None:
        self._call(lambda: self.core.operator(act, self.now_ns))

    def halt(self) -> None:
        """The operator halts; within the patience of the options no order may be left, as long as it lasts."""
        self.checker.halted = self.checker.halts_expected = True
        self._operator("halt")
        started_ns = self.now_ns

        def judge() -> None:
            if self.checker.halted and started_ns == self._halted_ns and self.checker.ours():
                raise Violation(
                    15, f"{len(self.checker.ours())} orders left {self.options.patience_ns / 1e9} s after the halt"
                )

        self._halted_ns = started_ns
        self.agenda.after(self.options.patience_ns, judge)

    def resume(self) -> None:
        """The operator resumes, or is refused while the cause persists; then a new connection reconciles first."""
        refused = False

        def act() -> None:
            nonlocal refused
            try:
                self.core.operator("resume", self.now_ns)
            except ValueError:
                refused = True

        self.checker.halted = False
        self._call(act)
        if refused:
            self.marks["resume refused"] += 1
            self.checker.halted = self.core.halt_reason is not None
            self._halted_ns = self.now_ns
            if self.link is not None and self.core.session.is_live:
                self.link.cut("reconcile")
        elif self.healed:
            self.checker.halts_expected = bool(self.checker.foreign_lots)

    def kill(self, pause_ns: int) -> None:
        """The process dies at once and another one starts from the same plan; a halt is kept by whoever starts it."""
        if self.link is not None:
            self.link.abort()
            self.link = None
        self.sink = ListSink()
        self.core = self._new_core()
        self.checker.restarted(self.core)
        self.checker.reset(None)
        self._was_live = False
        if self.checker.halted:
            self._operator("halt")
        self.agenda.after(pause_ns, self._connect)

    def foreign(self, method: str, params: dict[str, Any]) -> None:
        """Somebody else on the same account sends a request."""
        if self._foreign is None:
            self._foreign = self.exchange.connect(lambda data: None, self.now_ns)
            login = {"method": "public/login", "params": {"token": token(self.now_ns)}, "id": 1}
            self._foreign.receive(orjson.dumps(login), self.now_ns)
        request = {"method": method, "params": params, "id": 2}
        self._foreign.receive(orjson.dumps(request), self.now_ns)

    def _count_branches(self) -> None:
        """Rare branches of the core that this run reached."""
        core = self.core
        counts = {
            "late report": core.table.late,
            "duplicate fill": core.reports.duplicates,
            "unknown reply": core.reports.unknown_replies,
            "venue error": core.reports.errors,
            "resync": core.resyncs,
            "malformed": core.malformed,
            "missed lots": core.missed_lots,
            "history fills": core.history_fills,
            "lots at the mark": core.marked_lots,
            "leftover orders": core.leftover_orders,
        }
        outbox = core.outbox.stats()
        counts |= {f"outbox {name}": int(outbox[name]) for name in ("queued", "throttles", "openings")}
        counts["post-only move"] = self.exchange.execution.moves
        counts["cleared by session"] = self.checker.cleared
        counts |= {f"gate: {reason}": count for reason, count in core.gate.refusals().items()}
        for name, count in counts.items():
            if count:
                self.marks[name] += count
