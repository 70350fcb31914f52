"""Trading requests (protocol sections 6 and 7) as JSON bytes in one preallocated buffer.

Prices and amounts are integers of 1e-8 and are written exactly. A request that would be wrong is not written: the
method returns -1 and the buffer holds nothing to send. Owner: one thread. DANGER: the text lives in the encoder's
buffer, with HEADROOM writable bytes in front; it is valid until the next request, and a transport that masks it in
place destroys it.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, strlen

from kernels.cursor cimport unusual
from kernels.digits cimport ZEROS, store_fixed, store_integer, store_price
from kernels.number cimport E8_TEXT_MAX

cdef enum:
    NAME_MAX = 96             # bytes of an instrument name, order id or method
    LABEL_MAX = 32            # protocol section 3
    QUOTES_MAX = 100          # instruments in one mass quote
    LEVELS_MAX = 10           # levels a side
    LEVEL_BYTES_MAX = 2 * E8_TEXT_MAX + 4
    SIDE_BYTES = 8            # of a side, without its levels
    ENTRY_BYTES = 128         # an instrument of a quote: its name, eight bytes of slack, and what is around them
    END_BYTES = 160           # the end of a quote: label, flags, request number
    REQUEST_BYTES_MAX = 512   # every other request has room in the smallest buffer

cdef unsigned char LABEL_BYTE[256]
for _byte in range(256):
    LABEL_BYTE[_byte] = chr(_byte) in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789<>|_-"


# Each of these writes at ``at`` and returns the position behind it; what must not be written breaks the request. Who calls
# has looked after the room.
cdef inline char* text(char* at, const char* constant) noexcept nogil:
    """Text of the code's own: the compiler knows its length."""
    memcpy(at, constant, strlen(constant))
    return at + strlen(constant)


cdef inline char* decimal(Encoder self, char* at, int64_t value_e8) noexcept nogil:
    if value_e8 <= 0:
        self.broken = True
        return at
    return at + store_fixed(at, value_e8)


cdef inline char* integer(char* at, uint64_t value) noexcept nogil:
    return at + store_integer(at, value)


cdef inline char* name(Encoder self, char* at, const char* plain, Py_ssize_t length) noexcept nogil:
    """A string without its quotes: printable ASCII, no quote, no backslash. Up to seven bytes behind it are overwritten."""
    cdef char* end = at + length
    cdef const char* last = plain + length - 8
    cdef uint64_t word = ZEROS, odd = 0
    if length < 1 or length > NAME_MAX:
        self.broken = True
        return at
    if length < 8:
        memcpy(&word, plain, length)
        memcpy(at, &word, 8)
    else:
        while plain < last:
            memcpy(&word, plain, 8)
            memcpy(at, &word, 8)
            odd |= unusual(word)
            plain += 8
            at += 8
        # The last eight bytes; they may overlap those before.
        memcpy(&word, last, 8)
        memcpy(end - 8, &word, 8)
    if odd | unusual(word):
        self.broken = True
    return end


