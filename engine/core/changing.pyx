"""A changed plan is one more input of the core: taken whole between two events, or not at all.

Nothing that is under way is widened. Limits that became smaller are judged against everything that may still trade: what
exceeds them is cancelled before anything new is quoted, and a position above them is only reduced.
"""

from libc.stdint cimport int64_t

from engine.core.account cimport Account
from engine.core.instrument cimport Instrument

from engine.core.plan import needs_restart


cdef class Changing(Account):
    """Base of ``engine.core.conduct.Conduct``, which fills in its members."""

    def _take_times(self) -> None:
        self.data_stale_ns = self.plan.timing.data_stale_ns
        self.reply_ns = self.plan.timing.reply_ns
        self.audit_ns = self.plan.timing.audit_ns

    def _take_plan(self, plan, int64_t now_ns) -> None:
        """Take every number of another plan. Raises ValueError before anything changed."""
        cdef Instrument instrument
        fixed = needs_restart(self.plan, plan)
        if fixed:
            raise ValueError(f"cannot change while running: {', '.join(fixed)}: restart")
        if self.stopping:
            raise ValueError("stopping: nothing changes any more")
        self.plan = plan
        self.config_version += 1
        self._take_times()
        self.next_audit_ns = min(self.next_audit_ns, now_ns + self.audit_ns) if self.next_audit_ns else 0
        self.session.set_reply_timeout(self.reply_ns)
        self.quoter.take_plan(plan)
        self.reports.take_fees(plan.maker_fee_rate, plan.taker_fee_rate)
        for instrument in self.instruments:
            instrument.calibrator.take_plan(plan.calibration)
            instrument.take_settings(plan.settings, plan.volatility, plan.signals)
            instrument.alarm.take_plan(plan.pulls, plan.limits.collar_bps * 1e-4)
            instrument.shrunk = True
        self._plan_fetch(now_ns)
        if self._prices:
            self._protect(self._limit_lots(), now_ns)

    def _protect(self, protection, int64_t now_ns) -> None:
        """Other amounts of protection: nothing is quoted until the venue has taken them."""
        if not self.quoter.mass or not self.session.change_protection(protection):
            return
        self.protect_late = True
        if self.session.is_live:
            self._protect_again(now_ns)

    def _protect_again(self, int64_t now_ns) -> None:
        """Fill every protection group with amounts that changed after the set-up had armed them."""
        cdef Instrument instrument
        if not self.protect_late:
            return
        self.protect_late = False
        for instrument in self.instruments:
            instrument.armed = False
            instrument.dirty = True
        for product in {instrument.product: None for instrument in self.instruments if not instrument.delisted}:
            self.session.rearm(product, now_ns)
        self._pump(now_ns)
