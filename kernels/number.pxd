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


cdef inline int64_t whole_units(int64_t value_e8, int64_t unit_e8, double units_an_e8) noexcept nogil:
    """How many units a value is that is not negative, or -1 when it is no whole number of them. ``units_an_e8``: 1 / unit.

    A multiplication finds the number, and one of integers proves it: what it cannot prove is divided.
    """
    cdef int64_t units
    if value_e8 < <int64_t> 1 << 53:
        units = <int64_t> (value_e8 * units_an_e8 + 0.5)
        if units * unit_e8 == value_e8:
            return units
    return -1 if value_e8 % unit_e8 else value_e8 // unit_e8
