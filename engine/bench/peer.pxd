"""The other end of the loopback rig: a websocket server in C. Owner: one thread."""

from libc.stdint cimport int64_t

cdef extern from "sys/types.h" nogil:
    ctypedef Py_ssize_t ssize_t

cdef class Peer:
    cdef int descriptor
    cdef object tls                 # the socket that encrypts, or None
    cdef bint spin
    cdef char* buffer_
    cdef Py_ssize_t start           # of what was received and not taken yet
    cdef Py_ssize_t end
    cdef char* payload_             # of the last frame, unmasked in place
    cdef Py_ssize_t payload_size
    cdef ssize_t wait_c(self) noexcept nogil
    cdef ssize_t take_c(self, void* data, Py_ssize_t room) except -2 nogil
    cdef int send_c(self, const char* data, Py_ssize_t size) except -1 nogil
    cdef int need_c(self, Py_ssize_t size) except -1 nogil
    cdef int frame_c(self) except -1 nogil
    cdef int control_c(self, int opcode) except -1 nogil
