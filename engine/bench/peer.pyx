"""The other end of the loopback rig: sends prepared frames, waits for their answers, and reads the clock around both.

A raw socket and websocket framing by hand, so that what is measured is the client. Spinning, it asks the socket again
and again and never sleeps; otherwise it blocks in the kernel. ``floor_client`` is the same on the client's side: the
least that any program can do. Times in ns of CLOCK_MONOTONIC; one thread.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memmove, memset

import numpy as np

from engine.bench.harness cimport monotonic_ns

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int descriptor, void* data, size_t size, int flags)
    ssize_t send(int descriptor, const void* data, size_t size, int flags)
    int MSG_DONTWAIT
    int MSG_NOSIGNAL
    int MSG_PEEK

cdef enum:
    BUFFER_BYTES = 1048576
    OPCODE_TEXT = 1
    OPCODE_CLOSE = 8
    OPCODE_PING = 9
    OPCODE_PONG = 10
    MASKED = 0x80
    FIN = 0x80

cdef char* PING = b"\x89\x00"


def server_frame(bytes payload not None):
    """A text frame as a server sends it (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((FIN | OPCODE_TEXT, size)) + payload
    if size < 65536:
        return bytes((FIN | OPCODE_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((FIN | OPCODE_TEXT, 127)) + size.to_bytes(8, "big") + payload


cdef class Peer:
    """One connected socket whose websocket handshake is over, on either side.

    tls: the socket that encrypts, where ``descriptor`` carries TLS; its calls are Python's.
    """

    def __cinit__(self, int descriptor, bint spin, tls=None):
        self.descriptor = descriptor
        self.spin = spin
        self.tls = tls
        self.buffer_ = <char*>malloc(BUFFER_BYTES)
        if self.buffer_ == NULL:
            raise MemoryError("no memory for a receive buffer")

    def __dealloc__(self):
        free(self.buffer_)

    cdef int send_c(self, const char* data, Py_ssize_t size) except -1 nogil:
        cdef ssize_t done
        if self.tls is not None:
            with gil:
                self.tls.sendall(data[:size])
            return 0
        while size > 0:
            done = send(self.descriptor, data, size, MSG_NOSIGNAL)
            if done < 0:
                if errno == EINTR or errno == EAGAIN:
                    continue
                with gil:
                    raise ConnectionError(f"send failed: error {errno}")
            data += done
            size -= done
        return 0

    cdef ssize_t wait_c(self) noexcept nogil:
        """Wait until encrypted bytes are there, without taking them."""
        cdef char first
        cdef ssize_t got = recv(self.descriptor, &first, 1, MSG_PEEK | (MSG_DONTWAIT if self.spin else 0))
        while got < 0 and (errno == EAGAIN or errno == EINTR):
            got = recv(self.descriptor, &first, 1, MSG_PEEK | (MSG_DONTWAIT if self.spin else 0))
        return got

    cdef ssize_t take_c(self, void* data, Py_ssize_t room) except -2 nogil:
        """What is there, as ``recv``."""
        if self.tls is None:
            return recv(self.descriptor, data, room, MSG_DONTWAIT if self.spin else 0)
        with gil:
            if self.tls.pending() == 0:
                with nogil:
                    self.wait_c()
            return self.tls.recv_into(<char[:room]>data)

    cdef int need_c(self, Py_ssize_t size) except -1 nogil:
        """Wait until ``size`` bytes are there."""
        cdef ssize_t got
        if self.start + size > BUFFER_BYTES:
            memmove(self.buffer_, self.buffer_ + self.start, self.end - self.start)
            self.end -= self.start
            self.start = 0
            if size > BUFFER_BYTES:
                with gil:
                    raise ConnectionError(f"a frame of {size} bytes")
        while self.end - self.start < size:
            got = self.take_c(self.buffer_ + self.end, BUFFER_BYTES - self.end)
            if got > 0:
                self.end += got
            elif got == 0 or (errno != EAGAIN and errno != EINTR):
                with gil:
                    raise ConnectionError("the other end is gone")
        return 0

    cdef int frame_c(self) except -1 nogil:
        """Take the next frame; its opcode."""
        cdef uint8_t* head
        cdef Py_ssize_t size, extended, i
        cdef int opcode
        if self.start == self.end:
            self.start = 0
            self.end = 0
        self.need_c(2)
        head = <uint8_t*>self.buffer_ + self.start
        opcode = head[0] & 15
        size = head[1] & 127
        extended = 0 if size < 126 else 2 if size == 126 else 8
        self.need_c(2 + extended)
        head = <uint8_t*>self.buffer_ + self.start
        if extended:
            size = 0
            for i in range(extended):
                size = size << 8 | head[2 + i]
        extended += 2 + (4 if head[1] & MASKED else 0)
        self.need_c(extended + size)
        head = <uint8_t*>self.buffer_ + self.start
        self.payload_ = self.buffer_ + self.start + extended
        self.payload_size = size
        if head[1] & MASKED:
            for i in range(size):
                head[extended + i] ^= head[extended - 4 + (i & 3)]
        self.start += extended + size
        return opcode

    cdef int control_c(self, int opcode) except -1 nogil:
        """Answer a ping; an end is an error."""
        if opcode == OPCODE_PING:
            self.send_c(b"\x8a\x00", 2)
        elif opcode == OPCODE_CLOSE:
            with gil:
                raise ConnectionError("the other end closes")
        return 0

    def play(self, frames, expected, bint exact):
        """Send ``frames`` one by one, each behind the answers to the one before; (ns of each step, wrong answers).

        frames: whole frames, as bytes. expected: for each the texts of the requests that answer it; a step takes until
        the first of them has come, or 0 ns when it has none. exact: the texts must be these to the byte, else only their number counts.
        A ping is sent behind each step and its pong awaited, so that no work of one step is measured with the next.
        """
        cdef int64_t[::1] took = np.zeros(len(frames), np.int64)
        cdef int64_t begin
        cdef Py_ssize_t i, size
        cdef int answers, opcode, count
        cdef int64_t wrong = 0
        cdef bytes frame, text
        cdef const char* frame_
        for i in range(len(frames)):
            frame = frames[i]
            frame_ = frame
            size = len(frame)
            texts = expected[i]
            count = len(texts)
            answers = 0
            begin = monotonic_ns()
            self.send_c(frame_, size)
            while answers < count:
                with nogil:
                    opcode = self.frame_c()
                    if opcode != OPCODE_TEXT:
                        self.control_c(opcode)
                if opcode == OPCODE_TEXT:
                    if answers == 0:
                        took[i] = monotonic_ns() - begin
                    text = texts[answers]
                    if exact and (self.payload_size != len(text) or memcmp(self.payload_, <const char*>text, len(text)) != 0):
                        wrong += 1
                    answers += 1
            with nogil:
                self.send_c(PING, 2)
                opcode = 0
                while opcode != OPCODE_PONG:
                    opcode = self.frame_c()
                    self.control_c(opcode)
                    wrong += opcode == OPCODE_TEXT
        return np.asarray(took), wrong


def floor_client(int descriptor, int reply_size, bint spin):
    """Answer every text with ``reply_size`` fixed bytes, and pings, until the other end closes; the number of answers.

    No event loop, no parsing, no masking with a new key: the least there is. reply_size: 1 to 65535.
    """
    cdef char[65544] reply
    cdef int opcode
    cdef int64_t answers = 0
    cdef Peer peer = Peer(descriptor, spin)
    cdef int head = 6 if reply_size < 126 else 8
    if not 1 <= reply_size < 65536:
        raise ValueError(f"reply of {reply_size} bytes: give 1 to 65535")
    memset(reply, 0, sizeof(reply))
    reply[0] = <char>(FIN | OPCODE_TEXT)
    reply[1] = <char>(MASKED | (reply_size if reply_size < 126 else 126))
    if reply_size >= 126:
        reply[2] = <char>(reply_size >> 8)
        reply[3] = <char>(reply_size & 255)
    with nogil:
        opcode = peer.frame_c()
        while opcode != OPCODE_CLOSE:
            if opcode == OPCODE_TEXT:
                peer.send_c(reply, head + reply_size)
                answers += 1
            elif opcode == OPCODE_PING:
                peer.send_c(b"\x8a\x80\x00\x00\x00\x00", 6)
            opcode = peer.frame_c()
    return answers
