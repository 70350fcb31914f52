"""Ring of requests in flight, found by the id that the reply echoes."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free


cdef class RequestRing:
    """Ids rise by one from ``FIRST_HOT_ID`` and never repeat; a full ring refuses (nothing may be sent)."""

    def __cinit__(self):
        self.ring_ = <Request*>calloc(REQUESTS, sizeof(Request))
        if not self.ring_:
            raise MemoryError("request ring")
        self.next_id = FIRST_HOT_ID
        self.oldest = FIRST_HOT_ID

    def __dealloc__(self):
        free(self.ring_)

    cdef Request* open_c(self, int32_t kind, int32_t slot, uint64_t client_order_id, int64_t now_ns) noexcept nogil:
        """Note a request about to be sent; NULL when the place of its number is still in use."""
        cdef Request* request = &self.ring_[self.next_id & (REQUESTS - 1)]
        if request.kind != REQUEST_NONE:
            return NULL
        request.id = self.next_id
        request.kind = kind
        request.slot = slot
        request.client_order_id = client_order_id
        request.sent_ns = now_ns
        self.next_id += 1
        self.pending += 1
        return request

    cdef Request* find_c(self, uint64_t id) noexcept nogil:
        """The request in flight with this id, or NULL: answered before, or not ours."""
        cdef Request* request = &self.ring_[id & (REQUESTS - 1)]
        if request.kind != REQUEST_NONE and request.id == id:
            return request
        return NULL

    cdef void close_c(self, Request* request) noexcept nogil:
        """The request has its answer."""
        request.kind = REQUEST_NONE
        self.pending -= 1

    cdef void give_up_c(self, Request* request) noexcept nogil:
        """No answer is waited for any more; one may come late."""
        self.close_c(request)
        self.given_up += 1

    cdef void stray_c(self) noexcept nogil:
        """An answer that no request waits for: one that is late, once for every request given up, or one to nobody."""
        if self.given_up > 0:
            self.given_up -= 1
        else:
            self.strays += 1

    cdef Request* overdue_c(self, int64_t sent_before_ns) noexcept nogil:
        """A request sent before that time and still without its answer, or NULL."""
        cdef Request* request
        while self.oldest < self.next_id:
            request = &self.ring_[self.oldest & (REQUESTS - 1)]
            if request.kind != REQUEST_NONE and request.id == self.oldest:
                return request if request.sent_ns < sent_before_ns else NULL
            self.oldest += 1
        return NULL

    cdef int64_t oldest_sent_ns_c(self) noexcept nogil:
        """When the oldest request in flight was sent; INT64_MAX when none is."""
        cdef Request* request = self.overdue_c(INT64_MAX)
        return request.sent_ns if request != NULL else INT64_MAX

    cdef void forget_all_c(self) noexcept nogil:
        """The connection is gone: no reply will come. The orders' own states carry the doubt."""
        cdef int32_t i
        for i in range(REQUESTS):
            self.ring_[i].kind = REQUEST_NONE
        self.pending = 0
        self.given_up = 0
        self.strays = 0
        self.oldest = self.next_id
