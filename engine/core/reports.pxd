"""What the venue says about our orders, applied once. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from engine.core.instrument cimport Instrument
from engine.core.orders cimport OrderTable, Slot
from engine.core.quoter cimport Quoter
from engine.core.requests cimport Request, RequestRing
from feed.events cimport Fill, OrderBatch, OrderUpdate, Reply
from feed.outbox cimport Outbox
from feed.stamps cimport Stamps
from kernels.records cimport fill_fn

cdef class Reports:
    cdef OrderTable table
    cdef RequestRing requests
    cdef Quoter quoter
    cdef Outbox outbox
    cdef Stamps* stamps
    cdef list instruments
    cdef fill_fn fill
    cdef double maker_fee_rate
    cdef double taker_fee_rate
    cdef set trade_ids
    cdef object trade_order             # deque: oldest trade id first
    cdef readonly str halt              # an inconsistency that only a human may judge; None: none
    cdef int64_t own_cancel_ns          # until then a cancel of all orders may be the core's own
    cdef bint disarmed                  # protection was found missing: to be armed again
    cdef readonly int64_t duplicates    # fills told again
    cdef readonly int64_t unknown_replies
    cdef readonly int64_t errors        # error replies
    cdef readonly int64_t last_error    # venue code
    cdef readonly int64_t foreign       # reports on instruments that are not quoted

    cdef int apply_orders_c(self, OrderBatch* batch, int64_t now_ns) except -1
    cdef int apply_reply_c(self, Reply* reply, OrderBatch* batch, int64_t now_ns) except -1
    cdef int _failed(self, int64_t code, int64_t now_ns) except -1
    cdef int _disarm(self, Request* request) except -1
    cdef int _order(self, OrderBatch* batch, OrderUpdate* update, uint64_t request, int64_t now_ns) except -1
    cdef void _end_c(self, Instrument instrument, int32_t index, int64_t now_ns) noexcept
    cdef int _removed(self, Instrument instrument, Slot* order, int32_t reason, int64_t now_ns) except -1
    cdef bint _current_c(self, Slot* order, OrderUpdate* update, uint64_t request) noexcept nogil
    cdef int64_t _fills(self, Instrument instrument, OrderBatch* batch, OrderUpdate* update, int64_t now_ns) except -1
    cdef int64_t _fill(self, Instrument instrument, OrderUpdate* update, Fill* fill, int64_t now_ns) except -1
    cdef int _slot_c(self, Instrument instrument, OrderUpdate* update, int64_t price_ticks, int64_t lots) noexcept nogil
