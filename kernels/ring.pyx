"""Shared-memory ring of fixed-size records: one writer, any number of readers that it neither knows nor waits for.

``ring.pxd`` draws the layout and states the memory order of every word. The writer never blocks and never fails: a
reader that falls a lap behind is overrun, is told how many records it lost, and goes on. Readers leave no trace in the
segment, so their death costs nothing. A segment is a file of mode 0600 in a memory file system, ``prefix-pid-label``;
it is removed when the writer closes or exits, and after a crash by the next start's ``sweep``. An object belongs to one
thread.
"""

import hashlib
import os

import numpy as np

from libc.stdint cimport int64_t, uint64_t

from kernels.fences cimport fence_acquire, load_acquire, load_relaxed, store_relaxed, store_release

from kernels.segment import DIRECTORY, attach, create, orphaned

cdef extern from *:
    """
    #if defined(__x86_64__)
    /* A processor that does not know it takes it for a no-op. */
    #define QUOTER_FETCH(line) __asm__ volatile("prefetchw %0" : : "m"(*(const char *) (line)))
    #else
    #define QUOTER_FETCH(line) __builtin_prefetch((line), 1, 3)
    #endif
    """
    void fetch_line "QUOTER_FETCH"(const char* line) noexcept nogil

cdef enum:
    LINE_BYTES = 64
    MAGIC_WORD = 0
    VERSION_WORD = 1
    RECORD_WORD = 2
    CAPACITY_WORD = 3
    LAYOUT_WORD = 4
    PID_WORD = 5
    CLOSED_WORD = 6
    LATEST_TRIES = 1000

cdef uint64_t MAGIC = 0x474E4952544F5551    # "QUOTRING", little-endian
cdef uint64_t VERSION = 1

OK = RING_OK
EMPTY = RING_EMPTY
OVERRUN = RING_OVERRUN
CLOSED = RING_CLOSED
CAPACITY_MAX = 1 << 24


def _dtype_of(record) -> np.dtype:
    """The dtype of a record given as one, or as a number of bytes."""
    dtype = np.dtype(f"V{record}") if isinstance(record, int) else np.dtype(record)
    if dtype.itemsize == 0 or dtype.itemsize % 8 or dtype.hasobject:
        raise ValueError(f"ring records of {dtype.itemsize} bytes: give a plain layout, a multiple of 8 bytes")
    return dtype


def _layout_of(dtype) -> int:
    """64-bit hash of names, types and offsets; plain bytes have 0, which fits any layout of the same size."""
    if dtype.names is None and dtype.kind == "V":
        return 0
    return int.from_bytes(hashlib.blake2b(repr(dtype.descr).encode(), digest_size=8).digest(), "little") | 1


def _segment_bytes(int64_t capacity, int64_t record_bytes) -> int:
    return 8 * HEADER_WORDS + capacity * (8 + record_bytes)


