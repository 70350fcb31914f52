"""Limits that act on the whole account: what makes it only reduce, for how long, and what halts it.

===================  =======================================================================  ===========
cause                set by                                                                   then
===================  =======================================================================  ===========
margin               the venue refuses an order, or removes one, for want of margin (E21)     REDUCING
foreign              positions prove that somebody else traded, where the policy says so      REDUCING
drawdown             equity has fallen from its peak by a share of what halts                 REDUCING
drawdown             by all of it                                                             HALTED
loss in a window     equity has fallen by so much within so long                              HALTED
fills in a window    so many fills within so long                                             HALTED
cancelled            somebody else cancels orders of ours (O6), all or some of an instrument  not quoted
===================  =======================================================================  ===========

REDUCING ends when every cause has been gone for ``reduce_ns``, or when a person resumes; HALTED only by a person. Each want of
margin halves the size of a ladder's side, and each ``reduce_ns`` without another one doubles it again. What was cancelled by
somebody else is quoted again after ``hold_ns``, or when a person resumes.
"""

from libc.math cimport INFINITY, isfinite
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.stdlib cimport calloc, free

from engine.core.instrument cimport PULL_CANCELLED, Instrument
from engine.core.risk cimport MODE_ACTIVE, MODE_REDUCING, Gate

cdef enum:
    FILLS_MAX = 10000            # fills that the count in a window may ask for
    HALVINGS_MAX = 4
    LOOK_NS = 1000000000         # equity is looked at once in so long


