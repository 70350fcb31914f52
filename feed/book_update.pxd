"""A book message (protocol section 8.5): its level changes ``[[price, amount, outright amount], …]``, and the whole of a
usual one.

A usual change is read with few looks at ``end``: prices and amounts without sign and exponent, of at most seven digits
before the point and behind it, and a third number spelled as the second, which is most of them. ``read_triple`` reads
all others, and both read the same. ``usual_book`` refuses whatever is not usual: it is then read anew by its table.
Each function returns the position behind what it read, or NULL.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from feed.events cimport BOOK_CHANGES_MAX, BookUpdate, LevelChange
from feed.values cimport comma, next_item, open_array, read_triple
from kernels.cursor cimport EXACT_DOUBLE_MAX, POW10, POW10_INT, at_byte, literal
from kernels.digits cimport EIGHT_DIGITS, digits_value, leading_bits, no_digits

cdef enum:
    NEAR_LEVELS_MAX = 32      # unsorted changes a side that are compared pair by pair
    NUMBER_ROOM = 16          # bytes that ``usual_amount`` may look at
    LEVEL_ROOM = 64           # and ``usual_level``

cdef extern from *:
    """
    #define QUOTER_GONE 0x5D302C30u     /* 0,0] */
    """
    const uint32_t GONE "QUOTER_GONE"   # amounts of a level that is gone, as four bytes


cdef inline void no_changes(BookUpdate* book, int32_t instrument) noexcept nogil:
    """Begin a message about an instrument; what is in the arrays stays."""
    book.instrument = instrument
    book.snapshot = 0
    book.bids = 0
    book.asks = 0
    book.trades = 0
    book.total_bid_e8 = 0
    book.total_ask_e8 = 0
    book.has_totals = 0
    book.time_s = 0.0


cdef inline const char* usual_decimals(const char* at, int64_t* value) noexcept nogil:
    """Up to seven decimals behind a point at ``at``, if there is one, added to ``value`` of 1e-8; or NULL."""
    cdef uint64_t word
    cdef int bits
    if at[0] != c'.':
        return at
    memcpy(&word, at + 1, 8)
    bits = leading_bits(word)
    if bits == 0:
        return NULL
    # Zero bytes behind the digits count as zeros: eight decimals in all.
    value[0] += <int64_t> digits_value(word & ((<uint64_t> 1 << bits) - 1))
    return at + 1 + (bits >> 3)


cdef inline const char* usual_price(const char* at, int64_t* value) noexcept nogil:
    """A number from 1 on with at most seven digits before the point, in units of 1e-8, or NULL."""
    cdef uint64_t word
    cdef int bits
    memcpy(&word, at, 8)
    bits = leading_bits(word)
    if bits == 0 or at[0] == c'0':
        return NULL
    value[0] = <int64_t> digits_value(word << (64 - bits)) * EIGHT_DIGITS
    return usual_decimals(at + (bits >> 3), value)


cdef inline const char* usual_amount(const char* at, int64_t* value) noexcept nogil:
    """A number of which most have one digit before the point, in units of 1e-8, or NULL."""
    cdef uint64_t digit = <uint64_t> (<unsigned char> at[0]) - 48
    if digit > 9:
        return NULL
    if <unsigned char> at[1] - 48 <= 9 and <unsigned char> at[1] >= 48:
        return usual_price(at, value)
    value[0] = <int64_t> digit * EIGHT_DIGITS
    return usual_decimals(at + 1, value)


cdef inline const char* usual_level(const char* at, LevelChange* out) noexcept nogil:
    """One usual change in the LEVEL_ROOM bytes from ``at`` on, or NULL."""
    cdef const char* amount
    cdef const char* outright
    cdef uint64_t one, other
    cdef uint32_t both
    cdef Py_ssize_t length
    if at[0] != c'[':
        return NULL
    at = usual_price(at + 1, &out.price_e8)
    if at is NULL or at[0] != c',':
        return NULL
    amount = at + 1
    memcpy(&both, amount, 4)
    if both == GONE:
        out.amount_e8 = out.outright_e8 = 0
        return amount + 4
    at = usual_amount(amount, &out.amount_e8)
    if at is NULL or at[0] != c',':
        return NULL
    outright = at + 1
    length = at - amount
    memcpy(&one, amount, 8)
    memcpy(&other, outright, 8)
    if length <= 8 and (one ^ other) << (64 - 8 * length) == 0 and outright[length] == c']':
        out.outright_e8 = out.amount_e8
        return outright + length + 1
    at = usual_amount(outright, &out.outright_e8)
    return at + 1 if at is not NULL and at[0] == c']' else NULL


cdef inline const char* read_levels(const char* at, const char* end, LevelChange* out, int32_t* count) noexcept nogil:
    """An array of level changes with distinct prices, or NULL."""
    cdef int n = 0, i, j
    cdef bint rising = True, falling = True
    cdef bint more = False
    cdef const char* after
    at = open_array(at, end, &more)
    while more:
        if n >= BOOK_CHANGES_MAX:
            return NULL
        after = usual_level(at, &out[n]) if end - at >= LEVEL_ROOM else NULL
        if after is NULL:
            after = read_triple(at, end, &out[n].price_e8)
        at = next_item(after, end, &more)
        if n:
            rising = rising and out[n].price_e8 > out[n - 1].price_e8
            falling = falling and out[n].price_e8 < out[n - 1].price_e8
        n += 1
    if not rising and not falling:
        if n > NEAR_LEVELS_MAX:
            return NULL
        for i in range(n):
            for j in range(i):
                if out[i].price_e8 == out[j].price_e8:
                    return NULL
    count[0] = n
    return at


cdef inline const char* usual_total(const char* at, const char* end, int64_t* value) noexcept nogil:
    """A usual amount and the comma behind it, or NULL. ``at`` may be NULL."""
    if at is NULL or end - at < NUMBER_ROOM:
        return NULL
    return comma(usual_amount(at, value), end)


cdef inline const char* usual_time(const char* at, const char* end, double* value) noexcept nogil:
    """Seconds since 1970 in ten digits, and up to seven decimals, as the nearest double; or NULL. ``at`` may be NULL.

    Mantissa and power are exact, so the division rounds once (Clinger 1990).
    """
    cdef uint64_t word, mantissa
    cdef unsigned int ninth, tenth
    cdef int bits
    # The last eight bytes of a message are behind its beginning: where fewer follow, those before are shifted out.
    if at is NULL or end - at < 13:
        return NULL
    memcpy(&word, at, 8)
    ninth = <unsigned int> (<unsigned char> at[8]) - 48
    tenth = <unsigned int> (<unsigned char> at[9]) - 48
    if no_digits(word) or ninth > 9 or tenth > 9 or at[0] == c'0':
        return NULL
    mantissa = digits_value(word) * 100 + ninth * 10 + tenth
    at += 10
    if at[0] != c'.':
        value[0] = <double> <int64_t> mantissa
        return at
    at += 1
    if end - at >= 8:
        memcpy(&word, at, 8)
    else:
        memcpy(&word, end - 8, 8)
        word >>= 8 * (8 - (end - at))
    bits = leading_bits(word)
    if bits == 0:
        return NULL
    mantissa = mantissa * POW10_INT[bits >> 3] + digits_value(word << (64 - bits))
    if mantissa > EXACT_DOUBLE_MAX:
        return NULL
    value[0] = <double> <int64_t> mantissa / POW10[bits >> 3]
    return at + (bits >> 3)


cdef inline const char* usual_book(const char* at, const char* end, BookUpdate* book) noexcept nogil:
    """A payload without trades, its members in the protocol's order, from its brace on; behind it, or NULL."""
    cdef const char* after
    at = literal(at, end, b'{"trades":[],')
    if at is NULL:
        return NULL
    after = literal(at, end, b'"bid_changes":')
    if after is not NULL:
        at = comma(read_levels(after, end, book.bid, &book.bids), end)
        if at is NULL:
            return NULL
    after = literal(at, end, b'"ask_changes":')
    if after is not NULL:
        at = comma(read_levels(after, end, book.ask, &book.asks), end)
        if at is NULL:
            return NULL
    at = literal(at, end, b'"total_bid_amount":')
    at = usual_total(at, end, &book.total_bid_e8)
    if at is NULL:
        return NULL
    at = literal(at, end, b'"total_ask_amount":')
    at = usual_total(at, end, &book.total_ask_e8)
    if at is NULL:
        return NULL
    at = usual_time(literal(at, end, b'"time":'), end, &book.time_s)
    if at is NULL or not at_byte(at, end, c'}'):
        return NULL
    book.has_totals = True
    return at + 1
