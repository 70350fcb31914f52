"""The fast decoder: hot channels and replies to our requests, straight from the frame's memory into records.

One forward pass over compact JSON, from the first byte to the last. Members may come in any order; unknown ones are
checked and skipped. Whatever is not entirely clean and expected gives KIND_SLOW, and then ``feed.decode_slow`` decides:
white space, escapes, text that is not ASCII, duplicate members, wrong types, missing members, numbers that do not fit,
values without sense, capacities of ``feed/events.pxd`` exceeded. So this decoder accepts nothing that the slow one
refuses, and reads it the same. Owner: one thread. DANGER: a record is valid until the next decode.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from feed.book_update cimport no_changes, read_levels, usual_book
from feed.events cimport *
from feed.heads cimport read_head
from feed.members cimport *
from feed.symbols cimport SymbolTable
from feed.values cimport (Reading, begin, new_name, next_item, open_array, read_bool, read_number, read_run, read_text,
                          read_trades, read_triple, skip)
from kernels.bytes cimport zero_bytes
from kernels.cursor cimport at_byte, literal, read_uint64

from feed import venue

cdef enum:
    FRAME_MAX = 1 << 20       # bytes; a larger frame is for the slow decoder to refuse
    INDEX_MAX = 0xFFFF        # instrument or underlying in a channel value


cdef const char* read_fills(Decoder self, const char* at, const char* end, OrderUpdate* order) noexcept nogil:
    """An array of fills, appended to the batch, or NULL."""
    cdef bint more = False
    cdef Fill* fill
    order.fills = 0
    at = open_array(at, end, &more)
    while more:
        if self.orders.fills >= FILLS_MAX:
            return NULL
        fill = &self.orders.fill[self.orders.fills]
        memset(fill, 0, sizeof(Fill))
        at = read_record(self, at, end, &FILL, <char*> fill)
        if at is NULL or fill.amount_e8 == 0:
            return NULL
        self.orders.fills += 1
        order.fills += 1
        at = next_item(at, end, &more)
    return at


cdef const char* read_errors(Decoder self, const char* at, const char* end, Reply* reply) noexcept nogil:
    """The errors of a mass quote; the first one's code is kept. NULL when they are not clean."""
    cdef bint more = False
    cdef int32_t code = 0
    cdef int n = 0
    at = open_array(at, end, &more)
    while more:
        at = read_record(self, at, end, &QUOTE_ERROR, <char*> &code)
        if at is NULL:
            return NULL
        if n == 0:
            reply.error_code = code
        n += 1
        at = next_item(at, end, &more)
    return at


cdef const char* read_other(Decoder self, const char* at, const char* end, const Member* member, char* record,
                            uint32_t* has) noexcept nogil:
    """A value that is neither number nor string, or NULL."""
    cdef int32_t flag
    if member.value == VALUE_FLAG:
        at = read_bool(at, end, &flag)
        if flag:
            has[0] |= <uint32_t> member.other
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
        return read_trades(self.instruments, at, end, self.book.trade, BOOK_TRADES_MAX, &self.book.trades, False)
    if member.value == VALUE_ERRORS:
        return read_errors(self, at, end, <Reply*> record)
    return NULL


cdef const char* read_value(Decoder self, const char* at, const char* end, const Member* member, char* record,
                            uint32_t* has) noexcept nogil:
    """The value of a known member that is not null, or NULL."""
    if member.value == VALUE_SLOW:
        return NULL
    if member.value <= VALUE_EXACT:
        return read_number(at, end, member, record)
    if member.value <= VALUE_HAS_WORD:
        return read_text(self.instruments, self.underlyings, at, end, member, record, has)
    return read_other(self, at, end, member, record, has)