cdef class RingWriter:
    """The writing end; creates the segment and removes it.

    prefix, label: name of the instance and of the stream, lower case letters, digits, ``.`` and ``_``.
    capacity: records a lap, a power of two. record: a NumPy dtype, or a number of bytes; either a multiple of 8 bytes.
    Raises FileExistsError where a segment of this process id is left over (``sweep`` first) and OSError where shared
    memory is full: all of it is reserved here, so that writing cannot fail later.
    """

    def __cinit__(self, prefix, label, int64_t capacity, record, directory=DIRECTORY):
        dtype = _dtype_of(record)
        if capacity < 2 or capacity > CAPACITY_MAX or capacity & (capacity - 1):
            raise ValueError(f"ring capacity {capacity}: give a power of two from 2 to {CAPACITY_MAX}")
        size = _segment_bytes(capacity, dtype.itemsize)
        self.path, self.memory_, self.finalizer_ = create(self, prefix, label, size, directory)
        self.record_bytes = dtype.itemsize
        self.capacity = capacity
        self.words_ = dtype.itemsize // 8
        self._lay_out(_layout_of(dtype))

    def _lay_out(self, layout) -> None:
        cdef uint64_t[::1] words = memoryview(self.memory_).cast("Q")
        self.header_ = &words[0]
        self.header_[VERSION_WORD] = VERSION
        self.header_[RECORD_WORD] = <uint64_t>self.record_bytes
        self.header_[CAPACITY_WORD] = <uint64_t>self.capacity
        self.header_[LAYOUT_WORD] = layout
        self.header_[PID_WORD] = os.getpid()
        store_release(&self.header_[MAGIC_WORD], MAGIC)    # release: a reader that sees it sees the words above

    cdef void fetch_c(self, uint64_t n) noexcept nogil:
        cdef uint64_t until = self.next_ + n
        cdef const char* at
        cdef const char* end
        if self.near_ < self.next_:
            self.near_ = self.next_
        while self.near_ < until:
            at = <const char*>(self.header_ + HEADER_WORDS + (self.near_ & <uint64_t>(self.capacity - 1)) * (1 + self.words_))
            end = at + 8 * (1 + self.words_)
            while at < end:
                fetch_line(at)
                at += LINE_BYTES
            self.near_ += 1

    cdef void push_c(self, const void* record) noexcept nogil:
        cdef const uint64_t* source = <const uint64_t*>record
        cdef uint64_t* target = <uint64_t*>self.claim_c()
        cdef uint64_t i
        for i in range(self.words_):
            store_relaxed(target + i, source[i])
        self.commit_c()

    def push(self, records) -> int:
        """Push every record of a contiguous buffer; returns how many. Its length must be a multiple of the record's."""
        cdef const unsigned char[::1] data = memoryview(records).cast("B")
        cdef int64_t n = data.shape[0] // self.record_bytes
        cdef int64_t i
        if n * self.record_bytes != data.shape[0]:
            raise ValueError(f"{data.shape[0]} bytes are not a number of records of {self.record_bytes}")
        if n == 0:
            return 0
        if <size_t>&data[0] % 8:
            return self.push(bytearray(data))
        with nogil:
            for i in range(n):
                self.push_c(&data[i * self.record_bytes])
        return n

    @property
    def published(self) -> int:
        """Records pushed since the start."""
        return self.next_

    @property
    def name(self) -> str:
        """What a reader attaches to."""
        return os.path.basename(self.path)

    def close(self) -> None:
        """Tell readers that no more will come, and remove the name. Those attached keep what is there."""
        if os.getpid() == self.header_[PID_WORD]:    # a forked child has the object too, but is not the writer
            store_release(&self.header_[CLOSED_WORD], 1)    # release: every record is seen before it
        self.finalizer_()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


