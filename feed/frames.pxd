"""Websocket frames after picows: what it leaves unchecked is checked here, and whole messages go to one handler."""

from libc.stdint cimport int64_t

# The receiver of whole text messages; the engine's core is one. ``message`` points into the receive buffer:
# DANGER, it is valid only during the call.
cdef class MessageHandler:
    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1
    cpdef on_connected(self, int64_t now_ns)
    cpdef on_disconnected(self, int64_t now_ns, str reason)

# Where request bytes leave. ``text`` has HEADROOM writable bytes in front and may be masked in place.
# Returns 0, or -1 when nothing can be written now (disconnected, or the write buffer is over its bound).
cdef class Sink:
    cdef int write_c(self, char* text, Py_ssize_t size) noexcept
    cpdef close(self, str reason)
