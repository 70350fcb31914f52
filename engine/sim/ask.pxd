"""A trading request as a small venue reads it."""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum:
    LEVELS = 10

cdef enum Asked:
    ASKED_MASS_QUOTE = 0
    ASKED_INSERT = 1
    ASKED_AMEND = 2
    ASKED_CANCEL = 3
    ASKED_REFILL = 4         # set_mm_protection
    ASKED_SESSION = 5        # cancel_session

cdef struct Ask:             # a request under way
    int32_t kind
    uint64_t id
    uint64_t client_id       # of a single order; 0: named by order_id
    uint64_t order_id
    int64_t epoch
    int32_t count[2]         # levels a side, buy first; -1: the side is left out
    int64_t price[20]        # [side][LEVELS]
    int64_t lots[20]

cdef void parse_c(const char* text, Py_ssize_t size, Ask* ask) noexcept nogil
