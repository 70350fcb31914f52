"""Exact decimal text to fixed point and back.

Fixed point is a signed integer in units of 1e-8 (``_e8``), in ``[-(2**63 - 1), 2**63 - 1]``. Texts follow the JSON
number grammar (RFC 8259 section 6). Nothing is ever rounded: what does not fit exactly is refused. ``parse_double``
rounds once, to nearest even. Owner thread: any, there is no state.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport strtod
from libc.string cimport memcpy

from kernels.cursor cimport EXACT_DOUBLE_MAX, POW10, POW10_INT
from kernels.digits cimport store_fixed, store_integer

cdef extern from *:
    """
    static inline uint64_t quoter_divide(uint64_t high, int half, uint64_t divisor, uint64_t *rest) {
        unsigned __int128 numerator = ((unsigned __int128) high << 64) >> half;
        uint64_t result = (uint64_t) (numerator / divisor);
        *rest = (uint64_t) numerator - result * divisor;
        return result;
    }
    #define QUOTER_LEADING_ZEROS(word) __builtin_clzll(word)
    """
    # (high * 2**64 / 2**half) / divisor and its rest; the quotient must fit.
    uint64_t divide "quoter_divide" (uint64_t high, int half, uint64_t divisor, uint64_t* rest) noexcept nogil
    int leading_zeros "QUOTER_LEADING_ZEROS" (uint64_t word) noexcept nogil

cdef enum:
    EXPONENT_MAX = 100000     # an exponent is counted no further

cdef uint64_t INT64_MAX_ = 0x7FFFFFFFFFFFFFFFULL


# A JSON number taken apart: (-1)**negative * mantissa * 10**exponent. Zeros that end the digits count as exponent.
cdef struct Decimal:
    uint64_t mantissa
    int exponent
    int digits                # of the mantissa; above 19 it has wrapped and must not be used
    bint negative


cdef Py_ssize_t take_apart(const char* text, const char* end, Decimal* out) noexcept nogil:
    """Bytes of the number at ``text``, or NUMBER_SYNTAX."""
    cdef const char* at = text
    cdef const char* part
    cdef int zeros = 0, digits = 0, point = 0, exponent = 0, digit
    cdef bint fraction = False, below = False
    cdef uint64_t mantissa = 0
    out.negative = at < end and at[0] == c'-'
    if out.negative:
        at += 1
    part = at
    while at < end:
        if at[0] == c'.' and not fraction:
            if at == part:
                return NUMBER_SYNTAX
            fraction = True
            at += 1
            part = at
            continue
        digit = at[0] - 48
        if digit < 0 or digit > 9:
            break
        if not fraction and at - part == 1 and part[0] == c'0':
            return NUMBER_SYNTAX
        if fraction:
            point += 1
        if digit == 0:
            if digits:
                zeros += 1
        else:
            # The pending zeros turn out to be inner ones.
            digits += zeros + 1
            if digits <= 19:
                mantissa = mantissa * POW10_INT[zeros + 1] + <uint64_t> digit
            zeros = 0
        at += 1
    if at == part:
        return NUMBER_SYNTAX
    if at < end and (at[0] == c'e' or at[0] == c'E'):
        at += 1
        if at < end and (at[0] == c'+' or at[0] == c'-'):
            below = at[0] == c'-'
            at += 1
        part = at
        while at < end and c'0' <= at[0] <= c'9':
            if exponent < EXPONENT_MAX:
                exponent = exponent * 10 + at[0] - 48
            at += 1
        if at == part:
            return NUMBER_SYNTAX
    out.mantissa = mantissa
    out.digits = digits
    out.exponent = (-exponent if below else exponent) - point + zeros
    return at - text


cdef Py_ssize_t parse_e8(const char* text, const char* end, int64_t* value) noexcept nogil:
    """Exact value of the number at ``text`` in units of 1e-8; bytes consumed, or a ``NumberError``."""
    cdef Decimal number
    cdef uint64_t magnitude
    cdef Py_ssize_t used
    if end - text > EXPONENT_MAX:
        end = text + EXPONENT_MAX
    used = take_apart(text, end, &number)
    if used < 0:
        return used
    if number.digits == 0:
        value[0] = 0
        return used
    number.exponent += 8
    if number.exponent < 0:
        return NUMBER_PRECISION
    if number.digits + number.exponent > 19:
        return NUMBER_RANGE
    # Below 10**19 < 2**64: the product cannot wrap.
    magnitude = number.mantissa * POW10_INT[number.exponent]
    if magnitude > INT64_MAX_:
        return NUMBER_RANGE
    value[0] = -<int64_t> magnitude if number.negative else <int64_t> magnitude
    return used


cdef double quotient(uint64_t mantissa, int decimals) noexcept nogil:
    """mantissa / 10**decimals to nearest even, for a positive mantissa and at most 19 decimals: long division of 128
    by 64 bits.
    """
    cdef int shift = leading_zeros(mantissa)
    cdef uint64_t divisor = POW10_INT[decimals]
    cdef int scale = leading_zeros(divisor)
    cdef uint64_t result, rest = 0, low
    cdef int binary
    cdef uint64_t bits
    cdef double value
    mantissa <<= shift
    divisor <<= scale
    # mantissa / divisor is in (1/2, 2): one shift less where it is 1 or more keeps the result inside 64 bits.
    binary = scale - shift - 64
    if mantissa >= divisor:
        binary += 1
    result = divide(mantissa, mantissa >= divisor, divisor, &rest)
    # ``result`` has its top bit set; keep 53 bits. ``rest`` tells whether a tie really is one.
    low = result & 0x7FF
    result >>= 11
    if low > 0x400 or (low == 0x400 and (rest != 0 or result & 1)):
        result += 1
        if result >> 53:
            result >>= 1
            binary += 1
    bits = (<uint64_t> (binary + 11 + 52 + 1023) << 52) | (result & 0xFFFFFFFFFFFFFULL)
    memcpy(&value, &bits, 8)
    return value


cdef Py_ssize_t parse_double(const char* text, const char* end, double* value) noexcept nogil:
    """Nearest double of the number at ``text``; bytes consumed, or a ``NumberError``.

    NUMBER_RANGE: an infinite result, a result that is zero or subnormal although the number is not zero, or more than
    DOUBLE_TEXT_MAX bytes.
    """
    cdef Decimal number
    cdef Py_ssize_t used
    cdef char copy[DOUBLE_TEXT_MAX + 1]
    cdef char* stop
    cdef double result
    # One byte more than the bound tells a number of that length from a longer one.
    if end - text > DOUBLE_TEXT_MAX + 1:
        end = text + DOUBLE_TEXT_MAX + 1
    used = take_apart(text, end, &number)
    if used < 0:
        return used
    if used > DOUBLE_TEXT_MAX:
        return NUMBER_RANGE
    if number.digits == 0:
        result = 0.0
    elif number.digits <= 19 and number.mantissa <= EXACT_DOUBLE_MAX and -22 <= number.exponent <= 22:
        result = <double> <int64_t> number.mantissa
        result = result * POW10[number.exponent] if number.exponent >= 0 else result / POW10[-number.exponent]
    elif number.digits <= 19 and -19 <= number.exponent <= 0:
        result = quotient(number.mantissa, -number.exponent)
    else:
        memcpy(copy, text, used)
        copy[used] = 0
        result = strtod(copy, &stop)
        # Under a locale with another decimal point strtod stops early.
        if stop != copy + used:
            return NUMBER_SYNTAX
        value[0] = result
        if result < 0:
            result = -result
        if not 2.2250738585072014e-308 <= result <= 1.7976931348623157e308:
            return NUMBER_RANGE
        return used
    value[0] = -result if number.negative else result
    return used


cdef Py_ssize_t parse_uint64(const char* text, const char* end, unsigned long long* value) noexcept nogil:
    """JSON integer in ``[0, 2**64)`` at ``text``; bytes consumed, NUMBER_SYNTAX or NUMBER_RANGE."""
    cdef const char* at = text
    cdef uint64_t number = 0
    cdef int digit
    while at < end and c'0' <= at[0] <= c'9':
        digit = at[0] - 48
        if number > 1844674407370955161ULL or (number == 1844674407370955161ULL and digit > 5):
            return NUMBER_RANGE
        number = number * 10 + <uint64_t> digit
        at += 1
    if at == text or (text[0] == c'0' and at - text > 1):
        return NUMBER_SYNTAX
    if at < end and (at[0] == c'.' or at[0] == c'e' or at[0] == c'E'):
        return NUMBER_SYNTAX
    value[0] = number
    return at - text


cdef object refuse(Py_ssize_t code, bytes text):
    """Raise the error of a ``NumberError`` code."""
    shown = ascii(text[:60])
    if code == NUMBER_RANGE:
        raise OverflowError(f"number out of range: {shown}")
    if code == NUMBER_PRECISION:
        raise ValueError(f"more than 8 decimals: {shown}")
    raise ValueError(f"not a JSON number: {shown}")


def e8_from_text(bytes text):
    """The number ``text`` in units of 1e-8. Raises ValueError (syntax, precision) or OverflowError."""
    cdef int64_t value = 0
    cdef const char* start = text
    cdef Py_ssize_t used = parse_e8(start, start + len(text), &value)
    if used != len(text):
        refuse(used, text)
    return value


def e8_to_text(int64_t value):
    """The shortest exact decimal text of ``value`` * 1e-8."""
    cdef char out[E8_TEXT_MAX + 1]
    cdef bint negative = value < 0
    out[0] = c'-'
    cdef Py_ssize_t size = store_fixed(out + negative, 0 - <uint64_t> value if negative else <uint64_t> value)
    return out[:size + negative]


def double_from_text(bytes text):
    """The number ``text`` as the nearest double. Raises ValueError or OverflowError."""
    cdef double value = 0.0
    cdef const char* start = text
    cdef Py_ssize_t used = parse_double(start, start + len(text), &value)
    if used != len(text):
        refuse(used, text)
    return value


def uint64_from_text(bytes text):
    """The JSON integer ``text`` in ``[0, 2**64)``. Raises ValueError or OverflowError."""
    cdef unsigned long long value = 0
    cdef const char* start = text
    cdef Py_ssize_t used = parse_uint64(start, start + len(text), &value)
    if used != len(text):
        refuse(used, text)
    return value


def uint64_to_text(unsigned long long value):
    """Decimal digits of ``value``."""
    cdef char out[E8_TEXT_MAX]
    cdef Py_ssize_t size = store_integer(out, value)
    return out[:size]


def ticks_from_e8(int64_t value, int64_t tick_e8):
    """``value`` in multiples of ``tick_e8`` (both in units of 1e-8), exact.

    Raises ValueError when it is not a multiple.
    """
    if tick_e8 <= 0:
        raise ValueError(f"a tick must be positive, not {tick_e8}e-8")
    ticks, rest = divmod(int(value), int(tick_e8))
    if rest:
        raise ValueError(f"{value}e-8 is not a multiple of the tick {tick_e8}e-8")
    return ticks


def units_from_e8(int64_t value_e8, int64_t unit_e8):
    """Python twin of ``whole_units``, for a value that is not negative and a positive unit."""
    if value_e8 < 0 or unit_e8 <= 0:
        raise ValueError(f"no units: {value_e8}e-8 in {unit_e8}e-8")
    return whole_units(value_e8, unit_e8, 1.0 / unit_e8)