cdef class Restraint:
    """One for the account. ``limits``: engine.core.plan.Limits."""

    def __cinit__(self, list instruments, limits, Gate gate):
        self.fill_ns_ = <int64_t*>calloc(FILLS_MAX, sizeof(int64_t))
        if not self.fill_ns_:
            raise MemoryError("restraint")
        self.gate = gate
        self.instruments = instruments
        self.texts = [""] * CAUSES
        self.due_ns = INT64_MAX
        self.forget()
        self.take_limits(limits)

    def __dealloc__(self):
        free(self.fill_ns_)

    def take_limits(self, limits) -> None:
        """Judge by these limits from now on."""
        self.reduce_ns = limits.reduce_ns
        self.max_fills = min(limits.max_fills, FILLS_MAX)
        self.fills_window_ns = limits.fills_window_ns
        self.max_loss_usd = limits.max_loss_usd
        self.loss_window_ns = limits.loss_window_ns
        self.max_drawdown_usd = limits.max_drawdown_usd
        self.reduce_drawdown_usd = limits.reduce_drawdown_usd
        self.recovery = limits.recovery
        self.foreign_reduces = limits.foreign_reduces
        self.hold_ns = limits.hold_ns

    def forget(self) -> None:
        """Equity and fills count from now on: a person has looked at what was."""
        cdef int32_t i
        self.halt = None
        self.peak_usd = -INFINITY
        self.fills = 0
        for i in range(SAMPLES):
            self.sample_usd_[i] = -INFINITY
            self.sample_ns_[i] = 0

    # ---- causes ----

    cdef int begin_c(self, int32_t cause, str text, int64_t now_ns) except -1:
        """A cause is there, or still there: from now on the account only reduces."""
        if self.until_ns_[cause] == 0:
            self.texts[cause] = text
            self.reductions += self.reason is None
        self.until_ns_[cause] = now_ns + self.reduce_ns
        self._apply()
        return 0

    cdef int margin_c(self, str text, int64_t now_ns) except -1:
        """The venue wanted more margin than there is. What was under way when it said so counts as once."""
        if self.until_ns_[CAUSE_MARGIN] == 0 and self.halvings < HALVINGS_MAX:
            self.halvings += 1
        self.whole_ns = now_ns + 2 * self.reduce_ns
        return self.begin_c(CAUSE_MARGIN, text, now_ns)

    def foreign(self, str text, int64_t now_ns) -> bool:
        """Somebody else traded. False: the account is to be halted, by the policy or because it is not the first time."""
        if not self.foreign_reduces or self.until_ns_[CAUSE_FOREIGN]:
            return False
        self.begin_c(CAUSE_FOREIGN, text, now_ns)
        return True

    def cancelled(self, Instrument of, str text, int64_t now_ns) -> None:
        """Somebody else cancelled orders, ``of`` one instrument or (None) all: nothing of it is quoted for ``hold_ns``."""
        cdef Instrument instrument
        if self.hold_ns == 0:
            return
        for instrument in self.instruments:
            if of is None or instrument is of:
                instrument.hold_c(now_ns + self.hold_ns, PULL_CANCELLED)
        self.holds += self.held is None
        self.held = text if of is None else f"{text} of {of.name.decode()}"
        self.held_until_ns = now_ns + self.hold_ns
        self._apply()

    def settle(self, int64_t now_ns) -> None:
        """End what has been over for long enough."""
        cdef int32_t i
        for i in range(CAUSES):
            if self.until_ns_[i] and now_ns >= self.until_ns_[i]:
                self.until_ns_[i] = 0
        if self.held_until_ns and now_ns >= self.held_until_ns:
            self.held = None
            self.held_until_ns = 0
        if self.whole_ns and now_ns >= self.whole_ns:
            self.halvings -= 1
            self.whole_ns = now_ns + self.reduce_ns if self.halvings else 0
        self._apply()

    def lift(self) -> None:
        """A person resumes: no cause counts any more, and what was lost or traded before does not either."""
        cdef Instrument instrument
        cdef int32_t i
        for instrument in self.instruments:
            if instrument.hold_why == PULL_CANCELLED:
                instrument.hold_until_ns = 0
        self.held = None
        self.held_until_ns = 0
        for i in range(CAUSES):
            self.until_ns_[i] = 0
        self.halvings = 0
        self.whole_ns = 0
        self.forget()
        self._apply()

    def _apply(self) -> None:
        """Bring mode, reasons and the next deadline in line with the causes."""
        cdef Instrument instrument
        cdef int32_t i
        cdef str reason = None
        self.due_ns = min(self.whole_ns if self.whole_ns else INT64_MAX, self.held_until_ns if self.held_until_ns else INT64_MAX)
        for i in range(CAUSES):
            if self.until_ns_[i]:
                self.due_ns = min(self.due_ns, self.until_ns_[i])
                reason = self.texts[i] if reason is None else f"{reason}; {self.texts[i]}"
        self.reason = reason
        # A halt stands above: it goes on when the causes are over, and ends only by a person.
        if self.gate.mode == MODE_ACTIVE and reason is not None:
            self.gate.set_mode(MODE_REDUCING)
        elif self.gate.mode == MODE_REDUCING and reason is None:
            self.gate.set_mode(MODE_ACTIVE)
        for instrument in self.instruments:
            instrument.restraint = reason
            instrument.dirty = True
        self.next_ns = min(self.due_ns, self.look_ns)

    # ---- fills ----

    cdef int traded_c(self, int64_t now_ns) except -1:
        """One fill more; halts when it is one too many within the window."""
        self.fill_ns_[self.fills % FILLS_MAX] = now_ns
        self.fills += 1
        if (self.max_fills > 0 and self.fills >= self.max_fills
                and now_ns - self.fill_ns_[(self.fills - self.max_fills) % FILLS_MAX] < self.fills_window_ns):
            self.halt = f"fills: {self.max_fills} within {self.fills_window_ns * 1e-9:g} s"
            self.next_ns = 0
        return 0

    # ---- equity ----

    def look(self, double equity_usd, int64_t now_ns) -> None:
        """Judge the account's equity, net of fees and funding; one that is not known says nothing."""
        cdef double fall, limit = self.max_drawdown_usd
        self.look_ns = now_ns + LOOK_NS
        self.next_ns = min(self.due_ns, self.look_ns)
        if not isfinite(equity_usd):
            return
        self.peak_usd = max(self.peak_usd, equity_usd)
        fall = self.peak_usd - equity_usd
        if fall > limit:
            self.halt = f"drawdown of {fall:.2f} USD from the peak, limit {limit:.2f} USD"
            return
        limit = self.reduce_drawdown_usd
        if fall > limit * (self.recovery if self.until_ns_[CAUSE_DRAWDOWN] else 1.0):
            self.begin_c(CAUSE_DRAWDOWN, f"drawdown of {fall:.2f} USD from the peak, reduces from {limit:.2f} USD", now_ns)
        fall = self.fall_c(equity_usd, now_ns)
        if fall > self.max_loss_usd:
            self.halt = f"loss of {fall:.2f} USD within {self.loss_window_ns * 1e-9:g} s, limit {self.max_loss_usd:.2f} USD"

    cdef double fall_c(self, double equity_usd, int64_t now_ns) noexcept nogil:
        """Remember the equity; its fall from the highest of the window."""
        cdef double highest = equity_usd
        cdef int32_t i
        if now_ns - self.sample_ns_[self.sample] >= self.loss_window_ns // (SAMPLES - 1):
            self.sample = (self.sample + 1) % SAMPLES
            self.sample_ns_[self.sample] = now_ns
            self.sample_usd_[self.sample] = equity_usd
        self.sample_usd_[self.sample] = max(self.sample_usd_[self.sample], equity_usd)
        for i in range(SAMPLES):
            if now_ns - self.sample_ns_[i] <= self.loss_window_ns and self.sample_usd_[i] > highest:
                highest = self.sample_usd_[i]
        return highest - equity_usd
