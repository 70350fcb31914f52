"""The fast decoder: hot channels and replies to our requests, straight from the frame's memory into records.

One forward pass over compact JSON, from the first byte to the last. Members may come in any order; unknown ones are checked and
skipped. Whatever is not entirely clean and expected gives KIND_SLOW, and then ``feed.decode_slow`` decides: white space, escapes,
text that is not ASCII, duplicate members, wrong types, missing members, numbers that do not fit, values without sense, capacities of
``feed/events.pxd`` exceeded. So this decoder accepts nothing that the slow one refuses, and reads it the same.
Owner: one thread. DANGER: a record is valid until the next decode.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from feed.events cimport *
from feed.members cimport *
from feed.symbols cimport SymbolTable
from kernels.cursor cimport (SKIP_DEPTH_MAX, SKIP_KEYS_MAX, Plain, at_byte, literal, plain, plain_double, plain_e8, read_double, read_e8, read_uint64, skip_number,
                             skip_scalar, string_end, word_at)

from feed import venue

cdef enum:
    FRAME_MAX = 1 << 20       # bytes; a larger frame is for the slow decoder to refuse
    NEAR_LEVELS_MAX = 32      # unsorted changes a side that are compared pair by pair
    INDEX_MAX = 0xFFFF        # instrument or underlying in a channel value

cdef double TIME_MAX_S = 1e11   # seconds of the year 5138; milliseconds are above it

# A member's name in the frame.
cdef struct Span:
    const char* text
    Py_ssize_t length


# -- skipping ----------------------------------------------------------------------------------------------------------

cdef const char* new_name(const char* at, const char* end, Span* spans, int* count) noexcept nogil:
    """Read an unknown member's name at ``at`` and its colon, and remember it; NULL when it was there before or there are too many."""
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


cdef const char* skip(const char* at, const char* end, int depth) noexcept nogil:
    """Behind any clean value, or NULL."""
    cdef Span spans[SKIP_KEYS_MAX]
    cdef int count = 0
    cdef char closing
    if at >= end:
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


cdef const char* read_levels(const char* at, const char* end, LevelChange* out, int32_t* count) noexcept nogil:
    """An array of level changes with distinct prices, or NULL."""
    cdef int n = 0, i, j
    cdef bint rising = True, falling = True
    if not at_byte(at, end, c'['):
        return NULL
    at += 1
    if at_byte(at, end, c']'):
        count[0] = 0
        return at + 1
    while True:
        if n >= BOOK_CHANGES_MAX:
            return NULL
        at = read_triple(at, end, &out[n].price_e8)
        if at is NULL or at >= end:
            return NULL
        if n:
            rising = rising and out[n].price_e8 > out[n - 1].price_e8
            falling = falling and out[n].price_e8 < out[n - 1].price_e8
        n += 1
        if at[0] == c']':
            break
        if at[0] != c',':
            return NULL
        at += 1
    if not rising and not falling:
        if n > NEAR_LEVELS_MAX:
            return NULL
        for i in range(n):
            for j in range(i):
                if out[i].price_e8 == out[j].price_e8:
                    return NULL
    count[0] = n
    return at + 1


cdef const char* read_trade(Decoder self, const char* at, const char* end, PublicTrade* out, bint named) noexcept nogil:
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
        out.instrument = self.instruments.find_c(at + 1, stop - at - 1)
        at = comma(stop + 1, end)
        if at is NULL:
            return NULL
    at = read_bool(at, end, &out.implied)
    return at + 1 if at is not NULL and at_byte(at, end, c']') else NULL


cdef const char* read_trades(Decoder self, const char* at, const char* end, PublicTrade* out, int most, int32_t* count,
                             bint named) noexcept nogil:
    """An array of at most ``most`` trades, or NULL."""
    cdef int n = 0
    if not at_byte(at, end, c'['):
        return NULL
    at += 1
    if at_byte(at, end, c']'):
        count[0] = 0
        return at + 1
    while True:
        if n >= most:
            return NULL
        at = read_trade(self, at, end, &out[n], named)
        if at is NULL or at >= end:
            return NULL
        n += 1
        if at[0] == c']':
            count[0] = n
            return at + 1
        if at[0] != c',':
            return NULL
        at += 1


