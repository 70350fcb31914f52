"""Price levels of one instrument in ticks and lots, both sides, unique and sorted, in preallocated memory."""

cimport cython
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memmove

cdef extern from *:
    """
    #define QUOTER_LEVEL_LOTS_MAX (((int64_t) 1 << 43) - 1)
    """
    const int64_t LEVEL_LOTS_MAX "QUOTER_LEVEL_LOTS_MAX"

cdef enum BookCode:
    BOOK_OK = 0
    BOOK_FULL = -1            # more levels than the capacity: the book is no longer complete, resynchronise
    BOOK_BAD_LEVEL = -2       # price <= 0 or lots < 0
    BOOK_UNKNOWN_LEVEL = -3   # removal of a level that is not there


cdef inline int32_t find(const int64_t* ticks, int32_t n, int64_t sign, int64_t wanted) noexcept nogil:
    """Index of the worst level that is at least as good as ``wanted``; n when all are worse. sign: 1 bids, -1 asks."""
    cdef int64_t key = sign * wanted
    cdef int32_t low = n - 1
    cdef int32_t high = n
    cdef int32_t step = 1
    cdef int32_t middle
    if low >= 0 and ticks[low] == wanted:
        return low
    while low >= 0 and sign * ticks[low] >= key:
        high = low
        low = high - step
        step <<= 1
    if low < -1:
        low = -1
    while high - low > 1:
        middle = low + ((high - low) >> 1)
        if sign * ticks[middle] >= key:
            high = middle
        else:
            low = middle
    return high


cdef inline void shift(int64_t* to, const int64_t* values, size_t count) noexcept nogil:
    """Move values by one place. At the touch there are none, and no call is made."""
    if count:
        memmove(to, values, count * sizeof(int64_t))


cdef inline int put(int64_t* ticks, int64_t* lots, int32_t* n, int64_t* total, int32_t capacity, int64_t sign,
                    int64_t at_ticks, int64_t new_lots) noexcept nogil:
    """Set the size at one price of one side; 0 lots remove the level."""
    cdef int32_t i = find(ticks, n[0], sign, at_ticks)
    cdef size_t tail = <size_t>(n[0] - i)
    if i < n[0] and ticks[i] == at_ticks:
        total[0] += new_lots - lots[i]
        if new_lots > 0:
            lots[i] = new_lots
            return BOOK_OK
        shift(ticks + i, ticks + i + 1, tail - 1)
        shift(lots + i, lots + i + 1, tail - 1)
        n[0] -= 1
        return BOOK_OK
    if new_lots == 0:
        return BOOK_UNKNOWN_LEVEL
    if n[0] >= capacity:
        return BOOK_FULL
    shift(ticks + i + 1, ticks + i, tail)
    shift(lots + i + 1, lots + i, tail)
    ticks[i] = at_ticks
    lots[i] = new_lots
    n[0] += 1
    total[0] += new_lots
    return BOOK_OK


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
    cdef inline int apply_c(self, bint bid, int64_t ticks, int64_t lots) noexcept nogil:
        if ticks <= 0 or lots < 0 or lots > LEVEL_LOTS_MAX:
            return BOOK_BAD_LEVEL
        if bid:
            return put(self.bid_ticks_, self.bid_lots_, &self.bid_levels, &self.total_bid_lots, self.capacity, 1,
                       ticks, lots)
        return put(self.ask_ticks_, self.ask_lots_, &self.ask_levels, &self.total_ask_lots, self.capacity, -1,
                   ticks, lots)

    cdef int64_t lots_at_c(self, bint bid, int64_t ticks) noexcept nogil
    # Best level of a side into ticks, lots; False when the side is empty.
    cdef bint best_c(self, bint bid, int64_t* ticks, int64_t* lots) noexcept nogil
    # The same after taking n own orders (any order of prices, several may share one) out of it.
    cdef inline bint best_of_others_c(self, bint bid, const int64_t* own_ticks, const int64_t* own_lots, int32_t n,
                                      int64_t* ticks, int64_t* lots) noexcept nogil:
        cdef const int64_t* side_ticks = self.bid_ticks_ if bid else self.ask_ticks_
        cdef const int64_t* side_lots = self.bid_lots_ if bid else self.ask_lots_
        cdef int32_t i = (self.bid_levels if bid else self.ask_levels) - 1
        cdef int32_t k
        cdef int64_t left
        while i >= 0:
            left = side_lots[i]
            for k in range(n):
                if own_ticks[k] == side_ticks[i]:
                    left -= own_lots[k]
            # Less than nothing is left when our order was acknowledged before the book showed it.
            if left > 0:
                ticks[0] = side_ticks[i]
                lots[0] = left
                return True
            i -= 1
        return False

    cdef bint crossed_c(self) noexcept nogil
    # Up to n best levels, best first; returns how many.
    cdef int32_t levels_c(self, bint bid, int32_t n, int64_t* ticks, int64_t* lots) noexcept nogil
