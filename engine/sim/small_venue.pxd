"""A venue of one instrument, small and truthful. Owner: the trial that drives it."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from engine.sim.ask cimport Ask
from feed.events cimport Fill, OrderUpdate, Reply
from feed.frames cimport Sink

cdef enum:
    HELD = 64                # orders it can hold
    WIRE = 256               # requests, notifications and replies under way
    GRID_E8 = 100000000      # one tick, one lot

cdef struct Held:            # an order
    bint open
    bint quote
    int32_t side
    int64_t price
    int64_t lots
    int64_t filled
    uint64_t client_id       # 0: none
    uint64_t id
    int64_t epoch            # of the last request that asked for it as it is

cdef struct Note:            # one order's change, as session.orders tells it
    OrderUpdate update
    Fill fill
    int64_t due_ns           # delivered before this

cdef struct Answer:
    Reply reply
    OrderUpdate update
    int64_t told             # notifications that were sent up to its execution

cdef class SmallVenue(Sink):
    cdef uint64_t random
    cdef bint connected
    cdef bint blocked        # takes no bytes
    cdef bint calm           # nothing goes wrong any more
    cdef int64_t position
    cdef int64_t epoch       # not 0: the client may only reduce
    # How it reads what the protocol leaves open.
    cdef bint same_amount    # a level is identical by its original amount, not by what remains
    cdef bint error_keeps    # a failing level leaves its side as it was
    cdef bint error_whole    # missing protection refuses the call
    cdef int32_t refuse_next  # by hand: with this error
    cdef int64_t fail_ticks  # and a level at this price
    cdef bint armed
    cdef int64_t protection  # lots that quotes may trade until protection fires
    cdef Held[64] held
    cdef Ask[256] wire
    cdef Note[256] notes
    cdef Answer[256] answers
    cdef int32_t wire_head, wire_count, note_head, note_count, answer_count
    cdef int64_t told        # notifications so far
    cdef uint64_t next_id, next_trade
    cdef readonly int64_t asked, executed, refused, fills, kept, failed, lost, trips, flips

    cdef void begin_c(self, int64_t position) noexcept nogil
    cdef void execute_c(self) noexcept nogil
    cdef void trade_c(self, Held* order, bint whole) noexcept nogil
    cdef void fill_c(self, Held* order, int64_t lots) noexcept nogil
    cdef void sweep_c(self, int32_t side) noexcept nogil
    cdef void remove_c(self, Held* order, int32_t reason) noexcept nogil
    cdef void refill_c(self) noexcept nogil
    cdef void drop_c(self) noexcept nogil
    cdef void settled_by_c(self, int64_t told, int64_t due_ns) noexcept nogil
    cdef void take_answer_c(self, int32_t i, Answer* answer) noexcept nogil
    cdef void take_note_c(self, Note* note) noexcept nogil
    cdef int64_t open_c(self, int32_t side) noexcept nogil
    cdef int64_t best_c(self, int32_t side) noexcept nogil
    cdef int64_t chance_c(self, int64_t bound) noexcept nogil
    cdef bint unlucky_c(self, int64_t one_in) noexcept nogil
    cdef bint full_c(self) noexcept nogil
    cdef Ask* post_c(self, int32_t kind) noexcept nogil
    cdef Note* tell_c(self, Held* order, int32_t status, int32_t change, int32_t reason) noexcept nogil
    cdef Answer* answer_c(self, Ask* ask, int32_t kind) noexcept nogil
    cdef void refuse_c(self, Ask* ask, int32_t code) noexcept nogil
    cdef Held* hold_c(self, Ask* ask, int32_t side, int64_t price, int64_t lots) noexcept nogil
    cdef Held* find_c(self, Ask* ask) noexcept nogil
    cdef void perform_c(self, Ask* ask) noexcept nogil
    cdef void end_session_c(self, Ask* ask) noexcept nogil
    cdef void quote_c(self, Ask* ask) noexcept nogil
    cdef void insert_c(self, Ask* ask) noexcept nogil
    cdef void amend_c(self, Ask* ask) noexcept nogil
    cdef void cancel_c(self, Ask* ask) noexcept nogil
