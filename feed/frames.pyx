"""The websocket rules that picows leaves to its user, as a function of frames: no socket, no clock.

Checked: reserved bits, opcodes, control frames, order of continuations, strict UTF-8 over the whole message, the size
of a message and the number of its fragments, data after close (RFC 6455 sections 5.2 to 5.6, 7.4 and 8.1). The first
violation, or the first exception of the handler, latches POISONED: nothing is delivered any more on this connection.

Owner thread: the one that reads the connection. Sizes in bytes, times in ns of the caller's clock.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef enum:
    OPCODE_CONTINUATION = 0
    OPCODE_TEXT = 1
    OPCODE_BINARY = 2
    OPCODE_CLOSE = 8
    OPCODE_PING = 9
    OPCODE_PONG = 10

cdef enum:
    CLOSE_PROTOCOL_ERROR = 1002
    CLOSE_INVALID_TEXT = 1007
    CLOSE_TOO_BIG = 1009
    CLOSE_INTERNAL_ERROR = 1011
    CLOSE_NO_CODE = 1005


cdef class MessageHandler:
    """Receives the whole messages of a connection. Cython handlers override ``on_message_c``, Python ones
    ``on_message``."""

    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1:
        self.on_message(message[:size], now_ns, last_in_batch)
        return 0

    cdef int on_batch_end_c(self, int64_t now_ns) except -1:
        self.on_batch_end(now_ns)
        return 0

    def on_message(self, bytes message, int64_t now_ns, bint last_in_batch):
        """One whole message; ``last_in_batch``: the read held nothing after it. An exception poisons the connection."""
        raise NotImplementedError("a message handler overrides on_message or on_message_c")

    def on_batch_end(self, int64_t now_ns):
        """The read ended with a frame that completed no message, after messages that were not marked as the last."""

    cpdef on_connected(self, int64_t now_ns):
        """The connection is up: called once, before any message."""

    cpdef on_disconnected(self, int64_t now_ns, str reason):
        """The connection is gone: called once, after the last message."""


cdef class Sink:
    """Where requests leave; this one is never connected."""

    cdef int write_c(self, char* text, Py_ssize_t size) noexcept:
        return -1

    cpdef close(self, str reason):
        """Give the connection up."""


cdef class ListSink(Sink):
    """Keeps every message in ``sent``; while ``blocked`` is set it refuses them, as for a peer that stops reading."""

    def __cinit__(self):
        self.sent = []
        self.closed = []

    cdef int write_c(self, char* text, Py_ssize_t size) noexcept:
        if self.blocked:
            self.refused += 1
            return -1
        self.sent.append(text[:size])
        return 0

    cpdef close(self, str reason):
        """Note the reason in ``closed``; later writes are refused."""
        self.closed.append(reason)
        self.blocked = True


cdef bint valid_utf8_c(const char* text, Py_ssize_t size) noexcept nogil:
    cdef const unsigned char* byte = <const unsigned char*> text
    cdef const unsigned char* end = byte + size
    cdef uint64_t word
    cdef unsigned char first, low, high
    cdef int following
    while byte < end:
        while end - byte >= 8:
            memcpy(&word, byte, 8)
            if word & <uint64_t> 0x8080808080808080:
                break
            byte += 8
        if byte == end:
            return True
        first = byte[0]
        byte += 1
        if first < 0x80:
            continue
        # Table 3-7 of the Unicode standard: the range of the second byte excludes overlong forms, surrogates and code
        # points beyond U+10FFFF.
        low = 0x80
        high = 0xBF
        if 0xC2 <= first <= 0xDF:
            following = 1
        elif 0xE0 <= first <= 0xEF:
            following = 2
            if first == 0xE0:
                low = 0xA0
            elif first == 0xED:
                high = 0x9F
        elif 0xF0 <= first <= 0xF4:
            following = 3
            if first == 0xF0:
                low = 0x90
            elif first == 0xF4:
                high = 0x8F
        else:
            return False
        if end - byte < following or byte[0] < low or byte[0] > high:
            return False
        byte += 1
        following -= 1
        while following > 0:
            if byte[0] & 0xC0 != 0x80:
                return False
            byte += 1
            following -= 1
    return True


cdef bint valid_close_code_c(int code) noexcept nogil:
    """May this code stand in a close frame (RFC 6455 section 7.4 and the IANA registry)?"""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def valid_utf8(bytes text not None):
    """True if ``text`` is UTF-8 as RFC 3629 defines it."""
    return valid_utf8_c(text, len(text))


cdef class FrameRules:
    """The frame rules of one connection, and the putting together of fragmented messages.

    ``message_bytes_max`` bounds a message, fragmented or not; ``fragments_max`` the frames it may come in. Beyond
    either: close code 1009.
    """

    def __cinit__(self, MessageHandler handler not None, Py_ssize_t message_bytes_max=MESSAGE_BYTES_MAX,
                  int32_t fragments_max=FRAGMENTS_MAX):
        if message_bytes_max < 1 or fragments_max < 1:
            raise ValueError("message_bytes_max and fragments_max must be positive")
        self.handler = handler
        self.capacity = message_bytes_max
        self.fragments_max = fragments_max
        self.reason = ""
        self.buffer_ = <char*> malloc(message_bytes_max)
        if self.buffer_ == NULL:
            raise MemoryError("no memory for the fragments of a message")

    def __dealloc__(self):
        free(self.buffer_)

    def on_frame(self, int opcode, bint fin, int rsv, bytes payload not None, int64_t now_ns=0,
                 bint last_in_batch=True):
        """One frame, as ``on_frame_c``: 0 taken, 1 the peer closes, -1 the first violation, -2 dropped."""
        return self.on_frame_c(opcode, fin, rsv, payload, len(payload), now_ns, last_in_batch)

    def poison(self, int32_t close_code, str reason not None):
        """Deliver nothing any more, because of something seen outside of the frames."""
        self.poison_c(close_code, reason)

    def stats(self):
        """Counters since the connection was made: frames, messages, bytes, what was dropped."""
        return {
            "frames": self.frames, "messages": self.messages, "fragmented": self.fragmented, "controls": self.controls,
            "dropped": self.dropped, "bytes_in": self.bytes_in, "poisoned": self.poisoned,
        }

    cdef int poison_c(self, int32_t close_code, str reason) noexcept:
        if not self.poisoned:
            self.poisoned = True
            self.close_code = close_code
            self.reason = reason
        return FRAME_VIOLATION

    cdef int on_frame_c(self, int opcode, bint fin, int rsv, const char* payload, Py_ssize_t size, int64_t now_ns,
                        bint last_in_batch) noexcept:
        cdef int result
        self.frames += 1
        self.bytes_in += size
        if self.poisoned:
            self.dropped += 1
            return FRAME_DROPPED
        if rsv != 0:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "reserved bits are set and no extension was negotiated")
        if opcode >= OPCODE_CLOSE:
            result = self.control_c(opcode, fin, payload, size)
        else:
            result = self.data_c(opcode, fin, payload, size, now_ns, last_in_batch)
        if last_in_batch and self.undecided and not self.poisoned:
            self.undecided = False
            try:
                self.handler.on_batch_end_c(now_ns)
            except BaseException as error:
                self.error = error
                return self.poison_c(CLOSE_INTERNAL_ERROR, f"the handler failed: {type(error).__name__}")
        return result

    cdef int data_c(self, int opcode, bint fin, const char* payload, Py_ssize_t size, int64_t now_ns,
                    bint last_in_batch) noexcept:
        if self.peer_closed:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "data after the close frame")
        if opcode == OPCODE_CONTINUATION:
            if self.fragments == 0:
                return self.poison_c(CLOSE_PROTOCOL_ERROR, "a continuation with nothing to continue")
        elif opcode == OPCODE_TEXT or opcode == OPCODE_BINARY:
            if self.fragments != 0:
                return self.poison_c(CLOSE_PROTOCOL_ERROR, "a new message inside a fragmented one")
        else:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "a reserved opcode")
        if size > self.capacity - self.used:
            return self.poison_c(CLOSE_TOO_BIG, "the message is larger than its bound")
        if fin and self.fragments == 0:
            return self.deliver_c(payload, size, now_ns, last_in_batch)
        if self.fragments >= self.fragments_max:
            return self.poison_c(CLOSE_TOO_BIG, "the message has more fragments than its bound")
        if size > 0:
            memcpy(self.buffer_ + self.used, payload, size)
        self.used += size
        self.fragments += 1
        if not fin:
            return FRAME_OK
        size = self.used
        self.used = 0
        self.fragments = 0
        self.fragmented += 1
        return self.deliver_c(self.buffer_, size, now_ns, last_in_batch)

    cdef int control_c(self, int opcode, bint fin, const char* payload, Py_ssize_t size) noexcept:
        cdef int32_t code
        self.controls += 1
        if opcode > OPCODE_PONG:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "a reserved opcode")
        if not fin:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "a fragmented control frame")
        if size > CONTROL_BYTES_MAX:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "a control frame of more than 125 bytes")
        if opcode != OPCODE_CLOSE:
            return FRAME_OK
        if self.peer_closed:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "a second close frame")
        code = CLOSE_NO_CODE
        if size == 1:
            return self.poison_c(CLOSE_PROTOCOL_ERROR, "a close frame with half a code")
        if size >= 2:
            code = (<unsigned char> payload[0] << 8) | <unsigned char> payload[1]
            if not valid_close_code_c(code):
                return self.poison_c(CLOSE_PROTOCOL_ERROR, f"close code {code} must not be sent")
            if not valid_utf8_c(payload + 2, size - 2):
                return self.poison_c(CLOSE_INVALID_TEXT, "the close reason is not UTF-8")
            self.reason = payload[2:size].decode("utf-8")
        self.peer_closed = True
        self.peer_code = code
        return FRAME_PEER_CLOSED

    cdef int deliver_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) noexcept:
        if not valid_utf8_c(message, size):
            return self.poison_c(CLOSE_INVALID_TEXT, "the message is not UTF-8")
        self.messages += 1
        self.undecided = not last_in_batch
        try:
            self.handler.on_message_c(message, size, now_ns, last_in_batch)
        except BaseException as error:
            self.error = error
            return self.poison_c(CLOSE_INTERNAL_ERROR, f"the handler failed: {type(error).__name__}")
        return FRAME_OK
