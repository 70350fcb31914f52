"""Every order that may still trade at the venue, as the core believes it. Owner: the core's thread.

A slot is taken before the first byte of its request is written and freed only by proof: a terminal report, a definitive rejection,
or the proven end of the session that held it. Until then its size counts.
"""

cimport cython
from libc.stdint cimport INT64_MAX, int16_t, int32_t, int64_t, uint16_t, uint64_t

from kernels.bytes cimport zero_lines

cdef extern from *:
    void fetch_line "__builtin_prefetch"(const void* line) noexcept nogil

cdef enum:
    LINE_BYTES = 64              # of the cache
    SLOT_BITS = 12
    SLOTS = 4096                 # all instruments; a client order id carries its slot in the low 12 bits
    SIDE_SLOTS = 64              # one side of one instrument: 10 levels live, 10 in flight, and room for late reports
    CLOSED_BUCKETS = 16384       # so that an id that did not end lately is nearly always known by an empty bucket
    REPEATS = 4                  # of one level, unexplained, at once: beyond that it is replaced instead
    CLOSED_MEMORY = 1024         # order ids that ended lately, so that a late report does not reopen them

cdef enum SlotState:
    SLOT_FREE = 0
    SLOT_PENDING = 1             # insert sent, no word yet
    SLOT_LIVE = 2
    SLOT_AMENDING = 3            # amend sent: old and new both possible
    SLOT_CANCELLING = 4          # cancel sent: still possible
    SLOT_UNKNOWN = 5             # its fate was lost: counts until proven
    SLOT_ENDED = 6               # over, and fills that its last state counted are still on their way

# What every decision looks at comes first, in a cache line of its own: ``slot_`` is aligned.
cdef struct Slot:
    int32_t state
    int32_t instrument
    int32_t side                 # +1 buy, -1 sell
    int32_t order_id_length      # 0: not told yet
    int16_t repeats              # of ``repeat``: each may have found the level traded and put it back whole
    int16_t stays                # 1: asked for in full again, the venue kept what is left of it
    int64_t price_ticks
    int64_t lots                 # original size
    int64_t filled_lots          # by the venue's word
    int64_t owed_lots            # of these not booked yet: an answer counts fills that only a report shows
    int64_t amend_lots           # AMENDING: the original size and price asked for
    int64_t amend_ticks
    int64_t sent_ns              # of the last request about it
    int64_t missed_ns            # when the venue first said that it does not know the order; 0: never
    uint64_t client_order_id
    uint64_t request             # hot request number that last touched it
    uint64_t placed              # mass quote that asked for it
    int32_t level                # index in the ladder, orders mode
    int32_t quote                # 1: level of a mass quote
    int32_t put_back             # 1: stands for a level that ended and that one of its repeats may have put back
    int32_t amends_told          # amends that session.orders has reported
    int32_t amends_answered      # and that their replies have
    # A new order has none of these, whatever is left here of the one before: only as many count as their numbers above say.
    uint64_t repeat[4]           # mass quotes that repeated this level, oldest first, and whose reports may still be on their way
    char order_id[40]
    char unused[56]              # whole cache lines


# One side of an instrument as a decision finds it; the decision itself changes none of it before its request is planned.
cdef struct Standing:
    int64_t exposure_lots        # that may still trade: ``exposure_c``
    int64_t firm_lots            # of orders that are live, what is left of them
    int32_t count                # orders
    int32_t alive                # of these, how many rest or are on their way to


cdef inline int64_t worst_lots(const Slot* slot) noexcept nogil:
    """Lots that the order in a slot may still trade, in the worst of the cases that are possible."""
    cdef int64_t worst = slot.lots
    if slot.amend_lots > worst and slot.state != SLOT_PENDING:
        worst = slot.amend_lots
    worst += slot.owed_lots - slot.filled_lots
    return (worst if worst > 0 else 0) + slot.repeats * slot.lots


