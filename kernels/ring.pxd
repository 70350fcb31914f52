"""Shared-memory ring of fixed-size records: one writer, any number of readers that it neither knows nor waits for.

Layout of a segment, offsets in bytes, all words uint64, the writer's only; readers map it read-only::

    0     magic            written last of the header, release; read acquire
    8     layout version
    16    bytes a record   a multiple of 8
    24    records a lap    a power of two
    32    layout hash      of the record's NumPy dtype
    40    writer's process id
    48    closed           1 once the writer will push no more; written release, read acquire
    64    published        records pushed since the start; written release, read acquire; alone in its cache line
    128   slots            each: sequence, then the record

A slot's sequence tells whose turn it is. For record number p, counted from 0 since the start:

    2p + 1   being written: stored relaxed, then a release fence before the record's first word
    2p + 2   ready: stored release; read acquire, and read again after an acquire fence when the record has been copied

The words of the record itself are stored and loaded relaxed, so that a reader that races with the writer of the next
lap reads something, notices by the sequence, and throws it away (H.-J. Boehm, "Can seqlocks get along with programming
language memory models?", MSPC 2012).
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from kernels.fences cimport fence_release, store_relaxed, store_release

cdef enum:
    PUBLISHED_WORD = 8
    HEADER_WORDS = 16

cdef enum RingCode:
    RING_OK = 1
    RING_EMPTY = 0          # nothing new
    RING_OVERRUN = -1       # the next record was overwritten: skip_c counts the loss and goes on
    RING_CLOSED = -2        # nothing new, and the writer is done


@cython.final
cdef class RingWriter:
    cdef readonly str path
    cdef readonly int64_t record_bytes
    cdef readonly int64_t capacity
    cdef uint64_t next_             # number of the next record; the writer's own, no barrier needed
    cdef uint64_t near_             # records before this one are in the cache, as far as is known
    cdef uint64_t words_            # a record
    cdef uint64_t* header_
    cdef object memory_             # the mapping; lives as long as this object, also after close
    cdef object finalizer_
    cdef object __weakref__

    # DANGER: the slot is readers' memory again after commit_c; every claim must be committed before the next.
    cdef inline void* claim_c(self) noexcept nogil:
        cdef uint64_t index = self.next_ & <uint64_t>(self.capacity - 1)
        cdef uint64_t* slot = self.header_ + HEADER_WORDS + index * (1 + self.words_)
        store_relaxed(slot, 2 * self.next_ + 1)
        fence_release()    # the mark above is seen before any word of the record
        return slot + 1

    cdef inline void commit_c(self) noexcept nogil:
        cdef uint64_t index = self.next_ & <uint64_t>(self.capacity - 1)
        cdef uint64_t* slot = self.header_ + HEADER_WORDS + index * (1 + self.words_)
        self.next_ += 1
        store_release(slot, 2 * self.next_)                            # release: the record is seen before it
        store_release(&self.header_[PUBLISHED_WORD], self.next_)       # release: the slot is ready before it

    # Fetches the memory of the next n records into the cache: for when there is time, so that writing them takes none.
    cdef void fetch_c(self, uint64_t n) noexcept nogil
    # Copies record_bytes; the record is 8-byte aligned.
    cdef void push_c(self, const void* record) noexcept nogil

cdef class RingReader:
    cdef readonly str path
    cdef readonly int64_t record_bytes
    cdef readonly int64_t capacity
    cdef readonly uint64_t position     # number of the next record to read; this reader's own, no barrier needed
    cdef readonly uint64_t lost         # records overwritten before they were read
    cdef readonly uint64_t overruns     # times that happened
    cdef uint64_t words_
    cdef const uint64_t* header_
    cdef object memory_
    cdef object dtype_
    cdef int fd_

    # RING_OK with the record in out (record_bytes, 8-byte aligned), RING_EMPTY, RING_OVERRUN or RING_CLOSED.
    cdef int read_c(self, void* out) noexcept nogil
    cdef void skip_c(self) noexcept nogil
    cdef int latest_c(self, void* out) noexcept nogil
