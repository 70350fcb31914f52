"""The websocket under the session: picows' listener in C, and the sink that writes to it.

A frame arrives by a C call and is handed on inside it; a request leaves by a C call from the buffer it was encoded in.
The clock is read once for every batch of frames that one read gave. Owner thread: the event loop's. Times are
CLOCK_BOOTTIME in ns, which also counts while the machine sleeps.
"""

import socket
import struct

import picows
from libc.stdint cimport int64_t

from picows.picows cimport WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from feed.frames cimport FRAME_PEER_CLOSED, FRAME_VIOLATION, FrameRules, MessageHandler, Sink
from feed.waterfall cimport Waterfall

cdef extern from "time.h" nogil:
    """
    #define PICOWS_FRAME_SIZE sizeof(struct __pyx_obj_6picows_6picows_WSFrame)
    #define PICOWS_LISTENER_SIZE sizeof(struct __pyx_obj_6picows_6picows_WSListener)
    #define PICOWS_TRANSPORT_SIZE sizeof(struct __pyx_obj_6picows_6picows_WSTransport)
    """
    ctypedef int clockid_t
    struct timespec:
        int64_t tv_sec
        int64_t tv_nsec
    int clock_gettime(clockid_t clock, timespec* time)
    clockid_t CLOCK_BOOTTIME
    const char* PICOWS_VERSION_BUILT
    Py_ssize_t PICOWS_FRAME_SIZE
    Py_ssize_t PICOWS_LISTENER_SIZE
    Py_ssize_t PICOWS_TRANSPORT_SIZE


def check_picows(str version not None):
    """Raise ``ImportError`` unless this is the picows that the module was compiled against, to the byte.

    A different one would only warn at import, and then read its objects at wrong offsets.
    """
    built = PICOWS_VERSION_BUILT.decode()
    sizes = (WSFrame.__basicsize__, WSListener.__basicsize__, WSTransport.__basicsize__)
    if version != built or sizes != (PICOWS_FRAME_SIZE, PICOWS_LISTENER_SIZE, PICOWS_TRANSPORT_SIZE):
        raise ImportError(
            f"feed.transport was built against picows {built}, but {version} is installed: "
            f"install picows=={built}, or build thalex-quoter again"
        )


check_picows(picows.__version__)


cdef int64_t clock_ns() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_BOOTTIME, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec


def now_ns():
    """The clock of the transport: CLOCK_BOOTTIME in ns."""
    return clock_ns()


cdef class WsSink(Sink):
    """Writes text frames to a connection, if there is one.

    Refuses while the write buffer is over its bound (``Listener.pause_writing``). ``waterfall`` is told of every read, and
    of every write when the kernel (or the TLS layer) has the bytes.
    """

    def __cinit__(self, Waterfall waterfall=None):
        self.waterfall = waterfall
        self.reason = ""

    cdef int write_c(self, char* text, Py_ssize_t size) noexcept:
        if (self.transport is None or self.paused or self.transport.is_disconnected
                or self.transport.is_close_frame_sent):
            self.refused += 1
            return -1
        try:
            self.transport.send_reuse_external_buffer(WSMsgType.TEXT, text, size)
        except Exception:
            # The socket failed under us; the event loop tells of it by itself.
            self.paused = True
            self.refused += 1
            return -1
        if self.waterfall is not None:
            self.waterfall.written_c()
        self.writes += 1
        self.bytes_out += size
        return 0

    def stamp(self, Waterfall waterfall) -> None:
        """Who is told of reads and writes, from now on."""
        self.waterfall = waterfall

    cpdef close(self, str reason):
        """Drop the connection now, without waiting for the peer: the venue then cancels what the session left."""
        if self.transport is not None:
            self.reason = self.reason or reason
            abort(self.transport)


def abort(WSTransport transport not None):
    """Reset the connection: unsent bytes are thrown away and the peer learns it at once."""
    connection = transport.underlying_transport.get_extra_info("socket")
    if connection is not None and not transport.is_disconnected:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.underlying_transport.abort()


