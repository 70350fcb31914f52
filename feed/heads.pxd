"""How notifications begin, kept from the last ones: ``name","notification":``, and what the channel of that name means.

The same bytes mean the same channel, because a table of channels only ever grows: a kept head saves the scan of its name and
the look-up. Owner: the thread that decodes.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcmp, memcpy

from feed.symbols cimport SymbolTable
from kernels.cursor cimport literal, string_end

cdef enum:
    HEADS = 64                # kept at once, by a hash of HASHED bytes
    HASHED = 16
    HEAD_BYTES = 116          # the longest name, and what follows it

cdef struct Head:
    int32_t length            # 0: none
    int32_t value             # of the channel
    char text[116]            # HEAD_BYTES


cdef inline Head* head_of(Head* heads, const char* at) noexcept nogil:
    """Where a head is kept. DANGER: reads HASHED bytes."""
    cdef uint64_t one, other
    memcpy(&one, at, 8)
    memcpy(&other, at + 8, 8)
    return &heads[((one * 0x9E3779B97F4A7C15ULL) ^ (other * 0xD6E8FEB86659FD93ULL)) >> 58]


cdef inline const char* read_head(Head* heads, SymbolTable channels, const char* at, const char* end, int32_t* value) noexcept nogil:
    """Behind a channel's name from its first byte on, and the name of the member that follows; NULL for another form or
    a channel that is not in the table.
    """
    cdef const char* begin = at
    cdef const char* stop
    cdef Head* head
    if end - at <= HEAD_BYTES:
        head = NULL
    else:
        head = head_of(heads, at)
        if head.length and memcmp(at, head.text, head.length) == 0:
            value[0] = head.value
            return at + head.length
    stop = string_end(at, end)
    if stop is NULL:
        return NULL
    value[0] = channels.find_c(at, stop - at)
    at = literal(stop, end, b'","notification":')
    if value[0] < 0 or at is NULL:
        return NULL
    if head is not NULL and at - begin <= HEAD_BYTES:
        head.value = value[0]
        head.length = <int32_t> (at - begin)
        memcpy(head.text, begin, head.length)
    return at