cdef inline char* labelled(Encoder self, char* at, const char* label, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t i
    if length <= 0:
        return at
    if length > LABEL_MAX:
        self.broken = True
        return at
    at = text(at, b',"label":"')
    for i in range(length):
        if not LABEL_BYTE[<unsigned char> label[i]]:
            self.broken = True
        at[i] = label[i]
    return text(at + length, b'"')


cdef inline char* post_only(Encoder self, char* at, int flags) noexcept nogil:
    if flags & POST_ONLY:
        at = text(at, b',"post_only":true')
    if flags & REJECT_POST_ONLY:
        at = text(at, b',"reject_post_only":true')
        # The one is an option of the other.
        if not flags & POST_ONLY:
            self.broken = True
    return at


cdef class Encoder:
    """A buffer of ``capacity`` bytes for one request at a time; the largest mass quote needs about 70,000."""

    def __cinit__(self, Py_ssize_t capacity=1 << 17):
        if not REQUEST_BYTES_MAX <= capacity <= 1 << 20:
            raise ValueError(f"a request buffer has {REQUEST_BYTES_MAX} bytes to 1 MiB, not {capacity}")
        self.buffer_ = <char*> calloc(HEADROOM + capacity, 1)
        if self.buffer_ is NULL:
            raise MemoryError
        self.capacity = capacity
        self.at_ = self.text_c()
        self.end_ = self.at_ + capacity
        self.broken = True

    def __dealloc__(self):
        free(self.buffer_)

    cdef char* text_c(self) noexcept nogil:
        return self.buffer_ + HEADROOM

    cdef inline char* begin_c(self) noexcept nogil:
        """Where a request begins."""
        self.broken = False
        return self.text_c()

    cdef inline Py_ssize_t finish_c(self, char* at, uint64_t request_id) noexcept nogil:
        """Close a request; its size, or -1."""
        at = text(integer(text(at, b'},"id":'), request_id), b'}')
        self.quoting = False
        if self.broken:
            return -1
        self.broken = True
        return at - self.text_c()

    # -- orders --------------------------------------------------------------------------------------------------------

    cdef Py_ssize_t insert_c(self, uint64_t request_id, bint buy, const char* instrument, Py_ssize_t instrument_length,
                             int64_t price_e8, int64_t amount_e8, uint64_t client_order_id,
                             const char* label, Py_ssize_t label_length, int flags) noexcept nogil:
        """private/insert (6.1). A market order has no price and is immediate; post-only is for resting orders."""
        cdef char* at = self.begin_c()
        if buy:
            at = text(at, b'{"method":"private/insert","params":{"direction":"buy","instrument_name":"')
        else:
            at = text(at, b'{"method":"private/insert","params":{"direction":"sell","instrument_name":"')
        at = name(self, at, instrument, instrument_length)
        at = decimal(self, text(at, b'","amount":'), amount_e8)
        at = integer(text(at, b',"client_order_id":'), client_order_id)
        if flags & (MARKET_ORDER | IMMEDIATE_OR_CANCEL) and flags & (POST_ONLY | REJECT_POST_ONLY):
            self.broken = True
        if flags & MARKET_ORDER:
            at = text(labelled(self, at, label, label_length), b',"order_type":"market"')
        else:
            at = decimal(self, text(at, b',"price":'), price_e8)
            at = text(labelled(self, at, label, label_length), b',"order_type":"limit"')
        if flags & (MARKET_ORDER | IMMEDIATE_OR_CANCEL):
            at = text(at, b',"time_in_force":"immediate_or_cancel"')
        else:
            at = text(at, b',"time_in_force":"good_till_cancelled"')
        at = post_only(self, at, flags)
        if flags & REDUCE_ONLY:
            at = text(at, b',"reduce_only":true')
        return self.finish_c(at, request_id)

    cdef Py_ssize_t amend_c(self, uint64_t request_id, uint64_t client_order_id, int64_t price_e8,
                            int64_t amount_e8) noexcept nogil:
        """private/amend (6.2); ``amount_e8`` is the new total size."""
        cdef char* at = decimal(self, text(self.begin_c(), b'{"method":"private/amend","params":{"amount":'), amount_e8)
        at = decimal(self, text(at, b',"price":'), price_e8)
        at = integer(text(at, b',"client_order_id":'), client_order_id)
        return self.finish_c(at, request_id)

    cdef Py_ssize_t cancel_c(self, uint64_t request_id, uint64_t client_order_id) noexcept nogil:
        """private/cancel (6.3) of an order of this session."""
        cdef char* at = text(self.begin_c(), b'{"method":"private/cancel","params":{"client_order_id":')
        return self.finish_c(integer(at, client_order_id), request_id)

    cdef Py_ssize_t cancel_by_order_id_c(self, uint64_t request_id, const char* order_id,
                                         Py_ssize_t length) noexcept nogil:
        """private/cancel (6.3) by the venue's id."""
        cdef char* at = text(self.begin_c(), b'{"method":"private/cancel","params":{"order_id":"')
        return self.finish_c(text(name(self, at, order_id, length), b'"'), request_id)

    cdef Py_ssize_t simple_c(self, uint64_t request_id, const char* method, Py_ssize_t length) noexcept nogil:
        """A method without parameters, such as private/cancel_all."""
        cdef char* at = name(self, text(self.begin_c(), b'{"method":"'), method, length)
        return self.finish_c(text(at, b'","params":{'), request_id)

    # -- mass quotes ---------------------------------------------------------------------------------------------------

    cdef void quote_begin_c(self) noexcept nogil:
        """Begin private/mass_quote (7.1)."""
        self.at_ = text(self.begin_c(), b'{"method":"private/mass_quote","params":{"quotes":[')
        self.quoting = True
        self.entries = 0
        self.sides = 0

    cdef void quote_instrument_c(self, const char* instrument, Py_ssize_t length) noexcept nogil:
        """The next instrument; at most QUOTES_MAX, each with at least one side."""
        cdef char* at = self.at_
        if (not self.quoting or self.entries >= QUOTES_MAX or (self.entries and not self.sides)
                or self.end_ - at < ENTRY_BYTES):
            self.broken = True
            return
        if self.entries:
            at = text(at, b'},')
        at = name(self, text(at, b'{"i":"'), instrument, length)
        self.at_ = text(at, b'"')
        self.entries += 1
        self.sides = 0

    cdef void quote_side_c(self, bint buy, const int64_t* price_e8, const int64_t* amount_e8, int n) noexcept nogil:
        """One side of the instrument: ``n`` levels of distinct prices, at most LEVELS_MAX; none clears the side."""
        cdef int i, j
        cdef int side = 1 if buy else 2
        cdef Written* amount
        cdef char* at = self.at_
        if not self.quoting or not self.entries or self.sides & side or n < 0 or n > LEVELS_MAX:
            self.broken = True
            return
        self.sides |= side
        if self.end_ - at < n * LEVEL_BYTES_MAX + SIDE_BYTES:
            self.broken = True
            return
        at = text(at, b',"b":[') if buy else text(at, b',"a":[')
        for i in range(n):
            for j in range(i):
                if price_e8[j] == price_e8[i]:
                    self.broken = True
            if price_e8[i] <= 0 or amount_e8[i] <= 0:
                self.broken = True
                return
            at[0] = c'['
            at += 1 + store_price(at + 1, price_e8[i])
            at[0] = c','
            amount = &self.written_[side - 1][i]
            if amount.value_e8 != amount_e8[i]:
                amount.length = store_fixed(amount.text, amount_e8[i])
                amount.value_e8 = amount_e8[i]
            memcpy(at + 1, amount.text, E8_TEXT_MAX)
            at += 1 + amount.length
            memcpy(at, b'],', 2)
            at += 2
        # The comma behind the last level is none.
        at -= n > 0
        at[0] = c']'
        self.at_ = at + 1

    cdef Py_ssize_t quote_end_c(self, uint64_t request_id, const char* label, Py_ssize_t label_length,
                                int flags) noexcept nogil:
        """Close the request; only the two post-only flags have a meaning here, others are refused."""
        cdef char* at = self.at_
        if not self.quoting or not self.sides or flags & ~(POST_ONLY | REJECT_POST_ONLY) or self.end_ - at < END_BYTES:
            self.quoting = False
            self.broken = True
            return -1
        at = labelled(self, text(at, b'}]'), label, label_length)
        return self.finish_c(post_only(self, at, flags), request_id)

    # -- the same for Python: bytes, or ValueError ---------------------------------------------------------------------

    cdef bytes text_or_error(self, Py_ssize_t size):
        if size < 0:
            raise ValueError("the request cannot be written: check prices, amounts, names, label, flags and size")
        return self.text_c()[:size]

    def insert(self, uint64_t request_id, bint buy, bytes instrument, int64_t price_e8, int64_t amount_e8,
               uint64_t client_order_id, bytes label=b"", int flags=0):
        """private/insert as bytes; ValueError when it cannot be written."""
        return self.text_or_error(self.insert_c(request_id, buy, instrument, len(instrument), price_e8, amount_e8,
                                                client_order_id, label, len(label), flags))

    def amend(self, uint64_t request_id, uint64_t client_order_id, int64_t price_e8, int64_t amount_e8):
        """private/amend as bytes; ValueError when it cannot be written."""
        return self.text_or_error(self.amend_c(request_id, client_order_id, price_e8, amount_e8))

    def cancel(self, uint64_t request_id, uint64_t client_order_id):
        """private/cancel as bytes; ValueError when it cannot be written."""
        return self.text_or_error(self.cancel_c(request_id, client_order_id))

    def cancel_by_order_id(self, uint64_t request_id, bytes order_id):
        """private/cancel by the venue's id as bytes; ValueError when it cannot be written."""
        return self.text_or_error(self.cancel_by_order_id_c(request_id, order_id, len(order_id)))

    def simple(self, uint64_t request_id, bytes method):
        """A request without parameters as bytes; ValueError when it cannot be written."""
        return self.text_or_error(self.simple_c(request_id, method, len(method)))

    def mass_quote(self, uint64_t request_id, quotes, bytes label=b"", int flags=0):
        """private/mass_quote as bytes.

        ``quotes``: (instrument, bids, asks) with sides of (price_e8, amount_e8), None: left alone.
        """
        cdef int64_t[10] prices
        cdef int64_t[10] amounts
        cdef int i
        self.quote_begin_c()
        for instrument, bids, asks in quotes:
            self.quote_instrument_c(instrument, len(instrument))
            for buy, levels in ((True, bids), (False, asks)):
                if levels is None:
                    continue
                for i, (price, amount) in enumerate(levels[:LEVELS_MAX]):
                    prices[i] = price
                    amounts[i] = amount
                self.quote_side_c(buy, prices, amounts, len(levels))
        return self.text_or_error(self.quote_end_c(request_id, label, len(label), flags))

    def repeat_mass_quote(self, bytes instrument, int64_t price_e8, int64_t step_e8, int64_t amount_e8, int levels,
                          int n):
        """Encode a two-sided quote of ``levels`` levels ``n`` times, prices moving each time; bytes of the last. For
        benchmarks.
        """
        cdef int64_t[10] bids
        cdef int64_t[10] asks
        cdef int64_t[10] amounts
        cdef Py_ssize_t size = -1
        cdef const char* name = instrument
        cdef Py_ssize_t length = len(instrument)
        cdef int i, j
        if not 0 <= levels <= LEVELS_MAX:
            raise ValueError(f"a side has at most {LEVELS_MAX} levels, not {levels}")
        with nogil:
            for i in range(n):
                for j in range(levels):
                    bids[j] = price_e8 - step_e8 * (1 + j + (i & 7))
                    asks[j] = price_e8 + step_e8 * (1 + j + (i & 7))
                    amounts[j] = amount_e8
                self.quote_begin_c()
                self.quote_instrument_c(name, length)
                self.quote_side_c(True, bids, amounts, levels)
                self.quote_side_c(False, asks, amounts, levels)
                size = self.quote_end_c(<uint64_t> i, b"mm", 2, POST_ONLY)
        return size
