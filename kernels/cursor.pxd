"""Bounds-checked reading of JSON text: every byte that a decoder looks at is looked at here.

A position is a ``const char*`` inside ``[text, end]``; a function returns the position behind what it read, or NULL
when the text is not what it reads (the caller then hands the whole frame to the slow decoder). Nothing before ``at``
or at and after ``end`` is read.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen

from kernels.digits cimport are_digits, digits_value, trailing_zeros
from kernels.number cimport parse_double, parse_e8, quotient

cdef enum:
    EXACT_DOUBLE_MAX = 9007199254740992     # 2**53
    PADDED_MAX = 32                         # bytes of a text that is compared at once
    SKIP_DEPTH_MAX = 32                     # containers inside a skipped value
    SKIP_KEYS_MAX = 16                      # members of a skipped object; they are compared with each other
    SKIP_NUMBER_MAX = 32                    # bytes of a skipped number

cdef extern from *:
    # Cython's own hint to the compiler.
    bint unlikely(bint condition) noexcept nogil

# Powers of ten, those that a double holds exactly and those of 64 bits; and the comparison of a padded text.
cdef extern from *:
    """
    static const double QUOTER_POW10[23] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
        1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    static const unsigned long long QUOTER_POW10_INT[20] = {1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL,
        1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL, 10000000000ULL, 100000000000ULL, 1000000000000ULL,
        10000000000000ULL, 100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL, 100000000000000000ULL,
        1000000000000000000ULL, 10000000000000000000ULL};
    #ifdef __SSE2__
    #include <emmintrin.h>
    static inline int quoter_begins(const char *at, const char *text, uint32_t bits) {
        const __m128i *a = (const __m128i *) at, *b = (const __m128i *) text;
        uint32_t low = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b)));
        uint32_t high = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(a + 1), _mm_loadu_si128(b + 1)));
        return (~(low | high << 16) & bits) == 0;
    }
    static inline uint32_t quoter_unusual(const char *at) {
        __m128i text = _mm_loadu_si128((const __m128i *) at);
        __m128i quote = _mm_cmpeq_epi8(text, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(text, _mm_set1_epi8(92));
        /* Bytes that are not ASCII are negative. */
        __m128i control = _mm_cmplt_epi8(text, _mm_set1_epi8(32));
        return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control));
    }
    #else
    static inline uint32_t quoter_unusual(const char *at) {
        uint32_t found = 0;
        for (int i = 0; i < 16; i++)
            found |= (uint32_t) (at[i] == '"' || at[i] == 92 || (signed char) at[i] < 32) << i;
        return found;
    }
    static inline int quoter_begins(const char *at, const char *text, uint32_t bits) {
        return memcmp(at, text, bits == 0xFFFFFFFF ? 32 : __builtin_ctz(~bits)) == 0;
    }
    #endif
    """
    const double POW10 "QUOTER_POW10" [23]
    const uint64_t POW10_INT "QUOTER_POW10_INT" [20]
    # Both texts have PADDED_MAX bytes; those of ``bits`` are compared.
    bint begins_padded "quoter_begins" (const char* at, const char* text, uint32_t bits) noexcept nogil
    # A bit for each of 16 bytes of a string that is a quote, a backslash, a control byte or not ASCII.
    uint32_t unusual_16 "quoter_unusual" (const char* at) noexcept nogil


cdef inline bint at_byte(const char* at, const char* end, char byte) noexcept nogil:
    """Is ``byte`` the next one?"""
    return at < end and at[0] == byte


cdef inline const char* literal(const char* at, const char* end, const char* text) noexcept nogil:
    """Behind ``text``, a constant of the code, or NULL."""
    cdef Py_ssize_t length = strlen(text)
    if end - at < length or memcmp(at, text, length) != 0:
        return NULL
    return at + length


cdef inline bint begins(const char* at, const char* end, const char* text, uint32_t bits, int length) noexcept nogil:
    """Are the next ``length`` bytes those of ``text``, which has room for PADDED_MAX? ``bits`` has as many low bits."""
    if end - at >= PADDED_MAX:
        return begins_padded(at, text, bits)
    return end - at >= length and memcmp(at, text, length) == 0


cdef inline uint64_t unusual(uint64_t word) noexcept nogil:
    """Not 0 if one of eight bytes of a string is a quote, a backslash, a control byte or not ASCII. The lowest bit that is
    set is the top bit of the first such byte.
    """
    cdef uint64_t quote = word ^ 0x2222222222222222ULL
    cdef uint64_t slash = word ^ 0x5C5C5C5C5C5C5C5CULL
    # Borrows can only flag bytes above the first.
    return (((quote - 0x0101010101010101ULL) & ~quote) | ((slash - 0x0101010101010101ULL) & ~slash)
            | ((word - 0x2020202020202020ULL) & ~word) | word) & 0x8080808080808080ULL


cdef inline const char* string_end(const char* at, const char* end) noexcept nogil:
    """The closing quote of a string whose first byte is ``at``; NULL for escapes, control bytes, non-ASCII text or no
    end.
    """
    cdef uint32_t stop
    while end - at >= 16:
        stop = unusual_16(at)
        if stop:
            at += trailing_zeros(stop)
            return at if at[0] == c'"' else NULL
        at += 16
    while at < end:
        if at[0] == c'"':
            return at
        if <unsigned char> at[0] < 0x20 or <unsigned char> at[0] >= 0x80 or at[0] == c'\\':
            return NULL
        at += 1
    return NULL


# Digits of a plain number: ``-12.50`` is mantissa 1250, 2 integer digits, 2 decimals, negative.
cdef struct Plain:
    uint64_t mantissa
    int integer_digits
    int decimals
    bint negative


cdef inline const char* plain(const char* at, const char* end, Plain* out) noexcept nogil:
    """Scan ``-?(0|[1-9][0-9]*)(.[0-9]+)?`` of at most 19 digits; NULL for anything else (also a following exponent).

    The last byte before ``end`` must not be a digit, minus or point, so that it ends every scan: the caller has seen
    that it is a brace.
    """
    cdef uint64_t mantissa = 0, word
    cdef unsigned int digit
    cdef const char* start
    cdef Py_ssize_t whole, decimals = 0
    if at >= end:
        return NULL
    out.negative = at[0] == c'-'
    if out.negative:
        at += 1
    start = at
    digit = <unsigned int> (<unsigned char> at[0]) - 48
    while digit <= 9:
        mantissa = mantissa * 10 + digit
        at += 1
        digit = <unsigned int> (<unsigned char> at[0]) - 48
    whole = at - start
    if whole == 0 or (start[0] == c'0' and whole > 1):
        return NULL
    if at[0] == c'.':
        at += 1
        start = at
        # Marks and rates are doubles written out: often more than eight decimals.
        if end - at > 8 and c'0' <= at[7] <= c'9':
            memcpy(&word, at, 8)
            if are_digits(word):
                mantissa = mantissa * 100000000 + digits_value(word)
                at += 8
        digit = <unsigned int> (<unsigned char> at[0]) - 48
        while digit <= 9:
            mantissa = mantissa * 10 + digit
            at += 1
            digit = <unsigned int> (<unsigned char> at[0]) - 48
        decimals = at - start
        if decimals == 0:
            return NULL
    # The mantissa has wrapped when there are more digits than these.
    if at[0] | 0x20 == c'e' or whole + decimals > 19:
        return NULL
    out.mantissa = mantissa
    out.integer_digits = <int> whole
    out.decimals = <int> decimals
    return at


cdef inline bint plain_e8(const Plain* number, int64_t* value) noexcept nogil:
    """The number in units of 1e-8, when it surely fits: at most 10 integer digits and 8 decimals."""
    cdef int64_t magnitude
    if number.integer_digits > 10 or number.decimals > 8:
        return False
    magnitude = <int64_t> (number.mantissa * POW10_INT[8 - number.decimals])
    value[0] = -magnitude if number.negative else magnitude
    return True


cdef inline double plain_double(const Plain* number) noexcept nogil:
    """The nearest double. Where mantissa and power are both exact, the one rounding is the division's (Clinger 1990)."""
    cdef double magnitude
    if unlikely(number.mantissa > EXACT_DOUBLE_MAX):
        magnitude = quotient(number.mantissa, number.decimals)
    else:
        magnitude = <double> <int64_t> number.mantissa
        if number.decimals:
            magnitude /= POW10[number.decimals]
    return -magnitude if number.negative else magnitude


