"""Names to small integers: an open-addressing table that is filled once and then looked up straight in the frame's
memory.

Names are at most NAME_MAX printable ASCII bytes without quote and backslash, so a name that is found needs no further
check. The table is at most half full: a probe ends at the first free slot. Owner: one thread fills it before any
lookup; lookups change nothing.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

cdef enum:
    NAME_MAX = 96             # bytes of a name
    NAMES_LIMIT = 1 << 20     # most names of one table


cdef inline uint32_t hash_name(const char* name, Py_ssize_t length) noexcept nogil:
    """A hash of ``length`` bytes, never 0 (0 marks a free slot). Multiply and fold, eight bytes a step."""
    cdef uint64_t state = <uint64_t> length * 0x9E3779B97F4A7C15ULL
    cdef uint64_t word
    cdef const char* end = name + length
    while end - name > 8:
        memcpy(&word, name, 8)
        state = (state ^ word) * 0xD6E8FEB86659FD93ULL
        state ^= state >> 32
        name += 8
    if length >= 8:
        # The last eight bytes; they may overlap the step before.
        memcpy(&word, end - 8, 8)
    else:
        word = 0
        while name < end:
            word = word << 8 | <unsigned char> name[0]
            name += 1
    state = (state ^ word) * 0xD6E8FEB86659FD93ULL
    state ^= state >> 32
    state *= 0xD6E8FEB86659FD93ULL
    return <uint32_t> (state >> 32) | 1


cdef class SymbolTable:
    """Room for ``names`` names with values in ``[0, 2**31)``. Raises ValueError for a size outside 1 to NAMES_LIMIT."""

    def __cinit__(self, Py_ssize_t names):
        if not 1 <= names <= NAMES_LIMIT:
            raise ValueError(f"a symbol table holds 1 to {NAMES_LIMIT} names, not {names}")
        self.capacity = 2
        while self.capacity < 2 * names:
            self.capacity *= 2
        self.count = 0
        self.hashes_ = <uint32_t*> calloc(self.capacity, sizeof(uint32_t))
        self.values_ = <int32_t*> calloc(self.capacity, sizeof(int32_t))
        self.lengths_ = <int32_t*> calloc(self.capacity, sizeof(int32_t))
        self.names_ = <char*> calloc(self.capacity, NAME_MAX)
        if self.hashes_ is NULL or self.values_ is NULL or self.lengths_ is NULL or self.names_ is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.hashes_)
        free(self.values_)
        free(self.lengths_)
        free(self.names_)

    cdef int32_t find_c(self, const char* name, Py_ssize_t length) noexcept nogil:
        """The value of ``name``, or -1."""
        cdef int32_t slot
        cdef int32_t mask = self.capacity - 1
        cdef uint32_t hashed
        if length < 1 or length > NAME_MAX:
            return -1
        hashed = hash_name(name, length)
        slot = <int32_t> (hashed >> 1) & mask
        while self.hashes_[slot]:
            if (self.hashes_[slot] == hashed and self.lengths_[slot] == length
                    and memcmp(self.names_ + <Py_ssize_t> slot * NAME_MAX, name, length) == 0):
                return self.values_[slot]
            slot = (slot + 1) & mask
        return -1

    def add(self, bytes name, int value):
        """Add ``name``.

        Raises ValueError: a name that is there, empty, too long or not plain; a negative value; a full table.
        """
        cdef int32_t slot
        cdef int32_t mask = self.capacity - 1
        cdef uint32_t hashed
        cdef const char* text = name
        cdef Py_ssize_t length = len(name)
        if not 1 <= length <= NAME_MAX:
            raise ValueError(f"a name has 1 to {NAME_MAX} bytes, not {length}: {ascii(name[:NAME_MAX])}")
        if any(byte < 0x20 or byte > 0x7E or byte in b'"\\' for byte in name):
            raise ValueError(f"a name is printable ASCII without quote and backslash: {ascii(name)}")
        if value < 0:
            raise ValueError(f"the value of {ascii(name)} is negative: {value}")
        if self.find_c(text, length) >= 0:
            raise ValueError(f"the name is there already: {ascii(name)}")
        if 2 * (self.count + 1) > self.capacity:
            raise ValueError(f"the table is full with {self.count} names: {ascii(name)}")
        hashed = hash_name(text, length)
        slot = <int32_t> (hashed >> 1) & mask
        while self.hashes_[slot]:
            slot = (slot + 1) & mask
        memcpy(self.names_ + <Py_ssize_t> slot * NAME_MAX, text, length)
        self.lengths_[slot] = <int32_t> length
        self.values_[slot] = value
        self.hashes_[slot] = hashed
        self.count += 1

    def find(self, bytes name):
        """The value of ``name``, or -1."""
        return self.find_c(name, len(name))

    def names(self):
        """Every name and its value, as a dictionary."""
        cdef int32_t slot
        return {
            (self.names_ + <Py_ssize_t> slot * NAME_MAX)[:self.lengths_[slot]]: self.values_[slot]
            for slot in range(self.capacity)
            if self.hashes_[slot]
        }

    def __len__(self):
        return self.count

    def __contains__(self, bytes name):
        return self.find_c(name, len(name)) >= 0