cdef const char* read_fills(Decoder self, const char* at, const char* end, OrderUpdate* order) noexcept nogil:
    """An array of fills, appended to the batch, or NULL."""
    cdef uint64_t present
    cdef uint32_t has = 0
    cdef Fill* fill
    order.fills = 0
    if not at_byte(at, end, c'['):
        return NULL
    at += 1
    if at_byte(at, end, c']'):
        return at + 1
    while True:
        if self.orders.fills >= FILLS_MAX or not at_byte(at, end, c'{'):
            return NULL
        fill = &self.orders.fill[self.orders.fills]
        memset(fill, 0, sizeof(Fill))
        at = read_members(self, at + 1, end, &FILL, <char*> fill, &present, &has)
        if at is NULL or at >= end or fill.amount_e8 == 0:
            return NULL
        self.orders.fills += 1
        order.fills += 1
        if at[0] == c']':
            return at + 1
        if at[0] != c',':
            return NULL
        at += 1


cdef const char* read_errors(Decoder self, const char* at, const char* end, Reply* reply) noexcept nogil:
    """The errors of a mass quote; the first one's code is kept. NULL when they are not clean."""
    cdef uint64_t present
    cdef uint32_t has = 0
    cdef int32_t code = 0
    cdef int n = 0
    if not at_byte(at, end, c'['):
        return NULL
    at += 1
    if at_byte(at, end, c']'):
        return at + 1
    while True:
        if not at_byte(at, end, c'{'):
            return NULL
        at = read_members(self, at + 1, end, &QUOTE_ERROR, <char*> &code, &present, &has)
        if at is NULL or at >= end:
            return NULL
        if n == 0:
            reply.error_code = code
        n += 1
        if at[0] == c']':
            return at + 1
        if at[0] != c',':
            return NULL
        at += 1


# -- objects -----------------------------------------------------------------------------------------------------------

cdef const char* read_text(Decoder self, const char* at, const char* end, const Member* member, char* record,
                           uint32_t* has) noexcept nogil:
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
        (<int32_t*> (record + member.offset))[0] = self.instruments.find_c(at, length)
        return stop + 1
    if member.value == VALUE_UNDERLYING:
        (<int32_t*> (record + member.offset))[0] = self.underlyings.find_c(at, length)
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


cdef const char* read_number(const char* at, const char* end, const Member* member, char* record) noexcept nogil:
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
    """The same for the usual numbers of the usual kinds, in line; all else is for ``read_number``."""
    cdef Plain number
    cdef char* target = record + member.offset
    cdef const char* after = plain(at, end, &number)
    cdef int64_t fixed
    cdef double real
    if after is not NULL:
        if member.value <= VALUE_SIGNED:
            if plain_e8(&number, &fixed) and (fixed > 0 or member.value == VALUE_SIGNED
                                              or (fixed == 0 and member.value == VALUE_AMOUNT)):
                (<int64_t*> target)[0] = fixed
                return after
        elif member.value == VALUE_DOUBLE:
            if plain_double(&number, &real):
                (<double*> target)[0] = real
                return after
    return read_number(at, end, member, record)


cdef const char* read_other(Decoder self, const char* at, const char* end, const Member* member, char* record,
                            uint32_t* has) noexcept nogil:
    """A value that is neither number nor string, or NULL."""
    cdef int32_t flag
    if member.value == VALUE_FLAG:
        at = read_bool(at, end, &flag)
        if flag:
            has[0] |= <uint32_t> member.has
        return at
    if member.value == VALUE_TRIPLE:
        return read_triple(at, end, <int64_t*> (record + member.offset))
    if member.value == VALUE_FILLS:
        return read_fills(self, at, end, <OrderUpdate*> record)
    if member.value == VALUE_BIDS:
        return read_levels(at, end, self.book.bid, &self.book.bids)
    if member.value == VALUE_ASKS:
        return read_levels(at, end, self.book.ask, &self.book.asks)
    if member.value == VALUE_TRADES:
        return read_trades(self, at, end, self.book.trade, BOOK_TRADES_MAX, &self.book.trades, False)
    if member.value == VALUE_ERRORS:
        return read_errors(self, at, end, <Reply*> record)
    return NULL


