"""The way out: priorities, token buckets and the circuit breaker. Nothing here ever delays a cancel."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from feed.frames cimport Sink

cdef enum Priority:
    PRIORITY_CANCEL = 0       # cancels and everything that only removes orders
    PRIORITY_REDUCE = 1       # changes that reduce risk
    PRIORITY_QUOTE = 2        # new quotes and orders
    PRIORITY_OTHER = 3        # queries, subscriptions, set-up

cdef enum BreakerState:
    BREAKER_CLOSED = 0
    BREAKER_OPEN = 1
    BREAKER_HALF_OPEN = 2

cdef enum SubmitCode:
    SUBMIT_SENT = 1
    SUBMIT_QUEUED = 2
    SUBMIT_REFUSED = 0        # not admitted (budget, breaker) for PRIORITY_REDUCE and PRIORITY_QUOTE: plan again later
    SUBMIT_FULL = -1          # a bound was hit: the connection must be given up

cdef class Outbox:
    cdef Sink sink
    # May a message of this priority leave right now? Quotes are not queued: a quoter that is refused stays dirty and plans
    # again from newer data when ``next_admission_c`` says so.
    cdef bint admits_c(self, int32_t priority, int64_t now_ns) noexcept nogil
    cdef int32_t submit_c(self, int32_t priority, char* text, Py_ssize_t size, int64_t now_ns) noexcept
    cdef int64_t next_admission_c(self, int32_t priority, int64_t now_ns) noexcept nogil   # ns, or INT64_MAX: not by waiting
    cdef int32_t flush_c(self, int64_t now_ns) noexcept                                    # messages sent from the queues
    cdef void on_throttled_c(self, int64_t now_ns) noexcept nogil                          # venue error 4
    cdef void on_rejected_c(self, int64_t now_ns) noexcept nogil                           # other request errors
    cdef void on_accepted_c(self, int64_t now_ns) noexcept nogil
