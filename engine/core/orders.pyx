"""Order table: slots, look-ups and the exposure that they may still become."""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

STATES = {
    SLOT_FREE: "free", SLOT_PENDING: "pending", SLOT_LIVE: "live",
    SLOT_AMENDING: "amending", SLOT_CANCELLING: "cancelling", SLOT_UNKNOWN: "unknown", SLOT_ENDED: "ended",
}

cdef uint64_t _hash(const char* text, int32_t length) noexcept nogil:
    """FNV-1a, 64 bit; order ids are opaque strings (protocol section 3)."""
    cdef uint64_t value = 14695981039346656037ULL
    cdef int32_t i
    for i in range(length):
        value = (value ^ <unsigned char>text[i]) * 1099511628211ULL
    return value


cdef class OrderTable:
    """Slots of all orders that may still trade.

    ``instruments``: how many instruments are quoted. Raises MemoryError when the table cannot be allocated.
    """

    def __cinit__(self, int32_t instruments):
        cdef int32_t i
        self.instruments = instruments
        self.memory_ = <char*>calloc(SLOTS + 1, sizeof(Slot))
        self.slot_ = <Slot*>(self.memory_ + (-<size_t>self.memory_) % sizeof(Slot))
        self.free_ = <int32_t*>calloc(SLOTS, sizeof(int32_t))
        self.side_slot_ = <int32_t*>calloc(instruments * 2 * SIDE_SLOTS, sizeof(int32_t))
        self.side_count_ = <int32_t*>calloc(instruments * 2, sizeof(int32_t))
        self.closed_ = <uint64_t*>calloc(CLOSED_MEMORY, sizeof(uint64_t))
        self.closed_count_ = <uint16_t*>calloc(CLOSED_BUCKETS, sizeof(uint16_t))
        if not (self.memory_ and self.free_ and self.side_slot_ and self.side_count_ and self.closed_ and self.closed_count_):
            raise MemoryError("order table")
        for i in range(SLOTS):
            self.free_[i] = SLOTS - 1 - i
        self.next_client_number = 1

    def __dealloc__(self):
        free(self.memory_)
        free(self.free_)
        free(self.side_slot_)
        free(self.side_count_)
        free(self.closed_)
        free(self.closed_count_)

    cdef void close_c(self, int32_t index) noexcept nogil:
        """Free a slot whose order is proven to be over, and remember its order id."""
        cdef Slot* slot = &self.slot_[index]
        cdef int32_t key = slot.instrument * 2 + (1 if slot.side < 0 else 0)
        cdef int32_t i, count = self.side_count_[key]
        cdef int32_t* slots = self.side_slot_ + key * SIDE_SLOTS
        if slot.state == SLOT_FREE:
            return
        if slot.order_id_length:
            self.note_closed_c(slot.order_id, slot.order_id_length)
        slot.state = SLOT_FREE
        for i in range(count):
            if slots[i] == index:
                slots[i] = slots[count - 1]
                self.side_count_[key] = count - 1
                break
        self.used -= 1
        self.free_[SLOTS - 1 - self.used] = index

    cdef void end_c(self, int32_t index) noexcept nogil:
        """The venue reports the end of an order.

        A mass quote that repeats the level puts it back whole if the order ended first: until its reports must have arrived, such
        an order counts, once for every repeat that may have found the one before it traded.
        """
        cdef Slot* slot = &self.slot_[index]
        if slot.repeats == 0:
            self.close_c(index)
            return
        self.note_closed_c(slot.order_id, slot.order_id_length)
        self.unrepeat_c(index, slot.repeat[0])
        if slot.state == SLOT_LIVE:
            slot.state = SLOT_PENDING
        slot.order_id_length = 0
        slot.filled_lots = slot.owed_lots = 0
        slot.put_back = 1

    cdef bint repeat_c(self, int32_t index, uint64_t request) noexcept nogil:
        """A mass quote repeats the level; False when there are too many such already."""
        cdef Slot* slot = &self.slot_[index]
        if slot.repeats == REPEATS:
            return False
        slot.repeat[slot.repeats] = request
        slot.repeats += 1
        return True

    cdef void unrepeat_c(self, int32_t index, uint64_t request) noexcept nogil:
        """That mass quote came to nothing, or its repeat is used up."""
        cdef Slot* slot = &self.slot_[index]
        cdef int32_t i, kept = 0
        for i in range(slot.repeats):
            if slot.repeat[i] != request:
                slot.repeat[kept] = slot.repeat[i]
                kept += 1
        slot.repeats = kept

    cdef void explain_c(self, int32_t instrument, uint64_t before) noexcept nogil:
        """Everything that mass quotes before this one did has been reported: what they repeated is what is known of it."""
        cdef int32_t side, i, first
        cdef Slot* slot
        for side in range(1, -2, -2):
            for i in range(self.count_c(instrument, side)):
                slot = &self.slot_[self.at_c(instrument, side, i)]
                # Oldest first.
                while slot.repeats and slot.repeat[0] < before:
                    slot.repeats -= 1
                    for first in range(slot.repeats):
                        slot.repeat[first] = slot.repeat[first + 1]

    cdef void owe_c(self, int32_t index, int64_t now_ns) noexcept nogil:
        """The order is over, but what it has traded is not yet in the position: until it is, it counts as open."""
        cdef Slot* slot = &self.slot_[index]
        self.note_closed_c(slot.order_id, slot.order_id_length)
        slot.state = SLOT_ENDED
        slot.lots = slot.filled_lots
        slot.amend_lots = 0
        slot.sent_ns = now_ns

    cdef int32_t by_client_id_c(self, uint64_t client_order_id) noexcept nogil:
        """Slot of a client order id of ours, or -1."""
        cdef int32_t index = <int32_t>(client_order_id & (SLOTS - 1))
        if self.slot_[index].state != SLOT_FREE and self.slot_[index].client_order_id == client_order_id:
            return index
        return -1

    cdef int32_t by_order_id_c(self, int32_t instrument, int32_t side, const char* order_id, int32_t length) noexcept nogil:
        """Slot of a venue order id on one side, or -1."""
        cdef int32_t i, index
        for i in range(self.count_c(instrument, side)):
            index = self.at_c(instrument, side, i)
            if self.slot_[index].order_id_length == length and memcmp(self.slot_[index].order_id, order_id, length) == 0:
                return index
        return -1

    cdef int32_t pending_at_c(self, int32_t instrument, int32_t side, int64_t price_ticks, int64_t lots) noexcept nogil:
        """Oldest quote level in flight with exactly this price and size, or -1: a first report names neither request nor level.

        Reports come in the order of execution, and client order ids rise with every slot taken.
        """
        cdef int32_t i, index, found = -1
        cdef Slot* slot
        for i in range(self.count_c(instrument, side)):
            index = self.at_c(instrument, side, i)
            slot = &self.slot_[index]
            if (slot.quote and slot.order_id_length == 0 and slot.price_ticks == price_ticks and slot.lots == lots
                    and (found < 0 or slot.client_order_id < self.slot_[found].client_order_id)):
                found = index
        return found

    cdef void note_closed_c(self, const char* order_id, int32_t length) noexcept nogil:
        """Remember an order id as ended."""
        cdef uint64_t value = _hash(order_id, length)
        cdef uint64_t oldest = self.closed_[self.closed_head]
        # Zero: never written. An id that hashes to zero stays counted, which costs a search and nothing else.
        if oldest != 0:
            self.closed_count_[oldest & (CLOSED_BUCKETS - 1)] -= 1
        self.closed_count_[value & (CLOSED_BUCKETS - 1)] += 1
        self.closed_[self.closed_head] = value
        self.closed_head = (self.closed_head + 1) % CLOSED_MEMORY

    cdef bint closed_lately_c(self, const char* order_id, int32_t length) noexcept nogil:
        """Whether an order id is among the last that ended."""
        cdef uint64_t value = _hash(order_id, length)
        cdef int32_t i
        if self.closed_count_[value & (CLOSED_BUCKETS - 1)] == 0:
            return False
        for i in range(CLOSED_MEMORY):
            if self.closed_[i] == value:
                return True
        return False

    cdef int32_t unsettled_c(self, int32_t instrument, int32_t side) noexcept nogil:
        """How many orders of a side are not plainly live."""
        cdef int32_t i, total = 0
        for i in range(self.count_c(instrument, side)):
            if self.slot_[self.at_c(instrument, side, i)].state != SLOT_LIVE:
                total += 1
        return total

    cdef void forget_all_c(self) noexcept nogil:
        """Free every slot: only after the venue has shown that the session holds no order."""
        cdef int32_t i
        for i in range(SLOTS):
            if self.slot_[i].state != SLOT_FREE:
                self.close_c(i)

    cdef void forget_before_c(self, uint64_t request) noexcept nogil:
        """Free the slots that no request from this one on was about: its answer has shown that they are gone.

        What a refused request leaves as it was is put back to an earlier one, so the one that placed it counts too.
        """
        cdef int32_t i
        for i in range(SLOTS):
            if self.slot_[i].state != SLOT_FREE and self.slot_[i].request < request and self.slot_[i].placed < request:
                self.close_c(i)

    cdef void doubt_all_c(self) noexcept nogil:
        """After a lost connection nothing is believed live; everything still counts."""
        cdef int32_t i
        for i in range(SLOTS):
            if self.slot_[i].state != SLOT_FREE:
                self.slot_[i].state = SLOT_UNKNOWN

    def note_closed(self, bytes order_id) -> None:
        """Python twin of ``note_closed_c``."""
        self.note_closed_c(order_id, <int32_t>len(order_id))

    def closed_lately(self, bytes order_id) -> bool:
        """Python twin of ``closed_lately_c``."""
        return self.closed_lately_c(order_id, <int32_t>len(order_id))

    def take(self, int32_t instrument, int32_t side, int64_t price_ticks, int64_t lots, int64_t now_ns=0) -> int:
        """Python twin of ``open_c``. Raises IndexError for an instrument that does not exist."""
        if not 0 <= instrument < self.instruments:
            raise IndexError(f"instrument {instrument} of {self.instruments}")
        return self.open_c(instrument, side, price_ticks, lots, now_ns)

    def release(self, int32_t slot) -> None:
        """Python twin of ``close_c``."""
        if not 0 <= slot < SLOTS:
            raise IndexError(f"slot {slot} of {SLOTS}")
        self.close_c(slot)

    def exposure(self, int32_t instrument, int32_t side) -> int:
        """Lots that a side may still trade."""
        if not 0 <= instrument < self.instruments:
            raise IndexError(f"instrument {instrument} of {self.instruments}")
        return self.exposure_c(instrument, side)

    def orders(self) -> list:
        """Every order believed possible, as dicts; for status, tests and tools."""
        cdef int32_t i
        cdef Slot* slot
        result = []
        for i in range(SLOTS):
            slot = &self.slot_[i]
            if slot.state != SLOT_FREE:
                result.append({
                    "slot": i, "state": STATES[slot.state], "instrument": slot.instrument, "side": slot.side,
                    "price_ticks": slot.price_ticks, "lots": slot.lots, "filled_lots": slot.filled_lots,
                    "repeats": slot.repeats,
                    "amend_ticks": slot.amend_ticks, "amend_lots": slot.amend_lots,
                    "client_order_id": slot.client_order_id, "order_id": slot.order_id[:slot.order_id_length].decode("ascii", "replace"),
                })
        return result
