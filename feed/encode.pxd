"""Trading requests as JSON bytes in a preallocated buffer, with headroom for the websocket header."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    HEADROOM = 16             # the transport writes the frame header in front of the text (it needs 14)

cdef enum InsertFlag:
    POST_ONLY = 1
    REJECT_POST_ONLY = 2
    REDUCE_ONLY = 4
    IMMEDIATE_OR_CANCEL = 8
    MARKET_ORDER = 16

# A number and its text.
cdef struct Written:
    int64_t value_e8          # 0: none yet
    Py_ssize_t length
    char text[24]             # E8_TEXT_MAX


# Every method returns the size of the text at ``text_c()``, or -1 (nothing usable in the buffer): amounts and prices
# must be positive (a quote side's amounts too), names plain, and the text must fit.
@cython.final
cdef class Encoder:
    cdef char* buffer_
    cdef Py_ssize_t capacity
    cdef char* at_            # inside a mass quote: behind what is written
    cdef char* end_           # of the room for text
    cdef bint broken
    cdef bint quoting         # inside a mass quote
    cdef int entries          # its instruments
    cdef int sides            # of the last instrument: 1 bids, 2 asks
    cdef Written written_[2][10]      # amounts by side and level: they are mostly those of the quote before

    cdef bytes text_or_error(self, Py_ssize_t size)

    cdef char* text_c(self) noexcept nogil
    cdef char* begin_c(self) noexcept nogil
    cdef Py_ssize_t finish_c(self, char* at, uint64_t request_id) noexcept nogil
    cdef Py_ssize_t insert_c(self, uint64_t request_id, bint buy, const char* instrument, Py_ssize_t instrument_length,
                             int64_t price_e8, int64_t amount_e8, uint64_t client_order_id,
                             const char* label, Py_ssize_t label_length, int flags) noexcept nogil
    cdef Py_ssize_t amend_c(self, uint64_t request_id, uint64_t client_order_id, int64_t price_e8,
                            int64_t amount_e8) noexcept nogil
    cdef Py_ssize_t cancel_c(self, uint64_t request_id, uint64_t client_order_id) noexcept nogil
    cdef Py_ssize_t cancel_by_order_id_c(self, uint64_t request_id, const char* order_id,
                                         Py_ssize_t length) noexcept nogil
    # params {}
    cdef Py_ssize_t simple_c(self, uint64_t request_id, const char* method, Py_ssize_t length) noexcept nogil
    # mass_quote: begin, then for each instrument quote_instrument_c and one or both sides (n = 0 clears the side), then
    # end.
    cdef void quote_begin_c(self) noexcept nogil
    cdef void quote_instrument_c(self, const char* instrument, Py_ssize_t length) noexcept nogil
    cdef void quote_side_c(self, bint buy, const int64_t* price_e8, const int64_t* amount_e8, int n) noexcept nogil
    cdef Py_ssize_t quote_end_c(self, uint64_t request_id, const char* label, Py_ssize_t label_length,
                                int flags) noexcept nogil