cdef inline const char* read_e8(const char* at, const char* end, int64_t* value) noexcept nogil:
    """A decimal number as an integer of 1e-8, exact, or NULL (``kernels.number.parse_e8`` decides the rare forms)."""
    cdef Plain number
    cdef Py_ssize_t used
    cdef const char* after = plain(at, end, &number)
    if after is not NULL and plain_e8(&number, value):
        return after
    used = parse_e8(at, end, value)
    return at + used if used > 0 else NULL


cdef inline const char* read_double(const char* at, const char* end, double* value) noexcept nogil:
    """A number as the nearest double, or NULL (``kernels.number.parse_double`` decides the rare forms)."""
    cdef Plain number
    cdef Py_ssize_t used
    cdef const char* after = plain(at, end, &number)
    if after is not NULL:
        value[0] = plain_double(&number)
        return after
    used = parse_double(at, end, value)
    return at + used if used > 0 else NULL


cdef inline const char* read_uint64(const char* at, const char* end, uint64_t* value) noexcept nogil:
    """A JSON integer in ``[0, 2**64)``, or NULL."""
    cdef uint64_t number = 0
    cdef unsigned int digit
    cdef const char* start = at
    while at < end:
        digit = <unsigned int> (<unsigned char> at[0]) - 48
        if digit > 9:
            break
        if number > 1844674407370955161ULL or (number == 1844674407370955161ULL and digit > 5):
            return NULL
        number = number * 10 + digit
        at += 1
    if at == start or at == end or (start[0] == c'0' and at - start > 1):
        return NULL
    if at[0] == c'.' or at[0] == c'e' or at[0] == c'E':
        return NULL
    value[0] = number
    return at


