"""The core's conduct towards connection and operator. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from engine.core.instrument cimport Instrument
from engine.core.orders cimport OrderTable
from engine.core.quoter cimport Quoter
from engine.core.reports cimport Reports
from engine.core.requests cimport RequestRing
from engine.core.risk cimport Gate
from feed.decode cimport Decoder
from feed.encode cimport Encoder
from feed.frames cimport MessageHandler
from feed.outbox cimport Outbox

cdef class Conduct(MessageHandler):
    cdef readonly object plan
    cdef readonly object session
    cdef readonly Decoder decoder
    cdef readonly Outbox outbox
    cdef readonly OrderTable table
    cdef readonly Gate gate
    cdef readonly RequestRing requests
    cdef readonly Quoter quoter
    cdef readonly Reports reports
    cdef readonly list instruments
    cdef Encoder encoder
    cdef int64_t data_stale_ns
    cdef int64_t reply_ns
    cdef int64_t audit_ns
    cdef int64_t now_ns                 # of the last event: never decreases
    cdef int64_t next_audit_ns
    cdef int64_t resync_after_ns
    cdef double equity_peak_usd
    cdef readonly str wants_close       # why the connection should be given up and made anew; None: it should not
    cdef readonly str fatal             # why connecting again makes no sense; None: it does
    cdef readonly str halt_reason       # None: not halted
    cdef readonly bint stopping
    cdef readonly bint stopped
    cdef readonly int64_t orders_left   # as the venue last told while stopping; -1: not told
    cdef readonly int64_t leftover_orders
    cdef dict _positions                # of record, by instrument name, until the grids are known
    cdef dict _reported                 # the same as the channel told it on this connection
    cdef uint64_t _position_query       # id of the question for them, 0: none is under way
    cdef dict _rearm_after              # product: when its protection is armed again, ns
    cdef int32_t stop_tries
    cdef int64_t stop_deadline_ns
    cdef readonly int64_t messages
    cdef readonly int64_t slow_messages
    cdef readonly int64_t malformed
    cdef readonly int64_t resyncs
    cdef readonly int64_t connections
    cdef readonly int64_t missed_lots   # found by the position of record after a connection was lost
    cdef readonly str last_error

    cdef int _check_drawdown(self, int64_t now_ns) except -1
    cdef int _submit(self, int32_t priority, bytes text, int64_t now_ns) except -1