cdef const char* read_member(Decoder self, Reading* object, const char* at, const char* end) noexcept nogil:
    """Any one member, or NULL."""
    cdef const Member* member
    cdef uint64_t bit
    cdef int row = row_of(object.table, object.row, at, end)
    if row < 0:
        if not at_byte(at, end, c'"'):
            return NULL
        return skip(new_name(at + 1, end, object.spans, &object.unknown), end, 0)
    member = &object.table.member[row]
    bit = <uint64_t> 1 << row
    if object.seen & bit:
        return NULL
    object.seen |= bit
    object.row = row + 1 if row + 1 < object.table.count else 0
    at += member.length
    if at_byte(at, end, c'n') and member.value != VALUE_SLOW:
        return literal(at, end, b"null")
    object.present |= bit
    object.has |= <uint32_t> member.has
    return read_value(self, at, end, member, object.record, &object.has)


cdef const char* read_members(Decoder self, const char* at, const char* end, const Table* table, char* record,
                              uint64_t* present, uint32_t* has) noexcept nogil:
    """An object whose first byte behind the brace is ``at``, by ``table`` into ``record``; behind its end, or NULL.

    ``present`` has a bit for each row that was there and not null; ``has`` collects the rows' bits.
    """
    cdef Reading object
    begin(&object, table, record)
    present[0] = 0
    if at_byte(at, end, c'}'):
        return at + 1 if table.required == 0 else NULL
    while True:
        at = read_member(self, &object, read_run(&object, at, end), end)
        if at is NULL or at >= end:
            return NULL
        if at[0] == c'}':
            break
        if at[0] != c',':
            return NULL
        at += 1
    if object.present & table.required != table.required:
        return NULL
    present[0] = object.present
    has[0] |= object.has
    return at + 1


cdef inline const char* read_object(Decoder self, const char* at, const char* end, const Table* table, char* record,
                                    uint64_t* present, uint32_t* has) noexcept nogil:
    """The same from the brace on. ``at`` may be NULL."""
    if at is NULL or not at_byte(at, end, c'{'):
        return NULL
    return read_members(self, at + 1, end, table, record, present, has)


cdef inline const char* read_record(Decoder self, const char* at, const char* end, const Table* table,
                                    char* record) noexcept nogil:
    """The same where no bits are wanted."""
    cdef uint64_t present
    cdef uint32_t has = 0
    return read_object(self, at, end, table, record, &present, &has)


cdef const char* read_order(Decoder self, const char* at, const char* end) noexcept nogil:
    """An OrderStatus whose brace is at ``at``, appended to the batch, or NULL."""
    cdef OrderUpdate* order
    cdef uint64_t present
    if self.orders.count >= ORDERS_MAX:
        return NULL
    order = &self.orders.order[self.orders.count]
    zero_bytes(order, sizeof(OrderUpdate))
    order.instrument = -1
    order.fill_index = self.orders.fills
    at = read_object(self, at, end, &ORDER, <char*> order, &present, &order.has)
    if at is NULL or (order.filled_e8 > order.amount_e8 and order.status != STATUS_CANCELLED_PARTIALLY_FILLED):
        return NULL
    self.orders.count += 1
    return at


cdef const char* read_ticker(Decoder self, const char* at, const char* end, int32_t instrument) noexcept nogil:
    cdef uint64_t present
    cdef int i
    zero_bytes(&self.ticker, sizeof(Ticker))
    self.ticker.instrument = instrument
    at = read_object(self, at, end, &TICKER, <char*> &self.ticker, &present, &self.ticker.has)
    for i in range(TICKER_PAIRS_COUNT):
        if present & TICKER_PAIRS[i].rows == TICKER_PAIRS[i].rows:
            self.ticker.has |= TICKER_PAIRS[i].has
    return at


cdef const char* read_lwt(Decoder self, const char* at, const char* end, int32_t instrument) noexcept nogil:
    cdef uint64_t present
    memset(&self.lwt, 0, sizeof(Lwt))
    self.lwt.instrument = instrument
    return read_object(self, at, end, &LWT, <char*> &self.lwt, &present, &self.lwt.has)


cdef const char* read_book(Decoder self, const char* at, const char* end, int32_t instrument) noexcept nogil:
    cdef const char* after
    cdef uint64_t present
    cdef uint32_t has = 0
    cdef int i
    no_changes(&self.book, instrument)
    after = usual_book(at, end, &self.book)
    if after is not NULL:
        return after
    no_changes(&self.book, instrument)
    at = read_object(self, at, end, &BOOK, <char*> &self.book, &present, &has)
    self.book.has_totals = has == 3
    for i in range(self.book.trades):
        self.book.trade[i].instrument = instrument
    return at


