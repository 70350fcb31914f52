"""The echo that the loopback figures are compared with. Owner: the event loop's thread."""

from libc.stdint cimport int64_t

from picows.picows cimport WSListener

cdef class EchoListener(WSListener):
    cdef char* reply_
    cdef Py_ssize_t reply_size
    cdef object closed
    cdef readonly int64_t answers