cdef const char* read_members(Decoder self, const char* at, const char* end, const Table* table, char* record, uint64_t* present,
                              uint32_t* has) noexcept nogil:
    """An object whose first byte behind the brace is ``at``, by ``table`` into ``record``; behind its end, or NULL.

    ``present`` has a bit for each row that was there and not null; ``has`` collects the rows' bits.
    """
    cdef Span spans[SKIP_KEYS_MAX]
    cdef const Member* member
    cdef const char* after
    cdef uint64_t seen = 0, there = 0, head, bit
    cdef int expected = 0, row, tried, unknown = 0
    present[0] = 0
    if at_byte(at, end, c'}'):
        if table.required:
            return NULL
        return at + 1
    while True:
        if not at_byte(at, end, c'"'):
            return NULL
        at += 1
        head = word_at(at, end)
        # The venue's order is the table's, so the first try is nearly always the right one.
        row = expected
        for tried in range(table.count):
            member = &table.member[row]
            if is_member(member, head, at, end):
                break
            row = row + 1 if row + 1 < table.count else 0
        else:
            at = new_name(at, end, spans, &unknown)
            if at is NULL:
                return NULL
            at = skip(at, end, 0)
            if at is NULL or at >= end:
                return NULL
            if at[0] == c'}':
                break
            if at[0] != c',':
                return NULL
            at += 1
            continue
        bit = <uint64_t> 1 << row
        if seen & bit:
            return NULL
        seen |= bit
        expected = row + 1 if row + 1 < table.count else 0
        at += member.length
        if at >= end:
            return NULL
        if at[0] == c'n' and member.value != VALUE_SLOW:
            at = literal(at, end, b"null")
        else:
            if VALUE_PRICE <= member.value <= VALUE_INT32 or member.value == VALUE_NUMBER or member.value == VALUE_EXACT:
                at = read_usual(at, end, member, record)
                has[0] |= <uint32_t> member.has
            elif member.value == VALUE_TEXT or VALUE_ID <= member.value <= VALUE_HAS_WORD:
                at = read_text(self, at, end, member, record, has)
                has[0] |= <uint32_t> member.has
            else:
                at = read_other(self, at, end, member, record, has)
                if member.value != VALUE_FLAG:
                    has[0] |= <uint32_t> member.has
            there |= bit
        if at is NULL or at >= end:
            return NULL
        if at[0] == c'}':
            break
        if at[0] != c',':
            return NULL
        at += 1
    if there & table.required != table.required:
        return NULL
    present[0] = there
    return at + 1


cdef const char* read_order(Decoder self, const char* at, const char* end) noexcept nogil:
    """An OrderStatus whose brace is at ``at``, appended to the batch, or NULL."""
    cdef OrderUpdate* order
    cdef uint64_t present
    if self.orders.count >= ORDERS_MAX or not at_byte(at, end, c'{'):
        return NULL
    order = &self.orders.order[self.orders.count]
    memset(order, 0, sizeof(OrderUpdate))
    order.instrument = -1
    order.fill_index = self.orders.fills
    at = read_members(self, at + 1, end, &ORDER, <char*> order, &present, &order.has)
    if at is NULL or (order.filled_e8 > order.amount_e8 and order.status != STATUS_CANCELLED_PARTIALLY_FILLED):
        return NULL
    self.orders.count += 1
    return at


# -- payloads: ``at`` is the first byte, the answer is behind the last, or NULL ----------------------------------------