@cython.final
cdef class OrderTable:
    cdef readonly int32_t instruments
    cdef readonly int32_t used
    cdef readonly uint64_t next_client_number
    cdef readonly uint64_t adopted        # orders of this session that no request of ours explains
    cdef readonly uint64_t late           # reports on orders that had already ended
    cdef Slot* slot_
    cdef char* memory_                    # of the slots, from which they are aligned
    cdef int32_t* free_
    cdef int32_t* side_slot_              # [instrument][side 0 buy, 1 sell][SIDE_SLOTS]
    cdef int32_t* side_count_
    cdef uint64_t* closed_                # a ring of hashes
    cdef uint16_t* closed_count_          # of them, by their low bits
    cdef int32_t closed_head

    cdef inline int32_t count_c(self, int32_t instrument, int32_t side) noexcept nogil:
        return self.side_count_[instrument * 2 + (1 if side < 0 else 0)]

    # Valid until an order of the side is opened or closed.
    cdef inline const int32_t* slots_c(self, int32_t instrument, int32_t side) noexcept nogil:
        return self.side_slot_ + (instrument * 2 + (1 if side < 0 else 0)) * SIDE_SLOTS

    cdef inline int32_t at_c(self, int32_t instrument, int32_t side, int32_t i) noexcept nogil:
        return self.side_slot_[(instrument * 2 + (1 if side < 0 else 0)) * SIDE_SLOTS + i]

    cdef inline int32_t open_c(self, int32_t instrument, int32_t side, int64_t price_ticks, int64_t lots, int64_t now_ns) noexcept nogil:
        """Take a slot for an order about to be sent; -1 when a bound is reached (then nothing may be sent)."""
        cdef int32_t index, used = self.used, key = instrument * 2 + (1 if side < 0 else 0)
        cdef int32_t* count = &self.side_count_[key]
        cdef int32_t* last = self.side_slot_ + key * SIDE_SLOTS + count[0]
        cdef Slot* slot
        if used >= SLOTS or count[0] >= SIDE_SLOTS:
            return -1
        index = self.free_[SLOTS - 1 - used]
        last[0] = index
        count[0] += 1
        self.used = used + 1
        slot = &self.slot_[index]
        zero_lines(slot, <int>((<char*>slot.repeat - <char*>slot + LINE_BYTES - 1) // LINE_BYTES))
        slot.state = SLOT_PENDING
        slot.instrument = instrument
        slot.side = side
        slot.price_ticks = price_ticks
        slot.lots = lots
        slot.sent_ns = now_ns
        # The number never repeats in the life of the table, so a client order id is unique although slots are reused.
        slot.client_order_id = (self.next_client_number << SLOT_BITS) | <uint64_t>index
        self.next_client_number += 1
        return index

    cdef void close_c(self, int32_t slot) noexcept nogil
    cdef void owe_c(self, int32_t index, int64_t now_ns) noexcept nogil
    cdef void end_c(self, int32_t slot) noexcept nogil
    cdef bint repeat_c(self, int32_t slot, uint64_t request) noexcept nogil
    cdef void unrepeat_c(self, int32_t slot, uint64_t request) noexcept nogil
    cdef void explain_c(self, int32_t instrument, uint64_t before) noexcept nogil
    cdef inline int64_t exposure_of_c(self, int32_t index) noexcept nogil:
        """Lots this order may still trade, in the worst of the cases that are possible."""
        return 0 if self.slot_[index].state == SLOT_FREE else worst_lots(&self.slot_[index])

    cdef inline int64_t exposure_c(self, int32_t instrument, int32_t side) noexcept nogil:
        """Lots that one side of an instrument may still trade: live, in flight and unknown together."""
        cdef int32_t i
        cdef int64_t total = 0
        for i in range(self.count_c(instrument, side)):
            total += self.exposure_of_c(self.at_c(instrument, side, i))
        return total

    cdef inline void fetch_c(self, int32_t instrument) noexcept nogil:
        """Ask for the memory that a decision on an instrument begins with: it comes while its book is brought up to date."""
        cdef int32_t side, i
        for side in range(1, -2, -2):
            for i in range(self.count_c(instrument, side)):
                fetch_line(&self.slot_[self.at_c(instrument, side, i)])

    cdef inline void survey_c(self, int32_t instrument, int32_t side, Standing* standing, int64_t* ticks, int64_t* lots) noexcept nogil:
        """What stands on a side, and of each order the price and the lots that are left, in one pass. Room for SIDE_SLOTS each."""
        cdef int32_t key = instrument * 2 + (1 if side < 0 else 0)
        cdef int32_t i, count = self.side_count_[key], alive = 0
        cdef const int32_t* slots = self.slots_c(instrument, side)
        cdef int64_t exposure = 0, firm = 0, left
        cdef Slot* slot
        for i in range(count):
            slot = &self.slot_[slots[i]]
            left = slot.lots - slot.filled_lots
            ticks[i] = slot.price_ticks
            lots[i] = left
            exposure += worst_lots(slot)
            if slot.state == SLOT_LIVE:
                firm += left
            alive += slot.state == SLOT_LIVE or slot.state == SLOT_PENDING
        standing.exposure_lots = exposure
        standing.firm_lots = firm
        standing.count = count
        standing.alive = alive

    cdef int32_t by_client_id_c(self, uint64_t client_order_id) noexcept nogil
    cdef int32_t by_order_id_c(self, int32_t instrument, int32_t side, const char* order_id, int32_t length) noexcept nogil
    cdef int32_t pending_at_c(self, int32_t instrument, int32_t side, int64_t price_ticks, int64_t lots) noexcept nogil
    cdef void note_closed_c(self, const char* order_id, int32_t length) noexcept nogil
    cdef bint closed_lately_c(self, const char* order_id, int32_t length) noexcept nogil
    cdef inline int64_t best_c(self, int32_t instrument, int32_t side) noexcept nogil:
        """Most aggressive price that an own order of a side may have: highest bid (0: none), lowest ask (INT64_MAX: none)."""
        cdef int64_t best = 0 if side > 0 else INT64_MAX
        cdef int32_t i
        cdef const int32_t* slots = self.slots_c(instrument, side)
        cdef const Slot* slot
        for i in range(self.count_c(instrument, side)):
            slot = &self.slot_[slots[i]]
            if side > 0:
                best = max(best, slot.price_ticks)
                if slot.amend_lots:
                    best = max(best, slot.amend_ticks)
            else:
                best = min(best, slot.price_ticks)
                if slot.amend_lots:
                    best = min(best, slot.amend_ticks)
        return best

    cdef int32_t unsettled_c(self, int32_t instrument, int32_t side) noexcept nogil
    cdef void forget_all_c(self) noexcept nogil
    cdef void forget_before_c(self, uint64_t request) noexcept nogil
    cdef void doubt_all_c(self) noexcept nogil
