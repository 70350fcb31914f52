"""Websocket frames after picows: what it leaves unchecked is checked here, and whole messages go to one handler."""

from libc.stdint cimport int32_t, int64_t

cdef enum:
    MESSAGE_BYTES_MAX = 1048576   # one message, fragmented or not; the largest book snapshot seen is a tenth of it
    FRAGMENTS_MAX = 1024          # of one message: a flood of empty continuations costs time, not memory
    CONTROL_BYTES_MAX = 125       # RFC 6455 section 5.5

# The receiver of whole text messages; the engine's core is one. ``message`` points into the receive buffer:
# DANGER, it is valid only during the call.
cdef class MessageHandler:
    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1
    # The batch ended with a frame that completed no message, after messages that were not marked as the last.
    cdef int on_batch_end_c(self, int64_t now_ns) except -1
    cpdef on_connected(self, int64_t now_ns)
    cpdef on_disconnected(self, int64_t now_ns, str reason)

cdef enum:
    SINK_HEADROOM = 16            # in front of a request's text, for the frame header; as ``feed.encode`` leaves it

# Where request bytes leave. ``text`` has SINK_HEADROOM writable bytes in front and may be masked in place.
# Returns 0, or -1 when nothing can be written now (disconnected, or the write buffer is over its bound); the text is
# then untouched.
cdef class Sink:
    cdef int write_c(self, char* text, Py_ssize_t size) noexcept
    cpdef close(self, str reason)

# A sink that keeps what was written: for simulators and tests.
cdef class ListSink(Sink):
    cdef public list sent           # bytes
    cdef public bint blocked        # True: every write is refused
    cdef public list closed         # reasons
    cdef readonly int64_t refused

cdef enum FrameResult:
    FRAME_OK = 0
    FRAME_PEER_CLOSED = 1     # the peer's close frame: ``peer_code`` and ``reason`` tell it
    FRAME_VIOLATION = -1      # now POISONED: close with ``close_code``
    FRAME_DROPPED = -2        # POISONED or closed before: nothing was delivered

# One a connection, and of the thread that reads it.
cdef class FrameRules:
    cdef MessageHandler handler
    cdef char* buffer_              # a fragmented message, [capacity]
    cdef Py_ssize_t capacity
    cdef Py_ssize_t used
    cdef int32_t fragments_max
    cdef int32_t fragments          # of the message being put together; 0: none is
    cdef bint undecided             # a message of this batch was delivered and none was its last
    cdef bint peer_closed
    cdef readonly bint poisoned
    cdef readonly int32_t close_code
    cdef readonly int32_t peer_code
    cdef readonly str reason
    cdef readonly object error      # what the handler raised
    cdef readonly int64_t frames
    cdef readonly int64_t messages
    cdef readonly int64_t fragmented
    cdef readonly int64_t controls
    cdef readonly int64_t dropped
    cdef readonly int64_t bytes_in

    cdef int on_frame_c(self, int opcode, bint fin, int rsv, const char* payload, Py_ssize_t size, int64_t now_ns,
                        bint last_in_batch) noexcept
    cdef int poison_c(self, int32_t close_code, str reason) noexcept
    cdef int data_c(self, int opcode, bint fin, const char* payload, Py_ssize_t size, int64_t now_ns,
                    bint last_in_batch) noexcept
    cdef int control_c(self, int opcode, bint fin, const char* payload, Py_ssize_t size) noexcept
    cdef int deliver_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) noexcept

cdef bint valid_utf8_c(const char* text, Py_ssize_t size) noexcept nogil
cdef bint valid_close_code_c(int code) noexcept nogil
