"""A tape in C memory, played into a core with the clock read around every message. Owner: one thread."""

from libc.stdint cimport int8_t, int32_t, int64_t

from engine.core.step cimport Core
from feed.frames cimport MessageHandler, Sink
from feed.waterfall cimport Waterfall

cdef class CountingSink(Sink):
    cdef readonly int64_t writes
    cdef readonly int64_t bytes_out
    cdef readonly int64_t written_ns
    cdef public Waterfall waterfall  # None: nobody notes where the time goes

cdef class Player:
    cdef readonly int32_t count
    cdef public MessageHandler tap  # what messages go through on their way to the core, or None
    cdef bytes text                 # all messages, one after another
    cdef const char* text_
    cdef char* frame_               # the message in hand, as a read leaves it
    cdef public Waterfall waterfall  # is told of every message; None: there is none
    cdef readonly object others     # inputs that are no message, by index
    cdef int64_t[::1] offset
    cdef int64_t[::1] now_ns
    cdef int8_t[::1] act
    cdef int8_t[::1] last
    cdef int play_c(self, Core core, int32_t index) except -1
    cdef int give_c(self, Core core, const char* message, Py_ssize_t size, int32_t index, int64_t begin_ns) except -1
    cdef const char* load_c(self, int32_t index, Py_ssize_t* size) noexcept nogil

cdef class TapeHandler(MessageHandler):
    cdef readonly Core core
    cdef readonly Player player
    cdef readonly int32_t position
    cdef readonly str wrong
    cdef MessageHandler handler     # the core, or what messages go through on their way to it
    cdef Waterfall waterfall
    cdef int32_t live_at
    cdef int others_c(self) except -1

cdef int64_t monotonic_ns() noexcept nogil
