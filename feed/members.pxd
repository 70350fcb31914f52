"""JSON objects by table: which members are known, what their values must be, and where they go in a C record."""

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    TEXT_MAX = 32             # bytes of a member's name with quote and colon, and of a word
    MEMBERS_MAX = 40          # rows of a table; a row is a bit of a 64-bit mask

# What a member's value must be. Whatever it is not sends the frame to the slow decoder, which judges it.
cdef enum Value:
    VALUE_SLOW = 0            # the member itself is for the slow decoder
    # Numbers.
    VALUE_PRICE = 1           # int64 of 1e-8, positive
    VALUE_AMOUNT = 2          # int64 of 1e-8, not negative
    VALUE_SIGNED = 3          # int64 of 1e-8
    VALUE_DOUBLE = 4
    VALUE_POSITIVE = 5        # double
    VALUE_TIME = 6            # double, seconds since 1970
    VALUE_UINT64 = 7
    VALUE_INT32 = 8           # not negative
    VALUE_NUMBER = 9          # not kept
    VALUE_EXACT = 10          # of 1e-8, not kept
    # Strings.
    VALUE_TEXT = 11           # not kept
    VALUE_ID = 12             # char[ID_MAX] at ``offset``, its int32 length at ``offset2``
    VALUE_INSTRUMENT = 13     # index in the table of instruments, -1: not one of ours
    VALUE_UNDERLYING = 14
    VALUE_WORD = 15           # code of one of ``words``, ``other`` for a word not among them
    VALUE_KNOWN_WORD = 16     # the same; another word goes the slow way
    VALUE_HAS_WORD = 17       # a word whose code is or-ed into ``has``
    # Others.
    VALUE_TRIPLE = 18         # [price, amount, outright] into three int64
    VALUE_FILLS = 19
    VALUE_TRADES = 20
    VALUE_BIDS = 21
    VALUE_ASKS = 22
    VALUE_ERRORS = 23         # of a mass quote
    VALUE_FLAG = 24           # true sets the bits of ``other`` in ``has``

cdef struct Word:
    char text[32]             # TEXT_MAX
    int32_t length
    int32_t code

cdef struct Member:
    # The name with closing quote and colon, as words: bytes 0-7 (under ``mask``), 8-15, 16-23, and the last eight.
    uint64_t head
    uint64_t mask
    uint64_t second
    uint64_t third
    uint64_t tail
    int32_t length
    int32_t value
    int32_t has
    int32_t other
    int32_t offset
    int32_t offset2
    int32_t words_count
    Word* words

cdef struct Table:
    Member member[40]         # MEMBERS_MAX
    int32_t count
    uint64_t required         # bits of the rows that must be there and not null

# Two members that set one bit of ``has`` together.
cdef struct Pair:
    uint64_t rows
    uint32_t has

cdef enum:
    TICKER_PAIRS_COUNT = 4

cdef Table TICKER, LWT, BOOK, ORDER, FILL, POSITION, INDEX, MASS_QUOTE, QUOTE_ERROR, ERROR, OTHER_RESULT, TAIL
cdef Pair TICKER_PAIRS[4]

cdef int build(Table* table, list rows) except -1


cdef inline bint is_member(const Member* member, uint64_t head, const char* at, const char* end) noexcept nogil:
    """Is the name at ``at``, whose first eight bytes are ``head``, this member's?"""
    cdef uint64_t word
    if (head ^ member.head) & member.mask:
        return False
    if member.length <= 8:
        return True
    if end - at < member.length:
        return False
    memcpy(&word, at + member.length - 8, 8)
    if word != member.tail:
        return False
    if member.length > 16:
        memcpy(&word, at + 8, 8)
        if word != member.second:
            return False
    if member.length > 24:
        memcpy(&word, at + 16, 8)
        if word != member.third:
            return False
    return True


cdef inline int row_of(const Table* table, int first, uint64_t head, const char* at, const char* end) noexcept nogil:
    """The row whose name is at ``at``, tried from row ``first`` around the table, or -1."""
    cdef int _, row = first
    for _ in range(table.count):
        if is_member(&table.member[row], head, at, end):
            return row
        row = row + 1 if row + 1 < table.count else 0
    return -1
