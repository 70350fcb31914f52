"""The tap of the journal: a copy of every input and output of a handler goes into a shared-memory ring.

An input is in the ring before the handler sees it, and a request before the connection does: what was acted on can
always be read back, whatever happens to this process afterwards. ``tap.pxd`` draws the slots.
"""

from feed.stamps cimport STAGE_FRAME, STAGE_JOURNAL, STAGE_WRITE, Stamper, lap_c
from kernels.bytes cimport copy_bytes

TOKEN_PLACEHOLDER = "(token)"
SLOT_BYTES = TAP_SLOT_BYTES
DATA_BYTES_MAX = TAP_DATA_BYTES_MAX

# The values of feed.journal.Kind; a test compares them.
cdef enum:
    KIND_MESSAGE = 0
    KIND_CONNECTED = 1
    KIND_DISCONNECTED = 2
    KIND_TOKEN = 3
    KIND_BATCH_END = 7
    KIND_OUTPUT = 8
    KIND_REFUSED = 9


cdef enum:
    SLOTS_NEAR = 3                      # a message, its answer, and one more


cdef class Tap(MessageHandler):
    """Records what reaches ``handler`` into ``ring``, then passes it on. ``ring``: slots of ``SLOT_BYTES``.

    Owner thread: the handler's. Costs a copy into memory that is there already; nothing here can wait or fail.
    """

    def __cinit__(self, MessageHandler handler not None, RingWriter ring not None):
        if ring.record_bytes != TAP_SLOT_BYTES:
            raise ValueError(f"the ring's records have {ring.record_bytes} bytes, not {TAP_SLOT_BYTES}")
        self.handler = handler
        self.ring = ring

    def stamp(self, Stamper stamper not None) -> None:
        """Who notes where the time of a tick goes, from now on."""
        self.stamper = stamper
        self.stamps = stamper.stamps_c()

    cdef void put_c(self, int kind, int flags, int64_t now_ns, const char* data, Py_ssize_t size) noexcept nogil:
        cdef char* slot = <char*>self.ring.claim_c()
        cdef SlotHead* head = <SlotHead*>slot
        cdef Py_ssize_t part = min(size, TAP_SLOT_BYTES - FIRST_HEAD_BYTES)
        head.size = <uint32_t>size
        head.kind = <uint8_t>kind
        head.flags = <uint8_t>flags
        head.part = 0
        head.unused = 0
        head.sequence = self.sequence
        head.now_ns = now_ns
        copy_bytes(slot + FIRST_HEAD_BYTES, data, part)
        self.ring.commit_c()
        while size > part:
            data += part
            size -= part
            slot = <char*>self.ring.claim_c()
            head = <SlotHead*>slot
            part = min(size, TAP_SLOT_BYTES - LATER_HEAD_BYTES)
            head.size = <uint32_t>size
            head.kind = <uint8_t>kind
            head.flags = <uint8_t>flags
            head.part = 1
            head.unused = 0
            head.sequence = self.sequence
            copy_bytes(slot + LATER_HEAD_BYTES, data, part)
            self.ring.commit_c()
        self.sequence += 1

    def put(self, int kind, int64_t now_ns, bytes data=b"", bint last=True) -> None:
        """Record something that does not pass through here. Raises ValueError for more than ``DATA_BYTES_MAX``."""
        if len(data) > TAP_DATA_BYTES_MAX:
            raise ValueError(f"a record of {len(data)} bytes: at most {TAP_DATA_BYTES_MAX}")
        self.now_ns = now_ns
        self.put_c(kind, last, now_ns, data, len(data))

    def token(self, str token, int64_t now_ns) -> None:
        """Record that the handler gets a login token. Its text is kept out, also of the request that uses it."""
        self.put(KIND_TOKEN, now_ns, TOKEN_PLACEHOLDER.encode())
        self.token_ = token.encode()

    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1:
        lap_c(self.stamps, STAGE_FRAME)
        self.now_ns = now_ns
        self.put_c(KIND_MESSAGE, last_in_batch, now_ns, message, size)
        lap_c(self.stamps, STAGE_JOURNAL)
        self.handler.on_message_c(message, size, now_ns, last_in_batch)
        # Each slot is written once a lap, long after it has left the cache.
        self.ring.fetch_c(SLOTS_NEAR)
        return 0

    def on_message(self, bytes message, int64_t now_ns, bint last_in_batch) -> None:
        """Python twin of ``on_message_c``."""
        self.on_message_c(message, len(message), now_ns, last_in_batch)

    cdef int on_batch_end_c(self, int64_t now_ns) except -1:
        self.now_ns = now_ns
        self.put_c(KIND_BATCH_END, 1, now_ns, b"", 0)
        return self.handler.on_batch_end_c(now_ns)

    cpdef on_connected(self, int64_t now_ns):
        """Record, then pass on."""
        self.put(KIND_CONNECTED, now_ns)
        self.handler.on_connected(now_ns)

    cpdef on_disconnected(self, int64_t now_ns, str reason):
        """Record, then pass on."""
        self.put(KIND_DISCONNECTED, now_ns, reason.encode("utf-8", "replace")[:1024])
        self.handler.on_disconnected(now_ns, reason)


