"""Price levels of one instrument in ticks and lots, both sides, unique and sorted, in preallocated memory."""

cimport cython
from libc.stdint cimport int32_t, int64_t

cdef enum BookCode:
    BOOK_OK = 0
    BOOK_FULL = -1            # more levels than the capacity: the book is no longer complete, resynchronise
    BOOK_BAD_LEVEL = -2       # price <= 0 or lots < 0
    BOOK_UNKNOWN_LEVEL = -3   # removal of a level that is not there


@cython.final
cdef class Book:
    cdef readonly int32_t capacity        # levels a side
    cdef readonly int32_t bid_levels
    cdef readonly int32_t ask_levels
    cdef readonly int64_t total_bid_lots  # kept incrementally, compared with the venue's totals
    cdef readonly int64_t total_ask_lots
    cdef int64_t* bid_ticks_              # sorted so that the best level is last
    cdef int64_t* bid_lots_
    cdef int64_t* ask_ticks_
    cdef int64_t* ask_lots_

    cdef void clear_c(self) noexcept nogil
    cdef int apply_c(self, bint bid, int64_t ticks, int64_t lots) noexcept nogil
    cdef int64_t lots_at_c(self, bint bid, int64_t ticks) noexcept nogil
    # Best level of a side into ticks, lots; False when the side is empty.
    cdef bint best_c(self, bint bid, int64_t* ticks, int64_t* lots) noexcept nogil
    # The same after taking n own orders (any order of prices, several may share one) out of it.
    cdef bint best_of_others_c(self, bint bid, const int64_t* own_ticks, const int64_t* own_lots, int32_t n,
                               int64_t* ticks, int64_t* lots) noexcept nogil
    cdef bint crossed_c(self) noexcept nogil
    # Up to n best levels, best first; returns how many.
    cdef int32_t levels_c(self, bint bid, int32_t n, int64_t* ticks, int64_t* lots) noexcept nogil
