"""Where a tick's time goes: stages that the code on its way names, and a sink that may note when they ended.

Nothing here reads a clock. What is handed on never comes back: a handler without stamps (replay, simulation) makes the
same decisions and the same bytes. Between two ticks that are noted, a stage costs the look at ``armed``.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef enum Stage:
    STAGE_FRAME = 0       # frame rules, UTF-8, putting fragments together; waiting for the others of the same read
    STAGE_JOURNAL = 1     # copies of inputs and outputs into the journal's ring
    STAGE_DECODE = 2
    STAGE_BOOK = 3        # what a message changes: book, references, orders, positions
    STAGE_SIGNALS = 4     # the market without own orders, monitors, what the model is given
    STAGE_MODEL = 5       # reservation price, spreads, ladder
    STAGE_RISK = 6        # comparison with what rests, the gate
    STAGE_ENCODE = 7      # slots and text
    STAGE_WRITE = 8       # message budget, masking, the kernel (or TLS) has the bytes
    STAGES = 9

cdef struct Stamps:
    bint armed                                                          # this tick is noted
    int64_t cold                                                        # messages of this read for the slow decoder
    void (*lap)(Stamps*, int32_t stage) noexcept nogil                  # what passed since the last lap was ``stage``
    void (*sent)(Stamps*, uint64_t request) noexcept nogil              # handed to the transport
    void (*answered)(Stamps*, uint64_t request, int32_t kind) noexcept nogil
    void (*told)(Stamps*, double time_s) noexcept nogil                 # a message bears this time of the exchange
    void (*created)(Stamps*, uint64_t request, double time_s) noexcept nogil    # an order's birth, by the exchange

# Owns Stamps for as long as it lives; who holds the pointer holds the object.
cdef class Stamper:
    cdef Stamps* stamps_c(self) noexcept nogil

cdef inline void lap_c(Stamps* stamps, int32_t stage) noexcept nogil:
    if stamps != NULL and stamps.armed:
        stamps.lap(stamps, stage)

cdef inline void sent_c(Stamps* stamps, uint64_t request) noexcept nogil:
    if stamps != NULL:
        stamps.sent(stamps, request)

cdef inline void answered_c(Stamps* stamps, uint64_t request, int32_t kind) noexcept nogil:
    if stamps != NULL:
        stamps.answered(stamps, request, kind)

cdef inline void told_c(Stamps* stamps, double time_s) noexcept nogil:
    if stamps != NULL and stamps.armed:
        stamps.told(stamps, time_s)

cdef inline void created_c(Stamps* stamps, uint64_t request, double time_s) noexcept nogil:
    if stamps != NULL:
        stamps.created(stamps, request, time_s)

cdef inline void cold_c(Stamps* stamps) noexcept nogil:
    if stamps != NULL:
        stamps.cold += 1