cdef inline const char* skip_number(const char* at, const char* end) noexcept nogil:
    """Behind a JSON number of at most SKIP_NUMBER_MAX bytes and two exponent digits, so that it is finite; or NULL."""
    cdef const char* start = at
    cdef const char* part
    if at < end and at[0] == c'-':
        at += 1
    part = at
    while at < end and c'0' <= at[0] <= c'9':
        at += 1
    if at == part or (part[0] == c'0' and at - part > 1):
        return NULL
    if at < end and at[0] == c'.':
        at += 1
        part = at
        while at < end and c'0' <= at[0] <= c'9':
            at += 1
        if at == part:
            return NULL
    if at < end and (at[0] == c'e' or at[0] == c'E'):
        at += 1
        if at < end and (at[0] == c'+' or at[0] == c'-'):
            at += 1
        part = at
        while at < end and c'0' <= at[0] <= c'9':
            at += 1
        if at == part or at - part > 2:
            return NULL
    return at if at - start <= SKIP_NUMBER_MAX else NULL


cdef inline const char* skip_scalar(const char* at, const char* end) noexcept nogil:
    """Behind a string, number, true, false or null; or NULL."""
    if at >= end:
        return NULL
    if at[0] == c'"':
        at = string_end(at + 1, end)
        return at + 1 if at is not NULL else NULL
    if at[0] == c't':
        return literal(at, end, b"true")
    if at[0] == c'f':
        return literal(at, end, b"false")
    if at[0] == c'n':
        return literal(at, end, b"null")
    return skip_number(at, end)
