"""The harness: a tape in C memory, played into a core by C calls, with CLOCK_MONOTONIC read around every message.

Each message is copied into one receive buffer before its clock starts, as a read from the kernel would leave it in the
cache. Nothing is subtracted from what is measured: the cost of the clock itself is told by ``clock_cost_ns``. Nothing is
allocated between two readings by the harness. Times in ns; one thread.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import sys

import numpy as np

from engine.core.requests cimport FIRST_HOT_ID
from engine.core.step cimport Core
from feed.events cimport KIND_REPLY, KIND_SLOW
from feed.frames cimport MESSAGE_BYTES_MAX, MessageHandler, Sink
from feed.waterfall cimport Waterfall

from kernels.records cimport (
    Market, Model, Position, Target, Volatility, fill_fn, quote_fn, volatility_fn,
)

from engine.sim.tape import Act, feed

cdef extern from "time.h" nogil:
    ctypedef int clockid_t
    struct timespec:
        int64_t tv_sec
        int64_t tv_nsec
    int clock_gettime(clockid_t clock, timespec* time)
    clockid_t CLOCK_MONOTONIC

cdef extern from *:
    """
    #ifdef QUOTER_DEBUG
    #define QUOTER_CHECKED 1
    #else
    #define QUOTER_CHECKED 0
    #endif
    """
    int QUOTER_CHECKED

cdef enum:
    ACT_MESSAGE = 0


cdef int64_t monotonic_ns() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec


def checked():
    """Whether this is the checked debug build, whose times mean nothing."""
    return QUOTER_CHECKED != 0


def clock_cost_ns(int32_t rounds=10_000):
    """Median time between two readings of the clock with nothing between them: part of every figure measured here."""
    cdef int64_t[::1] between = np.empty(rounds, np.int64)
    cdef int64_t begin
    cdef int32_t i
    for i in range(rounds):
        begin = monotonic_ns()
        between[i] = monotonic_ns() - begin
    return int(np.median(between))


def repeat_quote(size_t address, size_t market, size_t model, size_t target, int64_t n):
    """Call a quote kernel ``n`` times by its C pointer, the fair price moving; the sum of its codes.

    market, model, target: addresses of records that the caller keeps alive.
    """
    cdef quote_fn quote = <quote_fn>address
    cdef double fair_usd = (<Market*>market).fair_usd
    cdef int64_t i, codes = 0
    with nogil:
        for i in range(n):
            (<Market*>market).fair_usd = fair_usd + 0.5 * (i & 7)
            codes += quote(<Market*>market, <Model*>model, <Target*>target)
    (<Market*>market).fair_usd = fair_usd
    return codes


def repeat_volatility(size_t address, size_t state, double price_usd, int64_t step_ns, int64_t n):
    """Feed ``n`` prices ``step_ns`` apart to a volatility kernel by its C pointer; its last answer."""
    cdef volatility_fn volatility = <volatility_fn>address
    cdef int64_t i, begin_ns = (<Volatility*>state).last_ns
    cdef double sigma = 0.0
    with nogil:
        for i in range(n):
            sigma = volatility(<Volatility*>state, price_usd + (i & 7), begin_ns + (i + 1) * step_ns)
    return sigma


def repeat_fill(size_t address, size_t position, int64_t lots, int64_t price_ticks, int64_t n):
    """Book ``n`` fills, bought and sold in turn, by the C pointer of the accounting kernel; the sum of its codes."""
    cdef fill_fn fill = <fill_fn>address
    cdef int64_t i, codes = 0
    with nogil:
        for i in range(n):
            codes += fill(<Position*>position, lots if i & 1 else -lots, price_ticks + (i & 15), 0.0)
    return codes


cdef class CountingSink(Sink):
    """Takes every request, counts it and its bytes, and notes when the last came; it keeps nothing."""

    cdef int write_c(self, char* text, Py_ssize_t size) noexcept:
        self.writes += 1
        self.bytes_out += size
        self.written_ns = monotonic_ns()
        if self.waterfall is not None:
            # As the transport does: when the bytes have left.
            self.waterfall.written_c()
        return 0


cdef class Player:
    """A tape, ready to be played any number of times, straight into a core or through its journal's ``tap``.

    Raises ValueError for a message larger than a connection takes.
    """

    def __cinit__(self, tape):
        inputs = tape.inputs
        messages = [entry.data if entry.act == Act.MESSAGE else b"" for entry in inputs]
        if any(len(message) > MESSAGE_BYTES_MAX for message in messages):
            raise ValueError(f"a message on the tape has more than {MESSAGE_BYTES_MAX} bytes")
        self.count = len(inputs)
        self.text = b"".join(messages)
        self.text_ = self.text
        self.offset = np.cumsum([0, *map(len, messages)], dtype=np.int64)
        self.now_ns = np.array([entry.now_ns for entry in inputs], np.int64)
        self.act = np.array([entry.act for entry in inputs], np.int8)
        self.last = np.array([entry.last for entry in inputs], np.int8)
        self.others = {i: entry for i, entry in enumerate(inputs) if entry.act != Act.MESSAGE}
        self.frame_ = <char*>malloc(MESSAGE_BYTES_MAX)
        if self.frame_ == NULL:
            raise MemoryError("no memory for a receive buffer")

    def __dealloc__(self):
        free(self.frame_)

    cdef const char* load_c(self, int32_t index, Py_ssize_t* size) noexcept nogil:
        """Put a message where a read would leave it."""
        size[0] = self.offset[index + 1] - self.offset[index]
        memcpy(self.frame_, self.text_ + self.offset[index], size[0])
        return self.frame_

    cdef int play_c(self, Core core, int32_t index) except -1:
        cdef Py_ssize_t size
        cdef const char* message
        if self.act[index] != ACT_MESSAGE:
            feed(core, self.others[index])
            return 0
        message = self.load_c(index, &size)
        return self.give_c(core, message, size, index, monotonic_ns() if self.waterfall is not None else 0)

    cdef int give_c(self, Core core, const char* message, Py_ssize_t size, int32_t index, int64_t begin_ns) except -1:
        """One read of one message, begun at ``begin_ns``: through the tap and under the waterfall where there are any."""
        if self.waterfall is not None:
            self.waterfall.begin_c(begin_ns)
        if self.tap is None:
            core.on_message_c(message, size, self.now_ns[index], self.last[index])
        else:
            self.tap.on_message_c(message, size, self.now_ns[index], self.last[index])
        if self.waterfall is not None:
            self.waterfall.end_c(1)
        return 0

    def play(self, Core core not None, int32_t start, int32_t stop):
        """Play the inputs from ``start`` up to ``stop``."""
        cdef int32_t i
        self._check(start, stop)
        for i in range(start, stop):
            self.play_c(core, i)

    def measure(self, Core core not None, CountingSink sink not None, int32_t start, int32_t stop, int64_t[::1] ns,
                int64_t[::1] sent, int64_t[::1] busy):
        """Play, and write for each input how long it took until its last request left, and how many left.

        What no request answers is measured until the core is done with it. ``busy``: until it is done with it in any
        case. Inputs that are no message are played, not measured: 0 ns. The arrays hold ``count`` values each.
        """
        cdef int64_t begin, writes
        cdef Py_ssize_t size
        cdef const char* message
        cdef int32_t i
        self._check(start, stop)
        if min(ns.shape[0], sent.shape[0], busy.shape[0]) < self.count:
            raise ValueError(f"arrays of {self.count} values are needed")
        for i in range(start, stop):
            writes = sink.writes
            if self.act[i] == ACT_MESSAGE:
                message = self.load_c(i, &size)
                begin = monotonic_ns()
                self.give_c(core, message, size, i, begin)
                busy[i] = monotonic_ns() - begin
                ns[i] = sink.written_ns - begin if sink.writes > writes else busy[i]
            else:
                feed(core, self.others[i])
                ns[i] = 0
                busy[i] = 0
            sent[i] = sink.writes - writes

    def time_messages(self, Core core not None, int32_t start, int32_t stop):
        """Play the messages only, as fast as they come, and tell the time for all of them."""
        cdef int64_t begin
        cdef int32_t i
        self._check(start, stop)
        begin = monotonic_ns()
        for i in range(start, stop):
            if self.act[i] == ACT_MESSAGE:
                self.play_c(core, i)
        return monotonic_ns() - begin

    def blocks(self, Core core not None, int32_t start, int32_t stop):
        """Play, and tell (blocks that were allocated and not freed over the messages, number of these messages).

        Counted with ``sys.getallocatedblocks`` around every run of messages that the fast decoder takes; timers and
        the rare messages that become Python objects by design (account summary and the like) are played between.
        """
        cdef Py_ssize_t before, total = 0
        cdef int64_t slow, counted = 0
        cdef int32_t i, first
        cdef bint[::1] cold
        self._check(start, stop)
        cold = self._cold(core)
        i = start
        while i < stop:
            if cold[i]:
                self.play_c(core, i)
                i += 1
                continue
            first = i
            slow = core.slow_messages
            before = sys.getallocatedblocks()
            while i < stop and not cold[i]:
                self.play_c(core, i)
                i += 1
            total += sys.getallocatedblocks() - before
            if core.slow_messages != slow:
                raise ValueError("a message that should be hot was left to the slow decoder")
            counted += i - first
        return total, counted

    def _cold(self, Core core):
        """Which inputs are no message, or one that the fast decoder leaves to the slow one."""
        cdef int32_t i, kind
        cdef Py_ssize_t size
        cdef const char* message
        result = np.ones(self.count, np.intc)
        for i in range(self.count):
            if self.act[i] == ACT_MESSAGE:
                message = self.load_c(i, &size)
                kind = core.decoder.decode_c(message, size)
                result[i] = kind <= KIND_SLOW or kind == KIND_REPLY and core.decoder.reply.id < FIRST_HOT_ID
        return result

    def _check(self, int32_t start, int32_t stop):
        if not 0 <= start <= stop <= self.count:
            raise ValueError(f"inputs {start} to {stop} of a tape with {self.count}")


cdef class TapeHandler(MessageHandler):
    """Stands between a live connection and a core: messages come from the wire, their times from the tape.

    So the core makes the same decisions and sends the same bytes over a real connection as in memory, whatever the pace.
    Messages go through the player's ``tap`` where it has one. From input ``live_at`` on ``waterfall`` counts. Inputs of
    the tape that are no message are played behind the message before them. ``wrong`` says what went wrong, if anything did:
    a message that is not the tape's ends the connection.
    """

    def __init__(self, Core core not None, Player player not None, Waterfall waterfall=None, int32_t live_at=0):
        self.core = core
        self.player = player
        self.handler = core if player.tap is None else player.tap
        self.waterfall = waterfall
        self.live_at = live_at

    cdef int others_c(self) except -1:
        while self.position < self.player.count and self.player.act[self.position] != ACT_MESSAGE:
            feed(self.core, self.player.others[self.position])
            self.position += 1
        return 0

    cpdef on_connected(self, int64_t now_ns):
        self.others_c()

    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1:
        cdef int32_t i = self.position
        if i >= self.player.count or size != self.player.offset[i + 1] - self.player.offset[i]:
            self.wrong = f"message {i} is not the tape's"
            raise ValueError(self.wrong)
        self.position = i + 1
        if self.waterfall is not None and i >= self.live_at:
            self.waterfall.counts()
            self.waterfall = None
        self.handler.on_message_c(message, size, self.player.now_ns[i], self.player.last[i])
        if self.position < self.player.count and self.player.act[self.position] != ACT_MESSAGE:
            self.others_c()
        return 0
