"""The echo that the loopback figures are compared with: picows in Cython on uvloop, which answers and does nothing else.

Each text frame is answered with a text of a fixed size, written from a buffer like the engine's requests. What the
engine adds to this is its work; what this costs is the transport's.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memset

from picows.picows cimport WSFrame, WSListener, WSMsgType, WSTransport

cdef enum:
    HEADROOM = 16


cdef class EchoListener(WSListener):
    """Answers with ``reply_size`` bytes; ``closed`` is called when the connection ends."""

    def __cinit__(self, Py_ssize_t reply_size, closed):
        if reply_size < 1:
            raise ValueError(f"reply of {reply_size} bytes: give at least 1")
        self.reply_ = <char*>malloc(HEADROOM + reply_size)
        if self.reply_ == NULL:
            raise MemoryError("no memory for a reply")
        self.reply_size = reply_size
        self.closed = closed

    def __dealloc__(self):
        free(self.reply_)

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        if frame.msg_type == WSMsgType.TEXT:
            # Sending masks the buffer in place, so it is written anew, as a request is encoded anew.
            memset(self.reply_ + HEADROOM, 32, self.reply_size)
            transport.send_reuse_external_buffer(WSMsgType.TEXT, self.reply_ + HEADROOM, self.reply_size)
            self.answers += 1
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    cpdef on_ws_disconnected(self, WSTransport transport):
        self.closed()
