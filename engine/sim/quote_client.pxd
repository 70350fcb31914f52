"""A quoter and what surrounds it in the core, driven and judged by a trial. Owner: the trial."""

from libc.stdint cimport int32_t, int64_t

from engine.core.instrument cimport Instrument
from engine.core.orders cimport OrderTable
from engine.core.quoter cimport Quoter
from engine.core.reports cimport Reports
from engine.core.requests cimport RequestRing
from engine.core.risk cimport Gate
from engine.sim.small_venue cimport SmallVenue
from feed.events cimport OrderBatch
from feed.outbox cimport Outbox
from kernels.records cimport Target

cdef enum:
    MID = 100                    # ticks; bids below, asks above
    REACH = 9
    SETTLE_NS = 1000000000

cdef Target wanted               # what the model of all trials answers: they run one at a time

cdef class QuoteClient:
    cdef Instrument instrument
    cdef OrderTable table
    cdef Gate gate
    cdef RequestRing requests
    cdef Outbox outbox
    cdef Quoter quoter
    cdef Reports reports
    cdef SmallVenue venue
    cdef OrderBatch batch
    cdef bint mass
    cdef int32_t fault
    cdef int64_t limit
    cdef int64_t now_ns
    cdef int64_t reply_ns
    cdef int64_t rearm_ns        # 0: not due
    cdef int64_t epochs
    cdef int64_t number          # of the schedule
    cdef int32_t at              # event of it
    cdef readonly int64_t overs, unders, crosses, leaks, stuck
    cdef int64_t overdue, refilled, overflows
    cdef public str trouble      # the first breach: schedule, event, kind
    cdef public list tape        # None, or gets one line an event: to understand a schedule

    cdef int record(self, str what) except -1
    cpdef int wait(self, int64_t span_ns) except -1
    cpdef int decide(self) except -1
    cpdef int timer(self) except -1
    cpdef int hear(self, int32_t count) except -1
    cpdef int answered(self) except -1
    cdef int reply(self, int32_t i) except -1
    cpdef int lose(self) except -1
    cpdef int meet(self) except -1
    cdef int forget(self) except -1
    cdef int spoil(self) except -1
    cdef int breach(self, str kind) except -1
    cpdef int judge(self) except -1
    cdef int inspect(self, int32_t before) except -1
