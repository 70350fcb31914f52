"""Exact decimal text to fixed point, ticks and lots, and back.

Fixed point is an int64 in units of 1e-8 (the venue's own precision).
"""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    E8 = 100000000
    E8_TEXT_MAX = 24          # room that ``kernels.digits`` needs to write a number
    DOUBLE_TEXT_MAX = 32

# Return codes of the parsers: bytes consumed (> 0), or one of these.
cdef enum NumberError:
    NUMBER_SYNTAX = -1        # not a JSON number
    NUMBER_RANGE = -2         # outside int64 at 1e-8, or not finite as a double
    NUMBER_PRECISION = -3     # more than 8 significant decimals

cdef Py_ssize_t parse_e8(const char* text, const char* end, int64_t* value) noexcept nogil
cdef Py_ssize_t parse_double(const char* text, const char* end, double* value) noexcept nogil
cdef Py_ssize_t parse_uint64(const char* text, const char* end, unsigned long long* value) noexcept nogil
cdef double quotient(uint64_t mantissa, int decimals) noexcept nogil