cdef class TapSink(Sink):
    """Records every request, then writes it to ``sink``; a refusal follows as a record of its own."""

    def __cinit__(self, Tap tap not None, Sink sink not None):
        self.tap = tap
        self.sink = sink

    cdef int write_c(self, char* text, Py_ssize_t size) noexcept:
        cdef int result
        cdef bytes copy = None
        lap_c(self.tap.stamps, STAGE_WRITE)
        if self.tap.token_ is not None and self.tap.token_ in text[:size]:
            copy = text[:size].replace(self.tap.token_, TOKEN_PLACEHOLDER.encode())
            self.tap.put_c(KIND_OUTPUT, 1, self.tap.now_ns, copy, len(copy))
        else:
            self.tap.put_c(KIND_OUTPUT, 1, self.tap.now_ns, text, size)
        lap_c(self.tap.stamps, STAGE_JOURNAL)
        result = self.sink.write_c(text, size)
        if result != 0:
            self.tap.put_c(KIND_REFUSED, 1, self.tap.now_ns, b"", 0)
        elif copy is not None:
            self.tap.token_ = None
        return result

    cpdef close(self, str reason):
        """Give the connection up."""
        self.sink.close(reason)


cdef class AnswerSink(Sink):
    """The sink of a replay: keeps what is written, and refuses where the recorded one did."""

    def __cinit__(self):
        self.sent = []
        self.refused_ = set()

    def expect(self, set refused) -> None:
        """Begin anew; ``refused``: numbers, from 0, of the coming writes that are to be refused."""
        self.sent = []
        self.refused_ = refused

    cdef int write_c(self, char* text, Py_ssize_t size) noexcept:
        self.sent.append(text[:size])
        return -1 if len(self.sent) - 1 in self.refused_ else 0


def batch_end(MessageHandler handler not None, int64_t now_ns) -> None:
    """What ``on_batch_end_c`` of a handler does, for a replay."""
    handler.on_batch_end_c(now_ns)


cdef class Joiner:
    """Puts records together again from the slots of a ring. ``expected``: sequence of the first record that is wanted.

    Records before it are passed over, so a reader may begin with slots that it has seen. A missing one ends it: what
    comes behind is counted in ``lost`` and never returned.
    """

    def __cinit__(self, uint64_t expected=0):
        self.expected = expected

    def join(self, const uint8_t[::1] slots) -> list:
        """Complete records as (kind, sequence, now_ns, last, data), in order."""
        cdef list records = []
        cdef const uint8_t* slot
        cdef const SlotHead* head
        cdef Py_ssize_t i, part
        for i in range(slots.shape[0] // TAP_SLOT_BYTES):
            slot = &slots[i * TAP_SLOT_BYTES]
            head = <const SlotHead*>slot
            if head.part == 0:
                self.left_ = 0
                self.head_ = None
                if head.sequence < self.expected:
                    continue
                if head.sequence > self.expected or self.lost:
                    self.lost += max(head.sequence - self.expected, <uint64_t>1)
                    self.expected = head.sequence + 1
                    continue
                self.head_ = (head.kind, head.sequence, head.now_ns, bool(head.flags & 1))
                part = min(<Py_ssize_t>head.size, TAP_SLOT_BYTES - FIRST_HEAD_BYTES)
                self.data_ = bytearray((<const char*>slot)[FIRST_HEAD_BYTES:FIRST_HEAD_BYTES + part])
                self.left_ = head.size - part
            elif self.head_ is not None:
                if head.sequence != self.expected or <Py_ssize_t>head.size != self.left_:
                    self.left_ = 0      # its end was overwritten: the next first slot tells how many went with it
                    self.head_ = None
                    continue
                part = min(self.left_, TAP_SLOT_BYTES - LATER_HEAD_BYTES)
                self.data_ += (<const char*>slot)[LATER_HEAD_BYTES:LATER_HEAD_BYTES + part]
                self.left_ -= part
            if self.head_ is not None and self.left_ == 0:
                records.append((*self.head_, bytes(self.data_)))
                self.head_ = None
                self.expected += 1
        return records