cdef class Listener(WSListener):
    """One connection: frames to the rules, whole messages to the handler, pings answered, the end told exactly once."""

    def __cinit__(self, MessageHandler handler not None, WsSink sink not None, closed, message_bytes_max):
        self.handler = handler
        self.sink = sink
        self.closed = closed
        self.rules = FrameRules(handler, message_bytes_max)
        self.reason = ""

    cpdef on_ws_connected(self, WSTransport transport):
        self.transport = transport
        self.sink.transport = transport
        self.sink.paused = False
        self.sink.reason = ""
        self.last_read_ns = clock_ns()
        self.handler.on_connected(self.last_read_ns)

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        cdef int result
        if not self.in_batch:
            self.in_batch = True
            self.batch_ns = clock_ns()
            self.last_read_ns = self.batch_ns
            if self.sink.waterfall is not None:
                self.batch_messages = self.rules.messages
                self.sink.waterfall.begin_c(self.batch_ns)
        if transport.is_close_frame_sent and not self.closing_here:
            # Picows' parser found a violation. It goes on parsing what follows, and what precedes it in the same read
            # is delivered after it: neither is let through.
            self.rules.poison_c(1002, "the websocket parser found a violation")
        result = self.rules.on_frame_c(
            frame.msg_type, frame.fin, frame.rsv1 << 2 | frame.rsv2 << 1 | frame.rsv3, frame.payload_ptr,
            frame.payload_size, self.batch_ns, frame.last_in_buffer)
        if frame.last_in_buffer:
            self.in_batch = False
            if self.sink.waterfall is not None:
                self.sink.waterfall.end_c(self.rules.messages - self.batch_messages)
        if result != 0 or frame.msg_type >= 8:
            self.answer_c(frame, result)

    cdef void answer_c(self, WSFrame frame, int result) except *:
        if result == FRAME_VIOLATION:
            self.give_up(self.rules.close_code, self.rules.reason)
        elif result == FRAME_PEER_CLOSED:
            self.transport.send_close(<WSCloseCode> (1000 if self.rules.peer_code == 1005 else self.rules.peer_code))
            self.transport.disconnect(True)
            self.abort_later(1.0)
        elif self.gone is not None and frame.msg_type == WSMsgType.CLOSE:
            self.transport.disconnect(True)
        elif result == 0 and frame.msg_type == WSMsgType.PING:
            self.transport.send_pong(frame.get_payload_as_bytes())
        elif result == 0 and frame.msg_type == WSMsgType.PONG:
            if self.ping_ns != 0:
                self.ping_rtt_ns = self.batch_ns - self.ping_ns
                self.ping_ns = 0
            self.transport.notify_user_specific_pong_received()

    def give_up(self, int code, str reason not None):
        """Close with a code, and abort shortly after whether the peer has answered or not."""
        if not self.reason:
            self.reason = reason
        self.rules.poison_c(code, reason)
        self.transport.send_close(<WSCloseCode> code, reason.encode()[:120])
        self.abort_later(0.01)

    def close(self, str reason not None):
        """Close in order: messages are delivered until the peer has answered, at most a second."""
        if not self.reason:
            self.reason = reason
        self.closing_here = True
        self.transport.send_close(<WSCloseCode> 1000, b"")
        self.abort_later(1.0)

    def hand_over(self, MessageHandler handler not None) -> None:
        """Deliver to this handler from now on. It is told as of a connection that has just come up."""
        self.handler = handler
        self.rules.handler = handler
        handler.on_connected(clock_ns())

    def retire(self, str reason not None, gone not None) -> None:
        """The end, told at once; the socket is closed in order behind it, within a second.

        Frames that still come are dropped; ``gone(count)`` is told how many when the socket is closed.
        """
        if self.told:
            return
        self.gone = gone
        self.sink.waterfall = None
        self.close(reason)
        self.end()

    def abort_later(self, double after_s):
        """Abort after a while whatever the peer does: an orderly end may hang on a peer that reads nothing."""
        self.transport._loop.call_later(after_s, self.transport.underlying_transport.abort)

    cpdef on_ws_disconnected(self, WSTransport transport):
        self.end()
        if self.gone is not None:
            self.gone(self.rules.dropped)

    def end(self):
        """Tell the end, once: nothing is delivered or written any more."""
        if self.told:
            return
        self.told = True
        self.rules.poison_c(1006, "the connection is gone")
        self.sink.transport = None
        reason = self.why()
        try:
            self.handler.on_disconnected(clock_ns(), reason)
        finally:
            self.closed(reason)

    def why(self):
        """The reason of the end, in words."""
        handshake = self.transport.close_handshake
        if self.reason or self.sink.reason:
            return self.reason or self.sink.reason
        if self.rules.peer_code:
            return f"the peer closed with {self.rules.peer_code}: {self.rules.reason}"
        if handshake is not None and handshake.sent is not None:
            return f"closed with {int(handshake.sent.code)}: {handshake.sent.reason}"
        return "the connection was lost"

    cpdef send_user_specific_ping(self, WSTransport transport):
        if self.ping_ns == 0:
            self.ping_ns = clock_ns()
        transport.send_ping()

    cpdef is_user_specific_pong(self, WSFrame frame):
        # Pongs go through the rules like every frame; ``answer_c`` tells picows of them.
        return False

    cpdef pause_writing(self):
        self.sink.paused = True

    cpdef resume_writing(self):
        self.sink.paused = False
