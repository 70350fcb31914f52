"""Decimal digits to text and back, several at a time.

How many digits a number has is found by branches, not by counting zeros: a predicted branch lets the next number start
before this one is done, a counted length does not. Who calls looks after the bounds.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "words of text are read as little-endian"
    #endif
    #define QUOTER_ZEROS 0x3030303030303030ULL
    #define QUOTER_FIRST_BIT(word) __builtin_ctzll(word)
    static const char QUOTER_PAIRS[201] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
        "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    """
    const char PAIRS "QUOTER_PAIRS" [201]
    const uint64_t ZEROS "QUOTER_ZEROS"
    int trailing_zeros "QUOTER_FIRST_BIT" (uint64_t word) noexcept nogil

cdef enum:
    FOUR_DIGITS = 10000
    EIGHT_DIGITS = 100000000


# -- reading -----------------------------------------------------------------------------------------------------------

cdef inline uint64_t no_digits(uint64_t word) noexcept nogil:
    """0 if the eight bytes of ``word`` are digits. The lowest bit that is set is the top bit of the first that is none:
    digits carry and borrow nothing, so only bytes behind it may be flagged wrongly.
    """
    return ((word + 0x4646464646464646ULL) | (word - 0x3030303030303030ULL)) & 0x8080808080808080ULL


cdef inline int leading_bits(uint64_t word) noexcept nogil:
    """How many bits of ``word`` are digits up to its first byte that is none; 0 also where all eight are."""
    cdef uint64_t stop = no_digits(word)
    return trailing_zeros(stop) & 0x38 if stop else 0


cdef inline bint are_digits(uint64_t word) noexcept nogil:
    """Are the eight bytes of ``word`` digits?"""
    return no_digits(word) == 0


cdef inline uint64_t digits_value(uint64_t word) noexcept nogil:
    """The number in eight digits, the first one lowest: neighbours are joined to pairs, fours and eight (Lemire 2018,
    "Quickly parsing eight digits").
    """
    word = (word & 0x0F0F0F0F0F0F0F0FULL) * 2561 >> 8
    word = (word & 0x00FF00FF00FF00FFULL) * 6553601 >> 16
    return (word & 0x0000FFFF0000FFFFULL) * 42949672960001ULL >> 32


# -- writing -----------------------------------------------------------------------------------------------------------

cdef inline void store_four(char* out, uint64_t value) noexcept nogil:
    """Four digits of a value below 10**4."""
    memcpy(out, &PAIRS[2 * (value // 100)], 2)
    memcpy(out + 2, &PAIRS[2 * (value % 100)], 2)


cdef inline void store_eight(char* out, uint64_t value) noexcept nogil:
    """Eight digits of a value below 10**8."""
    store_four(out, value // FOUR_DIGITS)
    store_four(out + 4, value % FOUR_DIGITS)


cdef inline Py_ssize_t store_below_e4(char* out, uint64_t value) noexcept nogil:
    """A value below 10**4 without leading zeros; how many digits."""
    if value >= 1000:
        store_four(out, value)
        return 4
    if value >= 100:
        out[0] = <char> (48 + value // 100)
        memcpy(out + 1, &PAIRS[2 * (value % 100)], 2)
        return 3
    if value >= 10:
        memcpy(out, &PAIRS[2 * value], 2)
        return 2
    out[0] = <char> (48 + value)
    return 1


cdef inline Py_ssize_t store_below_e8(char* out, uint64_t value) noexcept nogil:
    """A value below 10**8 without leading zeros; how many digits."""
    cdef Py_ssize_t size
    if value < FOUR_DIGITS:
        return store_below_e4(out, value)
    size = store_below_e4(out, value // FOUR_DIGITS)
    store_four(out + size, value % FOUR_DIGITS)
    return size + 4


cdef inline Py_ssize_t store_integer(char* out, uint64_t value) noexcept nogil:
    """Any value without leading zeros; how many digits, 1 to 20."""
    cdef uint64_t rest
    cdef Py_ssize_t size
    if value < EIGHT_DIGITS:
        return store_below_e8(out, value)
    rest = value // EIGHT_DIGITS
    if rest < EIGHT_DIGITS:
        size = store_below_e8(out, rest)
    else:
        size = store_below_e8(out, rest // EIGHT_DIGITS)
        store_eight(out + size, rest % EIGHT_DIGITS)
        size += 8
    store_eight(out + size, value % EIGHT_DIGITS)
    return size + 8


cdef inline Py_ssize_t store_fixed(char* out, uint64_t value) noexcept nogil:
    """``value`` * 1e-8 without superfluous zeros; how many bytes, at most 21."""
    cdef uint64_t whole = value // EIGHT_DIGITS
    cdef uint64_t fraction = value - whole * EIGHT_DIGITS
    cdef uint64_t fine
    cdef Py_ssize_t size = store_integer(out, whole)
    if fraction == 0:
        return size
    out[size] = c'.'
    fine = fraction % FOUR_DIGITS
    store_four(out + size + 1, fraction // FOUR_DIGITS)
    size += 4
    if fine:
        store_four(out + size + 1, fine)
        size += 4
    while out[size] == c'0':
        size -= 1
    return size + 1


cdef inline Py_ssize_t store_price(char* out, uint64_t value) noexcept nogil:
    """The same as ``store_fixed``, in line where the price is a whole number below 10**8, as most are."""
    cdef uint64_t whole = value // EIGHT_DIGITS
    if whole * EIGHT_DIGITS == value and whole < EIGHT_DIGITS:
        return store_below_e8(out, whole)
    return store_fixed(out, value)