cdef const char* read_ticker(Decoder self, const char* at, const char* end, int32_t instrument) noexcept nogil:
    cdef uint64_t present
    cdef int i
    memset(&self.ticker, 0, sizeof(Ticker))
    self.ticker.instrument = instrument
    if not at_byte(at, end, c'{'):
        return NULL
    at = read_members(self, at + 1, end, &TICKER, <char*> &self.ticker, &present, &self.ticker.has)
    for i in range(TICKER_PAIRS_COUNT):
        if present & TICKER_PAIRS[i].rows == TICKER_PAIRS[i].rows:
            self.ticker.has |= TICKER_PAIRS[i].has
    return at


cdef const char* read_lwt(Decoder self, const char* at, const char* end, int32_t instrument) noexcept nogil:
    cdef uint64_t present
    memset(&self.lwt, 0, sizeof(Lwt))
    self.lwt.instrument = instrument
    if not at_byte(at, end, c'{'):
        return NULL
    return read_members(self, at + 1, end, &LWT, <char*> &self.lwt, &present, &self.lwt.has)


cdef const char* read_book(Decoder self, const char* at, const char* end, int32_t instrument) noexcept nogil:
    cdef uint64_t present
    cdef uint32_t has = 0
    cdef int i
    self.book.instrument = instrument
    self.book.snapshot = 0
    self.book.bids = 0
    self.book.asks = 0
    self.book.trades = 0
    self.book.total_bid_e8 = 0
    self.book.total_ask_e8 = 0
    self.book.time_s = 0.0
    if not at_byte(at, end, c'{'):
        return NULL
    at = read_members(self, at + 1, end, &BOOK, <char*> &self.book, &present, &has)
    self.book.has_totals = has == 3
    for i in range(self.book.trades):
        self.book.trade[i].instrument = instrument
    return at


cdef const char* read_orders(Decoder self, const char* at, const char* end) noexcept nogil:
    if not at_byte(at, end, c'['):
        return NULL
    at += 1
    if at_byte(at, end, c']'):
        return at + 1
    while True:
        at = read_order(self, at, end)
        if at is NULL or at >= end:
            return NULL
        if at[0] == c']':
            return at + 1
        if at[0] != c',':
            return NULL
        at += 1


cdef const char* read_portfolio(Decoder self, const char* at, const char* end) noexcept nogil:
    cdef uint64_t present
    cdef uint32_t has = 0
    cdef PositionUpdate* position
    self.portfolio.count = 0
    if not at_byte(at, end, c'['):
        return NULL
    at += 1
    if at_byte(at, end, c']'):
        return at + 1
    while True:
        if self.portfolio.count >= POSITIONS_MAX or not at_byte(at, end, c'{'):
            return NULL
        position = &self.portfolio.position[self.portfolio.count]
        memset(position, 0, sizeof(PositionUpdate))
        at = read_members(self, at + 1, end, &POSITION, <char*> position, &present, &has)
        if at is NULL or at >= end:
            return NULL
        self.portfolio.count += 1
        if at[0] == c']':
            return at + 1
        if at[0] != c',':
            return NULL
        at += 1


cdef const char* read_index(Decoder self, const char* at, const char* end, int32_t underlying) noexcept nogil:
    cdef uint64_t present
    cdef uint32_t has = 0
    memset(&self.index, 0, sizeof(IndexPrice))
    if not at_byte(at, end, c'{'):
        return NULL
    at = read_members(self, at + 1, end, &INDEX, <char*> &self.index, &present, &has)
    return at if self.index.underlying == underlying else NULL


