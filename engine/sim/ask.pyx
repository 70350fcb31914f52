"""Reads the trading requests that ``feed.encode`` writes, with a grid of whole numbers, and nothing else."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport strtoll, strtoull
from libc.string cimport memcpy, strstr

cdef enum:
    TEXT_MAX = 4096
    METHOD_AT = 19           # {"method":"private/


cdef inline int64_t after(const char* text, const char* key) noexcept nogil:
    """The whole number behind a key; -1 when the key is not there."""
    cdef const char* found = strstr(text, key)
    cdef int64_t i = 0
    if found == NULL:
        return -1
    while key[i]:
        i += 1
    return strtoll(found + i, NULL, 10)


cdef int32_t levels_c(const char* text, const char* key, int64_t* price, int64_t* lots) noexcept nogil:
    """Levels of one side of a mass quote; -1: the side is left out."""
    cdef const char* at = strstr(text, key)
    cdef char* end
    cdef int32_t n = 0
    if at == NULL:
        return -1
    at += 5
    while at[0] == c'[':
        price[n] = strtoll(at + 1, &end, 10)
        lots[n] = strtoll(end + 1, &end, 10)
        n += 1
        at = end + 1
        if at[0] == c',':
            at += 1
    return n


cdef void parse_c(const char* text, Py_ssize_t size, Ask* ask) noexcept nogil:
    """Fill in what the text says; epoch and refills are the caller's."""
    cdef char[4096] copy
    cdef const char* order_id
    if size >= TEXT_MAX:
        return
    memcpy(copy, text, size)
    copy[size] = 0
    ask.id = <uint64_t>after(copy, b'"id":')
    if strstr(copy, b'cancel_session') != NULL:
        ask.kind = ASKED_SESSION
        return
    if copy[METHOD_AT] == c'm':
        ask.kind = ASKED_MASS_QUOTE
        ask.count[0] = levels_c(copy, b'"b":[', ask.price, ask.lots)
        ask.count[1] = levels_c(copy, b'"a":[', ask.price + LEVELS, ask.lots + LEVELS)
        return
    ask.kind = ASKED_INSERT if copy[METHOD_AT] == c'i' else ASKED_AMEND if copy[METHOD_AT] == c'a' else ASKED_CANCEL
    ask.count[0 if strstr(copy, b'"direction":"buy"') != NULL else 1] = 1
    ask.price[0] = after(copy, b'"price":')
    ask.lots[0] = after(copy, b'"amount":')
    order_id = strstr(copy, b'"order_id":"')
    if order_id != NULL:
        ask.order_id = strtoull(order_id + 12, NULL, 16)
    else:
        ask.client_id = <uint64_t>after(copy, b'"client_order_id":')
