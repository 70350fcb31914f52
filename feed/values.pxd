"""Values of the fast decoder: what a table's row asks for, read from the frame into a record; and values that are
skipped.

Each function returns the position behind the value, or NULL when the value is not clean: then the frame is for the
slow decoder.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from feed.events cimport ID_MAX, PublicTrade
from feed.members cimport *
from feed.symbols cimport SymbolTable
from kernels.cursor cimport (PADDED_MAX, SKIP_DEPTH_MAX, SKIP_KEYS_MAX, Plain, at_byte, begins_padded, literal, plain,
                             plain_double, plain_e8, read_double, read_e8, read_uint64, skip_number, skip_scalar,
                             string_end)

# A member's name in the frame.
cdef struct Span:
    const char* text
    Py_ssize_t length

# An object that is being read by a table.
cdef struct Reading:
    const Table* table
    char* record
    int row                   # that is expected next
    uint64_t seen             # rows whose member was there
    uint64_t present          # and not null
    uint32_t has
    int unknown
    Span spans[16]            # SKIP_KEYS_MAX: names of the unknown members


cdef inline const char* new_name(const char* at, const char* end, Span* spans, int* count) noexcept nogil:
    """Read an unknown member's name at ``at`` and its colon, and remember it; NULL when it was there before or there
    are too many.
    """
    cdef const char* stop = string_end(at, end)
    cdef int i
    if stop is NULL or not at_byte(stop + 1, end, c':') or count[0] >= SKIP_KEYS_MAX:
        return NULL
    for i in range(count[0]):
        if spans[i].length == stop - at and memcmp(spans[i].text, at, stop - at) == 0:
            return NULL
    spans[count[0]].text = at
    spans[count[0]].length = stop - at
    count[0] += 1
    return stop + 2


cdef inline const char* skip(const char* at, const char* end, int depth) noexcept nogil:
    """Behind any clean value, or NULL. ``at`` may be NULL."""
    cdef Span spans[SKIP_KEYS_MAX]
    cdef int count = 0
    cdef char closing
    if at is NULL or at >= end:
        return NULL
    if at[0] != c'{' and at[0] != c'[':
        return skip_scalar(at, end)
    if depth >= SKIP_DEPTH_MAX:
        return NULL
    closing = at[0] + 2       # ']' and '}' are two behind '[' and '{'
    if at_byte(at + 1, end, closing):
        return at + 2
    while True:
        at += 1
        if closing == c'}':
            if not at_byte(at, end, c'"'):
                return NULL
            at = new_name(at + 1, end, spans, &count)
            if at is NULL:
                return NULL
        at = skip(at, end, depth + 1)
        if at is NULL or at >= end:
            return NULL
        if at[0] == closing:
            return at + 1
        if at[0] != c',':
            return NULL


# -- arrays ------------------------------------------------------------------------------------------------------------

cdef inline const char* open_array(const char* at, const char* end, bint* more) noexcept nogil:
    """Behind an opening bracket and at the first item, if there is ``more``; else behind the empty array, or NULL."""
    more[0] = False
    if not at_byte(at, end, c'['):
        return NULL
    if at_byte(at + 1, end, c']'):
        return at + 2
    more[0] = True
    return at + 1


cdef inline const char* next_item(const char* at, const char* end, bint* more) noexcept nogil:
    """From behind an item to the next one, if there is ``more``; else behind the array, or NULL. ``at`` may be NULL."""
    more[0] = False
    if at is NULL or at >= end:
        return NULL
    if at[0] == c',':
        more[0] = True
        return at + 1
    return at + 1 if at[0] == c']' else NULL


cdef inline const char* read_amount(const char* at, const char* end, int64_t* value) noexcept nogil:
    """A number that is not negative, in units of 1e-8, or NULL."""
    at = read_e8(at, end, value)
    if at is NULL or value[0] < 0:
        return NULL
    return at


cdef inline const char* read_price(const char* at, const char* end, int64_t* value) noexcept nogil:
    """A positive number in units of 1e-8, or NULL. Spreads may have others; they take the slow way."""
    at = read_e8(at, end, value)
    if at is NULL or value[0] <= 0:
        return NULL
    return at


cdef inline const char* read_time(const char* at, const char* end, double* value) noexcept nogil:
    """Seconds since 1970, or NULL."""
    at = read_double(at, end, value)
    if at is NULL or not 0.0 <= value[0] < TIME_MAX_S:
        return NULL
    return at


cdef inline const char* comma(const char* at, const char* end) noexcept nogil:
    """Behind a comma, or NULL."""
    return at + 1 if at is not NULL and at_byte(at, end, c',') else NULL


cdef inline const char* read_triple(const char* at, const char* end, int64_t* out) noexcept nogil:
    """``[price, amount, outright amount]`` into three int64, or NULL."""
    if not at_byte(at, end, c'['):
        return NULL
    at = comma(read_price(at + 1, end, out), end)
    if at is NULL:
        return NULL
    at = comma(read_amount(at, end, out + 1), end)
    if at is NULL:
        return NULL
    at = read_amount(at, end, out + 2)
    return at + 1 if at is not NULL and at_byte(at, end, c']') else NULL


cdef inline const char* read_bool(const char* at, const char* end, int32_t* value) noexcept nogil:
    """true or false, or NULL."""
    cdef const char* after = literal(at, end, b"true")
    value[0] = after is not NULL
    return after if after is not NULL else literal(at, end, b"false")


cdef inline const char* read_trade(SymbolTable instruments, const char* at, const char* end, PublicTrade* out,
                                   bint named) noexcept nogil:
    """``[price, amount, side, time, (instrument,) implied]``, or NULL."""
    cdef const char* stop
    memset(out, 0, sizeof(PublicTrade))
    if not at_byte(at, end, c'['):
        return NULL
    at = comma(read_price(at + 1, end, &out.price_e8), end)
    if at is NULL:
        return NULL
    at = comma(read_amount(at, end, &out.amount_e8), end)
    if at is NULL:
        return NULL
    stop = literal(at, end, b'"buy",')
    if stop is not NULL:
        out.side = 1
    else:
        stop = literal(at, end, b'"sell",')
        if stop is NULL:
            return NULL
        out.side = -1
    at = comma(read_time(stop, end, &out.time_s), end)
    if at is NULL:
        return NULL
    if named:
        if not at_byte(at, end, c'"'):
            return NULL
        stop = string_end(at + 1, end)
        if stop is NULL:
            return NULL
        out.instrument = instruments.find_c(at + 1, stop - at - 1)
        at = comma(stop + 1, end)
        if at is NULL:
            return NULL
    at = read_bool(at, end, &out.implied)
    return at + 1 if at is not NULL and at_byte(at, end, c']') else NULL


cdef inline const char* read_trades(SymbolTable instruments, const char* at, const char* end, PublicTrade* out,
                                    int most, int32_t* count, bint named) noexcept nogil:
    """An array of at most ``most`` trades, or NULL."""
    cdef int n = 0
    cdef bint more = False
    at = open_array(at, end, &more)
    while more:
        if n >= most:
            return NULL
        at = next_item(read_trade(instruments, at, end, &out[n], named), end, &more)
        n += 1
    count[0] = n
    return at


cdef inline const char* read_text(SymbolTable instruments, SymbolTable underlyings, const char* at, const char* end,
                                  const Member* member, char* record, uint32_t* has) noexcept nogil:
    """A string of one of the text kinds, or NULL."""
    cdef const char* stop
    cdef const Word* word
    cdef Py_ssize_t length
    cdef int32_t code = member.other
    cdef int i
    if not at_byte(at, end, c'"'):
        return NULL
    at += 1
    stop = string_end(at, end)
    if stop is NULL:
        return NULL
    length = stop - at
    if member.value == VALUE_TEXT:
        return stop + 1
    if member.value == VALUE_ID:
        if length < 1 or length > ID_MAX:
            return NULL
        memcpy(record + member.offset, at, length)
        (<int32_t*> (record + member.offset2))[0] = <int32_t> length
        return stop + 1
    if member.value == VALUE_INSTRUMENT:
        (<int32_t*> (record + member.offset))[0] = instruments.find_c(at, length)
        return stop + 1
    if member.value == VALUE_UNDERLYING:
        (<int32_t*> (record + member.offset))[0] = underlyings.find_c(at, length)
        return stop + 1
    for i in range(member.words_count):
        word = &member.words[i]
        if word.length == length and memcmp(word.text, at, length) == 0:
            code = word.code
            break
    else:
        if member.value == VALUE_KNOWN_WORD:
            return NULL
    if member.value == VALUE_HAS_WORD:
        has[0] |= <uint32_t> code
    else:
        (<int32_t*> (record + member.offset))[0] = code
    return stop + 1


cdef inline const char* read_number(const char* at, const char* end, const Member* member, char* record) noexcept nogil:
    """A number of one of the numeric kinds, or NULL."""
    cdef uint64_t whole = 0
    cdef int64_t ignored
    cdef char* target = record + member.offset
    if member.value == VALUE_DOUBLE:
        return read_double(at, end, <double*> target)
    if member.value == VALUE_POSITIVE:
        at = read_double(at, end, <double*> target)
        return at if at is not NULL and (<double*> target)[0] > 0 else NULL
    if member.value == VALUE_PRICE:
        return read_price(at, end, <int64_t*> target)
    if member.value == VALUE_AMOUNT:
        return read_amount(at, end, <int64_t*> target)
    if member.value == VALUE_EXACT:
        return read_e8(at, end, &ignored)
    if member.value == VALUE_SIGNED:
        return read_e8(at, end, <int64_t*> target)
    if member.value == VALUE_TIME:
        return read_time(at, end, <double*> target)
    if member.value == VALUE_NUMBER:
        return skip_number(at, end)
    at = read_uint64(at, end, &whole)
    if at is NULL:
        return NULL
    if member.value == VALUE_UINT64:
        (<uint64_t*> target)[0] = whole
    elif whole > 0x7FFFFFFF:
        return NULL
    else:
        (<int32_t*> target)[0] = <int32_t> whole
    return at


cdef inline const char* read_usual(const char* at, const char* end, const Member* member, char* record) noexcept nogil:
    """A usual number of a usual kind, in line; NULL for all else, which is for ``read_number``."""
    cdef Plain number
    cdef char* target = record + member.offset
    cdef int64_t fixed = 0
    cdef double real
    at = plain(at, end, &number)
    if at is NULL:
        return NULL
    if member.value <= VALUE_SIGNED:
        if not plain_e8(&number, &fixed) or fixed < member.least:
            return NULL
        (<int64_t*> target)[0] = fixed
        return at
    real = plain_double(&number)
    if not member.low <= real <= member.high:
        return NULL
    (<double*> target)[0] = real
    return at


cdef inline void begin(Reading* object, const Table* table, char* record) noexcept nogil:
    """Nothing of the object has been read."""
    object.table = table
    object.record = record
    object.row = 0
    object.seen = 0
    object.present = 0
    object.has = 0
    object.unknown = 0


cdef inline const char* read_run(Reading* object, const char* at, const char* end) noexcept nogil:
    """The members from ``at`` on as long as they come in the table's order and are usual numbers with a comma behind
    them; in front of the first that is not.

    This is most of a ticker. It decides nothing that ``read_member`` would decide otherwise.
    """
    cdef const Member* member = &object.table.member[object.row]
    cdef const Member* last = &object.table.member[object.table.count]
    cdef const char* room = end - PADDED_MAX
    cdef const char* after
    cdef uint64_t bit = <uint64_t> 1 << object.row, there = 0
    cdef uint32_t has = 0
    if not VALUE_PRICE <= member.value <= VALUE_TIME:
        return at
    while member < last and at <= room:
        if begins_padded(at, member.key, member.bits):
            if not VALUE_PRICE <= member.value <= VALUE_TIME or object.seen & bit:
                break
            after = read_usual(at + member.length, end, member, object.record)
            if after is NULL or after[0] != c',':
                break
            at = after + 1
            there |= bit
            has |= <uint32_t> member.has
        member += 1
        bit <<= 1
    if there:
        object.row = <int> (member - &object.table.member[0]) % object.table.count
        object.seen |= there
        object.present |= there
        object.has |= has
    return at
