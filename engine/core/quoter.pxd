"""From what the model wants to the fewest messages. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from engine.core.instrument cimport Instrument
from engine.core.monitors cimport Monitors
from engine.core.orders cimport OrderTable
from engine.core.requests cimport Request, RequestRing
from engine.core.restraint cimport Restraint
from engine.core.risk cimport Gate
from feed.encode cimport Encoder
from feed.outbox cimport Outbox
from feed.stamps cimport Stamps
from kernels.records cimport hold_fn, quote_fn, resolve_fn, volatility_fn

cdef enum Change:                # what a side needs
    CHANGE_NOTHING = 0
    CHANGE_WANTED = 1            # worth a message when one is to be had
    CHANGE_URGENT = 2            # something rests where it may hurt

cdef class Quoter:
    cdef readonly OrderTable table
    cdef readonly Gate gate
    cdef Monitors monitors
    cdef readonly Restraint restraint
    cdef readonly RequestRing requests
    cdef readonly list instruments
    cdef Encoder encoder
    cdef Outbox outbox
    cdef Stamps* stamps          # NULL: nobody notes where the time goes
    cdef resolve_fn resolve
    cdef hold_fn hold
    cdef quote_fn quote
    cdef volatility_fn volatility
    cdef bint mass
    cdef bint live               # the session is at the end of its set-up
    cdef bint unwatched          # a supervisor is wanted, and none watches: nothing is quoted
    cdef bytes label
    cdef int64_t requote_ticks
    cdef double requote_bps
    cdef int64_t coarse_price_e8  # 0: the venue's grid
    cdef int64_t coarse_size_e8
    cdef int64_t min_interval_ns
    cdef int64_t max_lifetime_ns
    cdef int64_t data_stale_ns
    cdef int64_t revisit_ns      # when something held back should be looked at again; INT64_MAX: nothing
    cdef bint overflowed         # a bound of the outbox was hit: the connection must be given up
    cdef readonly int64_t quotes_sent    # levels and orders
    cdef readonly int64_t messages_sent
    cdef readonly int64_t decisions
    cdef readonly int64_t encoded        # texts that went to the outbox with exposure in them; equals the gate's passes
    cdef int64_t side_ticks_[2][10]
    cdef int64_t side_lots_[2][10]
    cdef int32_t side_count_[2]
    cdef bint side_near_[2]      # the last comparison found an order within the tolerance of a target
    cdef int64_t price_e8_[10]
    cdef int64_t amount_e8_[10]

    cdef void decide_c(self, int64_t now_ns) noexcept
    cdef void observe_c(self, int64_t now_ns) noexcept
    cdef int32_t evaluate_c(self, Instrument instrument, int64_t now_ns) noexcept
    cdef void accepted_c(self, Request* request, int32_t failed, int64_t now_ns) noexcept
    cdef void rejected_c(self, Request* request, bint definitive, int64_t now_ns) noexcept
    cdef void missing_c(self, Request* request, int64_t now_ns) noexcept
    cdef void overdue_c(self, Request* request, int64_t now_ns) noexcept
    cdef void owed_c(self, Instrument instrument, int64_t now_ns) noexcept
    cdef int32_t want_c(self, Instrument instrument, int32_t side, int64_t now_ns) noexcept nogil
    cdef int64_t tolerance_c(self, Instrument instrument, int64_t now_ns) noexcept nogil
    cdef int32_t change_c(self, Instrument instrument, int32_t side) noexcept nogil
    cdef int32_t alerted_c(self, Instrument instrument, int32_t alert) noexcept nogil
    cdef bint cornered_c(self, Instrument instrument, int64_t now_ns) noexcept nogil
    cdef void to_touch_c(self, Instrument instrument) noexcept nogil
    cdef int64_t cut_c(self, Instrument instrument) noexcept nogil
    cdef void revisit_c(self, int64_t at_ns) noexcept nogil
    cdef int32_t send_c(self, int32_t priority, uint64_t request, Py_ssize_t size, int64_t now_ns) noexcept
