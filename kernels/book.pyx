"""Price levels of one instrument in ticks and lots, both sides, unique and sorted, in preallocated memory.

Each side is two parallel arrays whose best level is last: nearly all changes happen near the touch, so the search
starts there and little memory moves. Single thread, no barrier needed. The engine core calls the ``_c`` functions; the
Python methods of the same names are for tests, simulation and analysis.

Limits: ``capacity`` levels a side (a change beyond it is refused with ``FULL``), ``LOTS_MAX`` lots a level, so that the
totals of a full side fit an int64.
"""

from libc.stdint cimport int32_t, int64_t
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc

cdef enum:
    CAPACITY_MAX_ = 1 << 20

OK = BOOK_OK
FULL = BOOK_FULL
BAD_LEVEL = BOOK_BAD_LEVEL
UNKNOWN_LEVEL = BOOK_UNKNOWN_LEVEL
CAPACITY_MAX = CAPACITY_MAX_
LOTS_MAX = LEVEL_LOTS_MAX


cdef class Book:
    """One instrument's price levels.

    capacity: levels a side, 1 to ``CAPACITY_MAX``; 32 bytes each are reserved at construction and none later.
    Prices are positive integer ticks, sizes non-negative integer lots. Refused changes leave the book as it is and are
    told by a code: ``FULL`` and ``UNKNOWN_LEVEL`` (the caller must resynchronise), ``BAD_LEVEL``.
    """

    def __cinit__(self, int32_t capacity=16384):
        if not 1 <= capacity <= CAPACITY_MAX_:
            raise ValueError(f"book capacity {capacity}: give 1 to {CAPACITY_MAX_} levels a side")
        self.capacity = capacity
        self.bid_ticks_ = <int64_t*>PyMem_RawCalloc(4 * <size_t>capacity, sizeof(int64_t))
        if self.bid_ticks_ == NULL:
            raise MemoryError(f"book of {capacity} levels a side")
        self.bid_lots_ = self.bid_ticks_ + capacity
        self.ask_ticks_ = self.bid_lots_ + capacity
        self.ask_lots_ = self.ask_ticks_ + capacity
        self.clear_c()

    def __dealloc__(self):
        PyMem_RawFree(self.bid_ticks_)

    cdef void clear_c(self) noexcept nogil:
        self.bid_levels = 0
        self.ask_levels = 0
        self.total_bid_lots = 0
        self.total_ask_lots = 0

    cdef int64_t lots_at_c(self, bint bid, int64_t ticks) noexcept nogil:
        cdef int32_t i
        if ticks <= 0:
            return 0
        if bid:
            i = find(self.bid_ticks_, self.bid_levels, 1, ticks)
            return self.bid_lots_[i] if i < self.bid_levels and self.bid_ticks_[i] == ticks else 0
        i = find(self.ask_ticks_, self.ask_levels, -1, ticks)
        return self.ask_lots_[i] if i < self.ask_levels and self.ask_ticks_[i] == ticks else 0

    cdef bint best_c(self, bint bid, int64_t* ticks, int64_t* lots) noexcept nogil:
        return self.levels_c(bid, 1, ticks, lots) == 1

    cdef bint crossed_c(self) noexcept nogil:
        if self.bid_levels == 0 or self.ask_levels == 0:
            return False
        return self.bid_ticks_[self.bid_levels - 1] >= self.ask_ticks_[self.ask_levels - 1]

    cdef int32_t levels_c(self, bint bid, int32_t n, int64_t* ticks, int64_t* lots) noexcept nogil:
        cdef const int64_t* side_ticks = self.bid_ticks_ if bid else self.ask_ticks_
        cdef const int64_t* side_lots = self.bid_lots_ if bid else self.ask_lots_
        cdef int32_t count = self.bid_levels if bid else self.ask_levels
        cdef int32_t i
        n = max(min(n, count), 0)
        for i in range(n):
            ticks[i] = side_ticks[count - 1 - i]
            lots[i] = side_lots[count - 1 - i]
        return n

    def clear(self) -> None:
        """Forget every level."""
        self.clear_c()

    def apply(self, bint bid, int64_t ticks, int64_t lots) -> int:
        """Set the size resting at a price, 0 lots to remove it; returns a code. A size replaces the one before."""
        return self.apply_c(bid, ticks, lots)

    def snapshot(self, bids, asks) -> int:
        """Replace the whole book by pairs of (ticks, lots) in any order. Returns a code; empty unless OK."""
        cdef int code
        self.clear_c()
        for bid, levels in ((True, bids), (False, asks)):
            for ticks, lots in levels:
                code = self.apply_c(bid, ticks, lots)
                if code != BOOK_OK:
                    self.clear_c()
                    return code
        return BOOK_OK

    def lots_at(self, bint bid, int64_t ticks) -> int:
        """Lots resting at a price, 0 where there is no level."""
        return self.lots_at_c(bid, ticks)

    def best(self, bint bid) -> tuple[int, int] | None:
        """(ticks, lots) of the best level of a side, None when it is empty."""
        cdef int64_t ticks = 0
        cdef int64_t lots = 0
        return (ticks, lots) if self.best_c(bid, &ticks, &lots) else None

    def best_of_others(self, bint bid, own) -> tuple[int, int] | None:
        """The best level after our own orders, pairs of (ticks, lots), are taken out; None when nothing is left.

        Several own orders may share a price. A level that is ours altogether is skipped.
        """
        pairs = list(own)
        cdef int32_t n = <int32_t>len(pairs)
        cdef int32_t i
        cdef int64_t ticks = 0
        cdef int64_t lots = 0
        cdef int64_t* memory = <int64_t*>PyMem_RawMalloc((2 * <size_t>n + 1) * sizeof(int64_t))
        if memory == NULL:
            raise MemoryError(f"{n} own orders")
        try:
            for i in range(n):
                memory[i], memory[n + i] = pairs[i]
            found = self.best_of_others_c(bid, memory, memory + n, n, &ticks, &lots)
        finally:
            PyMem_RawFree(memory)
        return (ticks, lots) if found else None

    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return self.crossed_c()

    def levels(self, bint bid, int32_t n=CAPACITY_MAX_) -> list[tuple[int, int]]:
        """Up to n best levels of a side as (ticks, lots), best first."""
        cdef const int64_t* side_ticks = self.bid_ticks_ if bid else self.ask_ticks_
        cdef const int64_t* side_lots = self.bid_lots_ if bid else self.ask_lots_
        cdef int32_t count = self.bid_levels if bid else self.ask_levels
        cdef int32_t i
        return [(side_ticks[i], side_lots[i]) for i in range(count - 1, max(count - 1 - max(n, 0), -1), -1)]
