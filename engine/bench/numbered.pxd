"""A handler that counts numbered messages on their way to another. Owner: the thread of the connection."""

from libc.stdint cimport int64_t

from feed.frames cimport MessageHandler
from kernels.histogram cimport Histogram

cdef class Numbered(MessageHandler):
    cdef MessageHandler inner
    cdef readonly Histogram lag
    cdef readonly int64_t received
    cdef readonly int64_t misplaced
    cdef readonly int64_t missed
    cdef readonly int64_t largest_batch
    cdef int64_t batch
