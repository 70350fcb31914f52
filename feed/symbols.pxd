"""Names to small integers: channel, instrument and underlying names, looked up straight in the frame's memory."""

from libc.stdint cimport int32_t, uint32_t

cdef class SymbolTable:
    cdef readonly int32_t capacity      # a power of two, at least twice the names
    cdef readonly int32_t count
    cdef uint32_t* hashes_
    cdef int32_t* values_
    cdef int32_t* lengths_
    cdef char* names_                   # capacity * NAME_MAX bytes

    cdef int32_t find_c(self, const char* name, Py_ssize_t length) noexcept nogil   # value, or -1