cdef const char* read_orders(Decoder self, const char* at, const char* end) noexcept nogil:
    cdef bint more = False
    at = open_array(at, end, &more)
    while more:
        at = read_order(self, at, end)
        at = next_item(at, end, &more)
    return at


cdef const char* read_portfolio(Decoder self, const char* at, const char* end) noexcept nogil:
    cdef bint more = False
    cdef PositionUpdate* position
    self.portfolio.count = 0
    at = open_array(at, end, &more)
    while more:
        if self.portfolio.count >= POSITIONS_MAX:
            return NULL
        position = &self.portfolio.position[self.portfolio.count]
        memset(position, 0, sizeof(PositionUpdate))
        at = read_record(self, at, end, &POSITION, <char*> position)
        if at is NULL:
            return NULL
        self.portfolio.count += 1
        at = next_item(at, end, &more)
    return at


cdef const char* read_index(Decoder self, const char* at, const char* end, int32_t underlying) noexcept nogil:
    memset(&self.index, 0, sizeof(IndexPrice))
    at = read_record(self, at, end, &INDEX, <char*> &self.index)
    return at if self.index.underlying == underlying else NULL


cdef const char* read_result(Decoder self, const char* at, const char* end) noexcept nogil:
    """The result of a reply; what it is shows in its first member, other forms are skipped."""
    if literal(at, end, b'{"order_id"') is not NULL:
        self.reply.kind = REPLY_ORDER
        self.orders.snapshot = 0
        self.orders.count = 0
        self.orders.fills = 0
        return read_order(self, at, end)
    if literal(at, end, b'{"n_success"') is not NULL:
        self.reply.kind = REPLY_MASS_QUOTE
        return read_record(self, at, end, &MASS_QUOTE, <char*> &self.reply)
    self.reply.kind = REPLY_RESULT
    if at_byte(at, end, c'{'):
        return read_record(self, at, end, &OTHER_RESULT, NULL)
    return skip(at, end, 0)


cdef const char* read_reply(Decoder self, const char* at, const char* end) noexcept nogil:
    cdef const char* after
    memset(&self.reply, 0, sizeof(Reply))
    at = read_uint64(at, end, &self.reply.id)
    if at is NULL:
        return NULL
    after = literal(at, end, b',"result":')
    if after is not NULL:
        return read_result(self, after, end)
    at = literal(at, end, b',"error":')
    if at is NULL:
        return NULL
    self.reply.kind = REPLY_ERROR
    return read_record(self, at, end, &ERROR, <char*> &self.reply)


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

    The tables may grow between decodes; indices are below 2**16. Records are filled by ``decode`` (or ``load``) and
    shown by ``record``.
    """

    def __cinit__(self, SymbolTable channels not None, SymbolTable instruments not None,
                  SymbolTable underlyings not None):
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
        cdef int32_t value = -1, index
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
        at = read_head(self.heads_, self.channels, at, end, &value)
        if at is NULL:
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
            at = read_trades(self.instruments, at, end, self.trades.trade, TRADES_MAX, &self.trades.count, True)
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
        """Decode this channel fast.

        Raises ValueError: not a hot channel, its instrument or underlying is not in the tables, or known.
        """
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
        cdef int _, fast = 0
        with nogil:
            for _ in range(n):
                fast += self.decode_c(text, size) != KIND_SLOW
        return fast

    def record(self, int kind):
        """The record of ``kind`` as plain Python, in the shape of ``feed.as_record.as_record``."""
        from feed.loaded import record
        return record(self, kind)

    def load(self, message):
        """Fill the record of a message of ``feed.decode_slow`` and return its kind; 0 when it belongs to no hot
        channel of ours.

        Raises ``Malformed`` when it is larger than the record (the capacities of ``feed/events.pxd``).
        """
        from feed.as_record import as_record
        from feed.loaded import fill
        kind, record = as_record(message, self.channels, self.instruments, self.underlyings)
        if kind != KIND_SLOW:
            fill(self, kind, record)
        return kind
