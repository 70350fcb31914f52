"""The websocket under the session: picows' listener in C, and the sink that writes to it."""

from libc.stdint cimport int64_t

from picows.picows cimport WSFrame, WSListener, WSTransport

from feed.frames cimport FrameRules, MessageHandler, Sink
from feed.waterfall cimport Waterfall

# Call chain of a read: picows' parser -> Listener.on_ws_frame -> FrameRules.on_frame_c -> MessageHandler.on_message_c
# -> (decision) -> WsSink.write_c -> picows' masking -> send(2).
cdef class WsSink(Sink):
    cdef WSTransport transport        # None: not connected
    cdef readonly Waterfall waterfall  # None: nobody notes where the time goes
    cdef readonly str reason          # why ``close`` was called; empty: it was not
    cdef readonly bint paused         # the write buffer is over its bound
    cdef readonly int64_t writes
    cdef readonly int64_t refused
    cdef readonly int64_t bytes_out

cdef class Listener(WSListener):
    cdef readonly FrameRules rules
    cdef MessageHandler handler
    cdef readonly WsSink sink
    cdef readonly WSTransport transport
    cdef object closed                # called with the reason, once
    cdef object gone                  # called with what was dropped after ``retire``; None: not retired
    cdef bint in_batch
    cdef bint closing_here            # we said close: what still arrives is delivered until the peer answers
    cdef bint told
    cdef int64_t batch_ns
    cdef int64_t batch_messages       # that were delivered before the batch in hand
    cdef int64_t ping_ns              # when the unanswered ping left; 0: none is under way
    cdef readonly int64_t ping_rtt_ns
    cdef readonly int64_t last_read_ns
    cdef public str reason            # why we gave the connection up; empty: we did not

    cdef void answer_c(self, WSFrame frame, int result) except *

cdef int64_t clock_ns() noexcept nogil
