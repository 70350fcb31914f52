"""A handler that counts numbered messages on their way to another: which are missing, and how long each took.

A numbered message ends with two members more, ``,"n":N,"t":T}``: its number, and when it was sent in ns of
CLOCK_MONOTONIC, each with a constant added that makes its digits 10 and 19. The handler behind it sees the message as it came.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from engine.bench.harness cimport monotonic_ns
from feed.frames cimport MessageHandler
from kernels.cursor cimport read_uint64
from kernels.histogram cimport Histogram

cdef enum:
    TAIL_BYTES = 40           # of which 10 and 19 digits
    NUMBER_AT = 5
    TIME_AT = 20

cdef int64_t NUMBER_BASE = 1_000_000_000
cdef int64_t TIME_BASE = 1_000_000_000_000_000_000


def tail(int64_t number, int64_t sent_ns):
    """The end of a numbered message, closing brace included; put it in the place of the message's own."""
    return b',"n":%d,"t":%d}' % (NUMBER_BASE + number, TIME_BASE + sent_ns)


cdef class Numbered(MessageHandler):
    """Hands everything on to ``inner``.

    ``received``: numbered messages. ``misplaced``: those that did not follow the one before. ``lag``: from sending to
    the return of ``inner``, ns. ``largest_batch``: messages of one read.
    """

    def __init__(self, MessageHandler inner not None):
        self.inner = inner
        self.lag = Histogram()

    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1:
        cdef uint64_t number = 0, sent_ns = 0
        cdef const char* end = message + size
        cdef const char* tail_ = end - TAIL_BYTES
        cdef int result = self.inner.on_message_c(message, size, now_ns, last_in_batch)
        self.batch += 1
        if last_in_batch:
            self.largest_batch = max(self.largest_batch, self.batch)
            self.batch = 0
        if size <= TAIL_BYTES or memcmp(tail_, b',"n":', NUMBER_AT) != 0:
            return result
        read_uint64(tail_ + NUMBER_AT, end, &number)
        read_uint64(tail_ + TIME_AT, end, &sent_ns)
        self.misplaced += <int64_t> number != NUMBER_BASE + self.received + self.missed
        self.missed = <int64_t> number - NUMBER_BASE - self.received
        self.received += 1
        self.lag.record_c(monotonic_ns() - (<int64_t> sent_ns - TIME_BASE))
        return result

    cdef int on_batch_end_c(self, int64_t now_ns) except -1:
        self.batch = 0
        return self.inner.on_batch_end_c(now_ns)

    cpdef on_connected(self, int64_t now_ns):
        self.inner.on_connected(now_ns)

    cpdef on_disconnected(self, int64_t now_ns, str reason):
        self.inner.on_disconnected(now_ns, reason)
