"""What people do to a simulated run: halts, other configurations, a full disk, trades on the same account."""

from dataclasses import replace
from typing import Any

import orjson

from engine.core.plan import CorePlan
from engine.journal.replay import state_sha256
from engine.live.recorded import RecordedCore
from engine.sim.host import Host, token
from engine.sim.options import SwarmOptions
from engine.sim.violation import Violation


class Operator(Host):
    """A host, and who acts on it."""

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
                self.driven.operator("resume", self.now_ns)
                self.checker.holds.lifted()
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

    def configure(self, options: SwarmOptions) -> bool:
        """Another plan while running, or the same again. A halt stays. True: it happened."""
        if self.core.stopping:
            return False
        halted, version = self.core.halt_reason, self.core.config_version
        self.checker.reconfigured(options, self.now_ns)
        self.options = options
        plan = self.canary.changed(options.plan())
        if plan is not None:
            self._call(lambda: self._take(plan))
            if self.core.config_version != version + 1 or self.core.plan is not plan:
                raise Violation(31, "a changed plan was not taken")
        if halted is not None and self.core.halt_reason is None:
            raise Violation(14, "another configuration has ended a halt")
        return True

    def _take(self, plan: CorePlan) -> None:
        if isinstance(self.driven, RecordedCore):
            self.driven.configure(plan, self.now_ns, {})
        else:
            self.driven.configure(plan, self.now_ns)

    def refuse_change(self) -> None:
        """A plan that needs a restart is refused, and nothing has changed."""
        before = state_sha256(self.core)
        plan = replace(self.core.plan, mode="orders" if self.core.plan.mode == "mass_quote" else "mass_quote")
        try:
            self._take(plan)
        except ValueError:
            if state_sha256(self.core) == before and not self.sink.sent:
                return
        raise Violation(31, "a change that needs a restart has changed something")

    def foreign(self, method: str, params: dict[str, Any]) -> None:
        """Somebody else on the same account sends a request."""
        if self._foreign is None:
            self._foreign = self.exchange.connect(lambda data: None, self.now_ns)
            login = {"method": "public/login", "params": {"token": token(self.now_ns)}, "id": 1}
            self._foreign.receive(orjson.dumps(login), self.now_ns)
        request = {"method": method, "params": params, "id": 2}
        self._foreign.receive(orjson.dumps(request), self.now_ns)

    def cancel_by_hand(self, order_id: int | None) -> None:
        """A person cancels one order in the web interface, or everything."""
        self.checker.holds.expected = True
        if order_id is None:
            self.foreign("private/cancel_all", {})
        else:
            self.foreign("private/cancel", {"order_id": f"{order_id:016X}"})

    def fill_disk(self) -> bool:
        """The disk takes nothing any more: the run ends in order, and another one begins elsewhere. False: no disk."""
        recorder = self.recorder
        if recorder is None or self.core.stopping:
            return False
        recorder.failed = True
        self._operator("stop")

        def judge() -> None:
            if self.recorder is recorder:
                if self.checker.ours():
                    raise Violation(15, f"{len(self.checker.ours())} orders left after the stop for a full disk")
                self.kill(0)

        self.agenda.after(self.options.patience_ns, judge)
        return True
