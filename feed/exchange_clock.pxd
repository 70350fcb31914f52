"""How far the exchange's clock is ahead of ours, as an interval that must hold the truth. One thread."""

from libc.stdint cimport int64_t

cdef struct Bounds:
    int64_t low[2]            # ns, of this window and the last; INT64_MIN: nothing was told
    int64_t high[2]           # INT64_MAX: nothing
    int64_t heard
    int64_t answered

cdef class ExchangeClock:
    cdef Bounds bounds

# A message with the exchange's time was received.
cdef void heard_c(Bounds* bounds, double time_s, int64_t received_ns) noexcept nogil
# The exchange told when a request that was sent at ``sent_ns`` was executed.
cdef void executed_c(Bounds* bounds, double time_s, int64_t sent_ns) noexcept nogil

cdef inline int64_t low_c(const Bounds* bounds) noexcept nogil:
    """The lower end; INT64_MIN: nothing was heard."""
    return max(bounds.low[0], bounds.low[1])
