"""Requests on their way: which reply means what, and which is overdue. Owner: the core's thread."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    REQUESTS = 4096              # in flight at once; a power of two
    FIRST_HOT_ID = 1000000000    # ids below belong to the session's set-up and queries

cdef enum RequestKind:
    REQUEST_NONE = 0
    REQUEST_INSERT = 1
    REQUEST_AMEND = 2
    REQUEST_CANCEL = 3
    REQUEST_MASS_QUOTE = 4
    REQUEST_CLEAR = 5            # cancel_session in the place of a mass quote that only removes
    REQUEST_CANCEL_SESSION = 6   # this one and the following are the core's own
    REQUEST_OPEN_ORDERS = 7
    REQUEST_QUERY = 8            # its answer changes nothing

cdef struct Request:
    uint64_t id                  # on the wire
    int32_t kind
    int32_t slot                 # of the order, -1 for a mass quote
    uint64_t client_order_id     # the slot may have been reused since
    int64_t sent_ns


@cython.final
cdef class RequestRing:
    cdef Request* ring_
    cdef readonly uint64_t next_id
    cdef readonly int32_t pending
    cdef readonly int64_t given_up   # of this connection: requests whose answer is overdue
    cdef readonly int64_t strays     # of this connection: answers that nobody waits for
    cdef uint64_t oldest         # no request below this id is in flight

    cdef Request* open_c(self, int32_t kind, int32_t slot, uint64_t client_order_id, int64_t now_ns) noexcept nogil
    cdef Request* find_c(self, uint64_t id) noexcept nogil
    cdef void close_c(self, Request* request) noexcept nogil
    cdef void give_up_c(self, Request* request) noexcept nogil
    cdef void stray_c(self) noexcept nogil
    cdef Request* overdue_c(self, int64_t sent_before_ns) noexcept nogil
    cdef int64_t oldest_sent_ns_c(self) noexcept nogil
    cdef void forget_all_c(self) noexcept nogil
