"""Limits that act on the whole account. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t

from engine.core.risk cimport Gate

cdef enum:                        # causes: why the whole account only reduces
    CAUSE_MARGIN = 0              # the venue refused or removed an order for want of margin
    CAUSE_FOREIGN = 1             # somebody else traded on the account
    CAUSE_DRAWDOWN = 2            # equity has fallen by a share of what halts
    CAUSES = 3

cdef enum:
    SAMPLES = 64                  # of equity over the window of the loss

cdef class Restraint:
    cdef Gate gate
    cdef list instruments
    cdef int64_t reduce_ns
    cdef int64_t hold_ns
    cdef int64_t fills_window_ns
    cdef int64_t loss_window_ns
    cdef double max_loss_usd
    cdef double max_drawdown_usd
    cdef double reduce_drawdown_usd
    cdef double recovery
    cdef int32_t max_fills
    cdef bint foreign_reduces
    cdef int64_t until_ns_[3]     # [CAUSES] when a cause will have been gone for long enough; 0: there is none
    cdef list texts               # [CAUSES] what it was, with its numbers
    cdef readonly str reason      # why the account only reduces; None: it does not
    cdef readonly int64_t reductions   # begun so far
    cdef readonly int32_t halvings     # of the size of a side, after the venue wanted more margin
    cdef int64_t whole_ns         # when one of them is taken back; 0: there are none
    cdef readonly str held        # who cancelled what, while that keeps instruments from being quoted; None: nothing does
    cdef readonly int64_t holds   # begun so far
    cdef int64_t held_until_ns    # 0: none
    cdef readonly str halt        # why the account is to be halted; None: it is not, or has been
    cdef int64_t due_ns           # when ``settle`` has something to do; INT64_MAX: nothing
    cdef int64_t look_ns          # when equity is looked at next
    cdef int64_t next_ns          # when anything of it is due, told or looked at
    cdef int64_t* fill_ns_        # ring of the last fills' times
    cdef int64_t fills
    cdef double peak_usd
    cdef int64_t[64] sample_ns_   # [SAMPLES] ring: highest equity of a slot of the window, and when the slot began
    cdef double[64] sample_usd_
    cdef int32_t sample

    cdef int begin_c(self, int32_t cause, str text, int64_t now_ns) except -1
    cdef int margin_c(self, str text, int64_t now_ns) except -1
    cdef int traded_c(self, int64_t now_ns) except -1
    cdef double fall_c(self, double equity_usd, int64_t now_ns) noexcept nogil