cdef const char* read_result(Decoder self, const char* at, const char* end) noexcept nogil:
    """The result of a reply; what it is shows in its first member, other forms are skipped."""
    cdef uint64_t present
    cdef uint32_t has = 0
    if literal(at, end, b'{"order_id"') is not NULL:
        self.reply.kind = REPLY_ORDER
        self.orders.snapshot = 0
        self.orders.count = 0
        self.orders.fills = 0
        return read_order(self, at, end)
    if literal(at, end, b'{"n_success"') is not NULL:
        self.reply.kind = REPLY_MASS_QUOTE
        return read_members(self, at + 1, end, &MASS_QUOTE, <char*> &self.reply, &present, &has)
    self.reply.kind = REPLY_RESULT
    if at_byte(at, end, c'{'):
        return read_members(self, at + 1, end, &OTHER_RESULT, NULL, &present, &has)
    return skip(at, end, 0)


cdef const char* read_reply(Decoder self, const char* at, const char* end) noexcept nogil:
    cdef uint64_t present
    cdef uint32_t has = 0
    cdef const char* after
    memset(&self.reply, 0, sizeof(Reply))
    at = read_uint64(at, end, &self.reply.id)
    if at is NULL:
        return NULL
    after = literal(at, end, b',"result":')
    if after is not NULL:
        return read_result(self, after, end)
    at = literal(at, end, b',"error":{')
    if at is NULL:
        return NULL
    self.reply.kind = REPLY_ERROR
    return read_members(self, at, end, &ERROR, <char*> &self.reply, &present, &has)


cdef bint whole(Decoder self, const char* at, const char* end, bint* snapshot) noexcept nogil:
    """Is the rest of the message, from behind its payload, clean up to the last byte?"""
    cdef uint64_t present
    cdef uint32_t has = 0
    snapshot[0] = False
    if at is NULL or at >= end:
        return False
    if at[0] == c'}':
        return at + 1 == end
    if at[0] != c',' or not at_byte(at + 1, end, c'"'):
        return False
    at = read_members(self, at + 1, end, &TAIL, NULL, &present, &has)
    snapshot[0] = has != 0
    return at == end


