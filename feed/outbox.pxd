"""The way out: priorities, message budgets and the circuit breaker. Nothing here ever delays a cancel."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from feed.budget cimport Budget
from feed.frames cimport Sink

cdef enum Priority:
    PRIORITY_CANCEL = 0       # cancels and everything that only removes orders
    PRIORITY_REDUCE = 1       # changes that reduce risk
    PRIORITY_QUOTE = 2        # new quotes and orders
    PRIORITY_OTHER = 3        # queries, subscriptions, set-up
    PRIORITY_CLEAR = 4        # a mass quote that only removes: counted by the venue as any other
    PRIORITIES = 5

cdef enum BreakerState:
    BREAKER_CLOSED = 0
    BREAKER_OPEN = 1
    BREAKER_HALF_OPEN = 2

cdef enum SubmitCode:
    SUBMIT_SENT = 1
    SUBMIT_QUEUED = 2
    SUBMIT_REFUSED = 0        # not admitted (budget, breaker): a change plans again later, a clear cancels the session
    SUBMIT_FULL = -1          # a bound was hit: the connection must be given up

cdef enum:
    REJECTS_MAX = 64

# Requests that wait for the sink, first in first out: each a length and that many bytes.
cdef class Queue:
    cdef char* buffer_
    cdef Py_ssize_t capacity
    cdef Py_ssize_t head
    cdef Py_ssize_t tail
    cdef Py_ssize_t count
    cdef bint push_c(self, const char* text, Py_ssize_t size) noexcept nogil
    cdef Py_ssize_t front_c(self, char* text) noexcept nogil       # copies; returns the size, or -1 when empty
    cdef void pop_c(self) noexcept nogil
    cdef void clear_c(self) noexcept nogil


@cython.final
cdef class Outbox:
    cdef Sink sink
    cdef Queue cancel_queue
    cdef Queue other_queue
    cdef char* scratch              # SINK_HEADROOM and the largest queued message
    cdef int32_t message_rate       # as the venue told
    cdef int32_t reserve_percent
    cdef double burst_share
    cdef int64_t queue_age_max_ns
    cdef int64_t retry_ns
    cdef int64_t blocked_since_ns   # the sink refuses since; NEVER: it does not
    cdef int64_t retry_at_ns
    # The circuit breaker.
    cdef int32_t breaker
    cdef int32_t rejects_to_open
    cdef int64_t reject_window_ns
    cdef int64_t reject_ns[64]      # REJECTS_MAX, a ring
    cdef int64_t rejects
    cdef int64_t open_ns            # how long it opens the next time
    cdef int64_t open_min_ns
    cdef int64_t open_max_ns
    cdef int64_t open_until_ns
    cdef int64_t probe_ns           # time of the unanswered probe; NEVER: none is under way
    cdef int64_t probe_timeout_ns
    cdef int64_t recovery_ns
    cdef int64_t recovered_ns
    # Counters.
    cdef int64_t sent_by_priority[5]      # PRIORITIES
    cdef int64_t bytes_out
    cdef int64_t queued
    cdef int64_t refused
    cdef int64_t overflows
    cdef int64_t cancels_over_rate
    cdef int64_t throttles
    cdef int64_t openings
    cdef Budget matching            # large: behind what every message looks at
    cdef Budget cancels
    cdef Budget others

    # May a message of this priority leave right now? Quotes are not queued: a quoter that is refused stays dirty and
    # plans again from newer data when ``next_admission_c`` says so.
    cdef bint admits_c(self, int32_t priority, int64_t now_ns) noexcept nogil
    cdef int32_t submit_c(self, int32_t priority, char* text, Py_ssize_t size, int64_t now_ns) noexcept
    # ns, or INT64_MAX: not by waiting
    cdef int64_t next_admission_c(self, int32_t priority, int64_t now_ns) noexcept nogil
    # Messages sent from the queues, or SUBMIT_FULL: the sink has refused bytes for too long.
    cdef int32_t flush_c(self, int64_t now_ns) noexcept
    cdef void on_throttled_c(self, int64_t now_ns) noexcept nogil                          # venue error 4
    cdef void on_rejected_c(self, int64_t now_ns) noexcept nogil                           # other request errors
    cdef void on_accepted_c(self, int64_t now_ns) noexcept nogil

    # A message of another priority that the venue counts by the matching budget has left.
    cdef void spend_c(self, int64_t now_ns) noexcept nogil

    cdef int32_t reserve_c(self, int32_t priority) noexcept nogil
    cdef bint breaker_admits_c(self, int64_t now_ns) noexcept nogil
    cdef void open_c(self, int64_t now_ns) noexcept nogil
    cdef void set_effective_rate_c(self, int32_t rate) noexcept nogil
    cdef bint write_c(self, int32_t priority, char* text, Py_ssize_t size, int64_t now_ns) noexcept
    cdef int32_t drain_c(self, int64_t now_ns) noexcept
    cdef bint stuck_c(self, int64_t now_ns) noexcept nogil
    cdef int32_t enqueue_c(self, int32_t priority, const char* text, Py_ssize_t size, int64_t now_ns) noexcept
