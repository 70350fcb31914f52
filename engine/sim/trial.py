"""One simulated run of the real core against the real exchange: faults and checks first, then recovery, then an end.

Safety: faults are on and nothing may be wrong. Liveness: everything is healed, and within ``LIVE_WITHIN_NS`` the core
must quote again, with belief equal to truth. End: it stops, and no order is left. Time is simulated throughout; the
same options give the same bytes at the same times, which the digest shows.
"""

from collections import Counter
from dataclasses import dataclass, field

from engine.core.instrument import BREACHES
from engine.sim import faults
from engine.sim.canaries import Canary
from engine.sim.host import ACCOUNT
from engine.sim.operator import Operator
from engine.sim.options import MS, SECOND_NS, START_NS, SwarmOptions
from engine.sim.violation import Violation
from feed.exchange.accounts import USD

LIVE_WITHIN_NS = 40 * SECOND_NS
POLL_NS = 250 * MS
SPINS_MAX = 1000
FLAPS_MAX = 4
DEEP_EVERY = 16


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


class Trial(Operator):
    """One run; ``run`` once. ``canary``: what is broken on purpose."""

    def __init__(self, options: SwarmOptions, canary: Canary | None = None) -> None:
        super().__init__(options, canary)
        self.stopping = False
        self.events = 0
        self.spins = 0

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
            if self.recorder is not None:
                self.recorder.crash()
        except Violation as violation:
            verdict.invariant, verdict.failure = violation.invariant, str(violation)
        finally:
            if self.recorder is not None:
                self.recorder.close()
        verdict.events, verdict.digest = self.events, self._digest.hexdigest()
        verdict.at_s = (self.now_ns - START_NS) / SECOND_NS
        self._count_branches()
        return verdict

    def _safety(self) -> None:
        while self.events < self.options.events:
            self._step()

    def _heal(self) -> None:
        self.healed = self.wire.healed = True
        if self.core.stopping:
            self.kill(0)
        self.ready_ns = 0
        self.unblock()
        if self.link is not None:
            self.link.heal()
        self.exchange.advance(self.now_ns)
        self.market.heal(self.now_ns)
        account = self.exchange.account(ACCOUNT)
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
            and all(
                i.why == "quoting" or i.why in BREACHES.values() or i.why.startswith("only reduces")
                for i in core.instruments
            )
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
        # Without an answer (-1) it may only have stopped because it believed in no order when the connection ended.
        if self.core.orders_left > 0 or self.checker.ours() or (self.core.orders_left < 0 and self.core.table.used):
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
            self._call(self._fire)
        self.checker.after_event(agenda.now_ns)
        if self.events % DEEP_EVERY == 0:
            self.checker.deep(agenda.now_ns, quiet=self.link is not None and self.link.quiet)

    def _fire(self) -> None:
        """The timer."""
        self.driven.on_timer(self.now_ns)
        if self.wire.strikes("timer twice"):
            self.driven.on_timer(self.now_ns)

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
        checker = self.checker
        counts["cleared by session"] = checker.cleared
        counts |= {"protection fired": checker.guard.fired, "protection overshot": checker.guard.overshot}
        counts["book in doubt"] = checker.books.wrong
        counts |= {f"gate: {reason}": count for reason, count in core.gate.refusals().items()}
        for name, count in counts.items():
            if count:
                self.marks[name] += count
