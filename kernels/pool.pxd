"""Slots of a preallocated array, handed out and taken back without allocation. Single thread, no barrier needed."""

from libc.stdint cimport int32_t, int64_t

cdef enum PoolCode:
    POOL_OK = 0
    POOL_NO_SLOT = -1        # no such slot
    POOL_NOT_TAKEN = -2      # released already, or never acquired

cdef class Pool:
    cdef readonly int32_t capacity
    cdef readonly int32_t taken         # slots in use
    cdef readonly int32_t taken_max     # most slots that were ever in use at once
    cdef int32_t* free_                 # stack of free slots, the one released last on top
    cdef int64_t* generation_           # odd: in use; grows by one with every acquire and every release

    # A free slot, the most recently released one, because its memory is warm; -1 when all are in use.
    cdef int32_t acquire_c(self) noexcept nogil
    cdef int release_c(self, int32_t slot) noexcept nogil
    # A name for the present use of a slot, > 0; 0 when it is free. No other use of any slot has the same.
    cdef int64_t handle_c(self, int32_t slot) noexcept nogil
    # The slot a handle names, -1 once it was released, whoever has the slot now.
    cdef int32_t slot_c(self, int64_t handle) noexcept nogil
