"""The core: a function of (state, event, now_ns). Owner: one thread."""

from libc.stdint cimport int32_t, int64_t

from engine.core.conduct cimport Conduct

cdef class Core(Conduct):
    cdef int _dispatch_c(self, int32_t kind, const char* message, Py_ssize_t size, int64_t now_ns) except -1
    cdef int _reply_c(self, const char* message, Py_ssize_t size, int64_t now_ns) except -1
    cdef void _trades_c(self, int64_t now_ns) noexcept
    cdef int _decide_c(self, int64_t now_ns) except -1
    cdef int _check_positions(self, int64_t now_ns) except -1
