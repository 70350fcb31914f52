"""JSON objects by table: which members are known, what their values must be, and where they go in a C record."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from kernels.cursor cimport begins

cdef enum:
    TEXT_MAX = 32             # bytes of a member's name with quotes and colon, and of a word
    MEMBERS_MAX = 40          # rows of a table; a row is a bit of a 64-bit mask
    TIME_MAX_S = 100000000000   # seconds of the year 5138; milliseconds are above it

# What a member's value must be. Whatever it is not sends the frame to the slow decoder, which judges it.
cdef enum Value:
    VALUE_SLOW = 0            # the member itself is for the slow decoder
    # Numbers.
    VALUE_PRICE = 1           # int64 of 1e-8, positive
    VALUE_AMOUNT = 2          # int64 of 1e-8, not negative
    VALUE_SIGNED = 3          # int64 of 1e-8
    VALUE_DOUBLE = 4
    VALUE_POSITIVE = 5        # double
    VALUE_TIME = 6            # double, seconds since 1970, below TIME_MAX_S
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
    char key[32]              # TEXT_MAX: the name with its quotes and colon, zeros behind
    uint32_t bits             # one for each byte of it
    int32_t length
    int32_t value
    int32_t offset
    int64_t least             # of a number in fixed point
    double low                # bounds of a double, both allowed
    double high
    int32_t has
    int32_t other
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


cdef inline bint is_member(const Member* member, const char* at, const char* end) noexcept nogil:
    """Is the name whose opening quote is at ``at`` this member's?"""
    return begins(at, end, member.key, member.bits, member.length)


cdef inline int row_of(const Table* table, int first, const char* at, const char* end) noexcept nogil:
    """The row whose name is at ``at``, tried from row ``first`` around the table, or -1."""
    cdef int _, row = first
    for _ in range(table.count):
        if is_member(&table.member[row], at, end):
            return row
        row = row + 1 if row + 1 < table.count else 0
    return -1
