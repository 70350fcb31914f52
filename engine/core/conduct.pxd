"""The core's conduct towards connection and operator. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from engine.core.backfill cimport Backfill
from engine.core.instrument cimport Instrument
from engine.core.orders cimport OrderTable
from engine.core.quoter cimport Quoter
from engine.core.reports cimport Reports
from engine.core.requests cimport RequestRing
from engine.core.restraint cimport Restraint
from engine.core.risk cimport Gate
from feed.decode cimport Decoder
from feed.encode cimport Encoder
from feed.outbox cimport Outbox
from feed.stamps cimport Stamper, Stamps

cdef class Conduct(Backfill):
    cdef readonly Decoder decoder
    cdef readonly Outbox outbox
    cdef readonly RequestRing requests
    cdef readonly Restraint restraint
    cdef Encoder encoder
    cdef Stamper stamper
    cdef Stamps* stamps                 # the stamper's; NULL: nobody notes where the time goes
    cdef int64_t now_ns                 # of the last event: never decreases
    cdef int64_t resync_after_ns
    cdef readonly bint close_announced  # the venue will close this connection: another one is wanted, this one is quoted on
    cdef readonly bint moving           # another one is there: this one is being emptied
    cdef readonly str fatal             # why connecting again makes no sense; None: it does
    cdef readonly str halt_reason       # None: not halted
    cdef int32_t stop_tries
    cdef int64_t stop_deadline_ns
    cdef int64_t forget_ns              # when the orders before ``forget_before`` are forgotten; 0: none are
    cdef uint64_t forget_before         # a request whose answer has shown that none of them is open
    cdef readonly int64_t messages
    cdef readonly int64_t slow_messages
    cdef readonly int64_t malformed
    cdef readonly int64_t resyncs
    cdef readonly int64_t connections
    cdef double heard_s                 # venue's clock of the last book that was heard, over all connections
    cdef double accounted_s             # venue's clock before which every trade is in the position

    cdef int _restrain(self, int64_t now_ns) except -1
    cdef int _submit(self, int32_t priority, bytes text, int64_t now_ns) except -1
