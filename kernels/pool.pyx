"""Slots of a preallocated array, handed out and taken back without allocation.

The pool knows only the indices; whoever owns it has an array of as many records. A slot kept too long is told by its
generation: take ``handle`` where an index is stored away (in a request that is in flight, say) and ask ``slot`` when it
comes back. Single thread, no barrier needed.
"""

from libc.stdint cimport int32_t, int64_t
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree

cdef extern from *:
    """
    #ifdef QUOTER_DEBUG
    #define POOL_CHECKED 1
    #else
    #define POOL_CHECKED 0
    #endif
    """
    const bint POOL_CHECKED

cdef enum:
    CAPACITY_MAX_ = 1 << 24
    SLOT_BITS = 24

OK = POOL_OK
NO_SLOT = POOL_NO_SLOT
NOT_TAKEN = POOL_NOT_TAKEN
CAPACITY_MAX = CAPACITY_MAX_

# Slots still in use when their pools died: a leak. Counted in the checked build only.
cdef int64_t leaked_ = 0


def leaked() -> int:
    """Slots that were in use when their pool was destroyed, since the start or ``reset``; 0 in the release build."""
    return leaked_


def reset_leaked() -> None:
    """Begin to count leaked slots anew."""
    global leaked_
    leaked_ = 0


cdef class Pool:
    """capacity: number of slots, 1 to ``CAPACITY_MAX``. All memory is reserved here."""

    def __cinit__(self, int32_t capacity):
        cdef int32_t i
        if not 1 <= capacity <= CAPACITY_MAX_:
            raise ValueError(f"pool capacity {capacity}: give 1 to {CAPACITY_MAX_} slots")
        self.capacity = capacity
        self.free_ = <int32_t*>PyMem_RawCalloc(<size_t>capacity, sizeof(int32_t))
        self.generation_ = <int64_t*>PyMem_RawCalloc(<size_t>capacity, sizeof(int64_t))
        if self.free_ == NULL or self.generation_ == NULL:
            raise MemoryError(f"pool of {capacity} slots")
        for i in range(capacity):
            self.free_[i] = capacity - 1 - i

    def __dealloc__(self):
        global leaked_
        if POOL_CHECKED:
            leaked_ += self.taken
        PyMem_RawFree(self.free_)
        PyMem_RawFree(self.generation_)

    cdef int32_t acquire_c(self) noexcept nogil:
        cdef int32_t slot
        if self.taken >= self.capacity:
            return -1
        self.taken += 1
        if self.taken > self.taken_max:
            self.taken_max = self.taken
        slot = self.free_[self.capacity - self.taken]
        self.generation_[slot] += 1
        return slot

    cdef int release_c(self, int32_t slot) noexcept nogil:
        if slot < 0 or slot >= self.capacity:
            return POOL_NO_SLOT
        if not self.generation_[slot] & 1:
            return POOL_NOT_TAKEN
        self.generation_[slot] += 1
        self.free_[self.capacity - self.taken] = slot
        self.taken -= 1
        return POOL_OK

    cdef int64_t handle_c(self, int32_t slot) noexcept nogil:
        if slot < 0 or slot >= self.capacity or not self.generation_[slot] & 1:
            return 0
        return (self.generation_[slot] << SLOT_BITS) | slot

    cdef int32_t slot_c(self, int64_t handle) noexcept nogil:
        cdef int32_t slot = <int32_t>(handle & (CAPACITY_MAX_ - 1))
        if handle <= 0 or slot >= self.capacity or self.generation_[slot] != handle >> SLOT_BITS:
            return -1
        return slot if self.generation_[slot] & 1 else -1

    def acquire(self) -> int:
        """A free slot, the one released last; -1 when all are in use."""
        return self.acquire_c()

    def release(self, int32_t slot) -> int:
        """Give a slot back; returns a code: ``OK``, ``NO_SLOT``, or ``NOT_TAKEN`` when it was given back before."""
        return self.release_c(slot)

    def handle(self, int32_t slot) -> int:
        """A number above 0 that names the present use of a slot and no other; 0 when the slot is free."""
        return self.handle_c(slot)

    def slot(self, int64_t handle) -> int:
        """The slot that a handle names, -1 when that use of it is over."""
        return self.slot_c(handle)