cdef class Decoder:
    """A decoder of the channels that ``add_channel`` names, for the instruments and underlyings of the tables.

    The tables may grow between decodes; indices are below 2**16. Records are filled by ``decode`` (or ``load``) and shown by ``record``.
    """

    def __cinit__(self, SymbolTable channels not None, SymbolTable instruments not None, SymbolTable underlyings not None):
        self.channels = channels
        self.instruments = instruments
        self.underlyings = underlyings
        self.book.bid = <LevelChange*> calloc(BOOK_CHANGES_MAX, sizeof(LevelChange))
        self.book.ask = <LevelChange*> calloc(BOOK_CHANGES_MAX, sizeof(LevelChange))
        self.book.trade = <PublicTrade*> calloc(BOOK_TRADES_MAX, sizeof(PublicTrade))
        self.trades.trade = <PublicTrade*> calloc(TRADES_MAX, sizeof(PublicTrade))
        self.orders.order = <OrderUpdate*> calloc(ORDERS_MAX, sizeof(OrderUpdate))
        self.orders.fill = <Fill*> calloc(FILLS_MAX, sizeof(Fill))
        self.portfolio.position = <PositionUpdate*> calloc(POSITIONS_MAX, sizeof(PositionUpdate))
        if (self.book.bid is NULL or self.book.ask is NULL or self.book.trade is NULL or self.trades.trade is NULL
                or self.orders.order is NULL or self.orders.fill is NULL or self.portfolio.position is NULL):
            raise MemoryError

    def __dealloc__(self):
        free(self.book.bid)
        free(self.book.ask)
        free(self.book.trade)
        free(self.trades.trade)
        free(self.orders.order)
        free(self.orders.fill)
        free(self.portfolio.position)

    cdef int32_t decode_c(self, const char* frame, Py_ssize_t size) noexcept nogil:
        cdef const char* end = frame + size
        cdef const char* at
        cdef const char* stop
        cdef int32_t value, index
        cdef bint snapshot = False
        # The closing brace ends every scan for digits (``kernels.cursor.plain``).
        if size < 1 or size > FRAME_MAX or (end - 1)[0] != c'}':
            return KIND_SLOW
        at = literal(frame, end, b'{"channel_name":"')
        if at is NULL:
            at = literal(frame, end, b'{"id":')
            if at is NULL or not whole(self, read_reply(self, at, end), end, &snapshot) or snapshot:
                return KIND_SLOW
            return KIND_REPLY
        stop = string_end(at, end)
        if stop is NULL:
            return KIND_SLOW
        value = self.channels.find_c(at, stop - at)
        at = literal(stop, end, b'","notification":')
        if value < 0 or at is NULL:
            return KIND_SLOW
        index = value & INDEX_MAX
        value >>= 16
        if value == KIND_TICKER:
            at = read_ticker(self, at, end, index)
        elif value == KIND_LWT:
            at = read_lwt(self, at, end, index)
        elif value == KIND_BOOK:
            at = read_book(self, at, end, index)
        elif value == KIND_TRADES:
            self.trades.count = 0
            at = read_trades(self, at, end, self.trades.trade, TRADES_MAX, &self.trades.count, True)
        elif value == KIND_ORDERS:
            self.orders.count = 0
            self.orders.fills = 0
            at = read_orders(self, at, end)
        elif value == KIND_PORTFOLIO:
            at = read_portfolio(self, at, end)
        elif value == KIND_INDEX:
            at = read_index(self, at, end, index)
        else:
            return KIND_SLOW
        if not whole(self, at, end, &snapshot):
            return KIND_SLOW
        if value == KIND_BOOK:
            self.book.snapshot = snapshot
        elif value == KIND_TRADES:
            self.trades.snapshot = snapshot
            self.trades.instrument = index if index != INDEX_MAX else -1
        elif value == KIND_ORDERS:
            self.orders.snapshot = snapshot
        elif value == KIND_PORTFOLIO:
            self.portfolio.snapshot = snapshot
        elif snapshot:
            return KIND_SLOW
        return value

    def add_channel(self, str name):
        """Decode this channel fast. Raises ValueError: not a hot channel, its instrument or underlying is not in the tables, or known."""
        parsed = venue.parse_channel(name)
        cdef int kind = parsed.kind
        cdef int index = 0
        if kind == KIND_SLOW:
            raise ValueError(f"not a channel of the fast decoder: {name}")
        if kind == KIND_INDEX:
            index = self.underlyings.find(parsed.target.encode())
        elif kind == KIND_TRADES and parsed.parameters != ("single",):
            index = INDEX_MAX
        elif parsed.target:
            index = self.instruments.find(parsed.target.encode())
        if index < 0:
            raise ValueError(f"the instrument or underlying of the channel is not in the decoder's table: {name}")
        if index >= INDEX_MAX and kind != KIND_TRADES:
            raise ValueError(f"the index of the channel's instrument is above {INDEX_MAX - 1}: {name}")
        self.channels.add(name.encode(), kind << 16 | index)

    def decode(self, bytes frame):
        """The kind of the record that ``frame`` filled, or 0 (KIND_SLOW)."""
        return self.decode_c(frame, len(frame))

    def repeat(self, bytes frame, int n):
        """Decode ``frame`` ``n`` times; how often it was not for the slow decoder. For benchmarks."""
        cdef const char* text = frame
        cdef Py_ssize_t size = len(frame)
        cdef int i, fast = 0
        with nogil:
            for i in range(n):
                fast += self.decode_c(text, size) != KIND_SLOW
        return fast

    def record(self, int kind):
        """The record of ``kind`` as plain Python, in the shape of ``feed.as_record.as_record``."""
        from feed.loaded import record
        return record(self, kind)

    def load(self, message):
        """Fill the record of a message of ``feed.decode_slow`` and return its kind; 0 when it belongs to no hot channel of ours.

        Raises ``Malformed`` when it is larger than the record (the capacities of ``feed/events.pxd``).
        """
        from feed.as_record import as_record
        from feed.loaded import fill
        kind, record = as_record(message, self.channels, self.instruments, self.underlyings)
        if kind != KIND_SLOW:
            fill(self, kind, record)
        return kind