cdef class RingReader:
    """A reading end, with its own position; attaches read-only, at any time.

    name: the writer's ``name``. record: what the writer was given, or the number of bytes of a record.
    oldest: begin with the oldest record that is still there, not with the next that comes.
    Raises FileNotFoundError where there is no such segment, ValueError where its layout is another.
    """

    def __cinit__(self, name, record, oldest=False, directory=DIRECTORY):
        cdef const uint64_t[::1] words
        self.fd_ = -1
        self.dtype_ = _dtype_of(record)
        self.path, self.memory_, self.fd_ = attach(name, 8 * HEADER_WORDS, directory)
        words = memoryview(self.memory_).cast("Q")
        self.header_ = &words[0]
        self._check(name, len(self.memory_))
        self.record_bytes = self.dtype_.itemsize
        self.words_ = self.dtype_.itemsize // 8
        self.capacity = self.header_[CAPACITY_WORD]
        self.position = load_acquire(&self.header_[PUBLISHED_WORD])
        if oldest:
            self.position -= min(self.position, <uint64_t>self.capacity)

    def __dealloc__(self):
        if self.fd_ != -1:
            os.close(self.fd_)

    def _check(self, name, size) -> None:
        if load_acquire(&self.header_[MAGIC_WORD]) != MAGIC:
            raise ValueError(f"ring {name}: not laid out yet, or not a ring; try again")
        if self.header_[VERSION_WORD] != VERSION:
            raise ValueError(f"ring {name}: layout version {self.header_[VERSION_WORD]}, this program reads {VERSION}")
        if self.header_[RECORD_WORD] != <uint64_t>self.dtype_.itemsize:
            raise ValueError(f"ring {name}: records of {self.header_[RECORD_WORD]} bytes, not {self.dtype_.itemsize}")
        layout = _layout_of(self.dtype_)
        if layout and self.header_[LAYOUT_WORD] and layout != self.header_[LAYOUT_WORD]:
            raise ValueError(f"ring {name}: the writer's records have other members; run both ends from one build")
        capacity = int(self.header_[CAPACITY_WORD])
        if capacity & (capacity - 1) or size != _segment_bytes(capacity, self.dtype_.itemsize):
            raise ValueError(f"ring {name}: {size} bytes do not hold {capacity} records; the segment is damaged")

    cdef int read_c(self, void* out) noexcept nogil:
        cdef uint64_t index = self.position & <uint64_t>(self.capacity - 1)
        cdef const uint64_t* slot = self.header_ + HEADER_WORDS + index * (1 + self.words_)
        cdef uint64_t ready = 2 * self.position + 2
        cdef uint64_t* target = <uint64_t*>out
        cdef uint64_t i
        # Before the slot: the writer closes after its last record, so closed and then empty means done.
        cdef bint closed = load_acquire(&self.header_[CLOSED_WORD]) != 0
        cdef uint64_t sequence = load_acquire(slot)    # acquire: pairs with commit_c
        if sequence < ready:
            return RING_CLOSED if closed else RING_EMPTY
        if sequence > ready:
            return RING_OVERRUN
        for i in range(self.words_):
            target[i] = load_relaxed(slot + 1 + i)
        fence_acquire()    # the words above are read before the sequence below
        if load_relaxed(slot) != ready:
            return RING_OVERRUN
        self.position += 1
        return RING_OK

    cdef void skip_c(self) noexcept nogil:
        cdef uint64_t published = load_acquire(&self.header_[PUBLISHED_WORD])
        # A quarter of a lap ahead of the oldest, or the writer would overrun this reader again at once.
        cdef uint64_t target = published - <uint64_t>(self.capacity - (self.capacity + 3) // 4)
        self.overruns += 1
        if published > <uint64_t>self.capacity and target > self.position:
            self.lost += target - self.position
            self.position = target
        else:
            self.lost += 1
            self.position += 1

    cdef int latest_c(self, void* out) noexcept nogil:
        cdef uint64_t published
        cdef uint64_t position = self.position
        cdef int code = RING_EMPTY
        cdef int _try
        for _try in range(LATEST_TRIES):
            published = load_acquire(&self.header_[PUBLISHED_WORD])
            if published == 0:
                return RING_EMPTY
            self.position = published - 1
            code = self.read_c(out)
            if code == RING_OK:
                break
        self.position = position
        return code

    def read(self, int64_t n=4096):
        """Up to n records, oldest first, as ``(status, array)``; the array is a copy.

        status: ``OK``; ``EMPTY``: nothing new; ``OVERRUN``: records before these were lost, ``lost`` counts them all;
        ``CLOSED``: all has been read and no more will come. Records around a loss never share an array.
        """
        cdef unsigned char[::1] data
        cdef int64_t i = 0
        cdef int code = RING_OK
        cdef bint overrun = False
        if n < 1:
            raise ValueError(f"{n} records: read at least 1")
        records = np.empty(n, self.dtype_)
        data = records.view(np.uint8)
        with nogil:
            while i < n:
                code = self.read_c(&data[i * self.record_bytes])
                if code == RING_OK:
                    i += 1
                elif code == RING_OVERRUN and i == 0:
                    overrun = True
                    self.skip_c()
                else:
                    break
        if overrun:
            return RING_OVERRUN, records[:i]
        return (RING_OK if i else code), records[:i]

    def latest(self):
        """The newest record as an array of one, None before the first; the position stays where it is."""
        cdef unsigned char[::1] data
        records = np.empty(1, self.dtype_)
        data = records.view(np.uint8)
        return records if self.latest_c(&data[0]) == RING_OK else None

    @property
    def backlog(self) -> int:
        """Records pushed and not yet read here; more than ``capacity`` means that some are lost."""
        return load_acquire(&self.header_[PUBLISHED_WORD]) - self.position

    def writer_alive(self) -> bool:
        """Whether the writer still runs and has not closed. After False, what is unread can be read to the end."""
        if load_acquire(&self.header_[CLOSED_WORD]):
            return False
        return not orphaned(self.fd_, self.header_[PID_WORD])
