"""How far the exchange's clock is ahead of ours, as an interval that must hold the truth.

With offset = exchange - ours: a message that bears the exchange's time t, received at r, was stamped before we had it, so
offset >= t - r. A request sent at s whose order the exchange says was born at c was there after it left, so offset <= c - s.
The tightest of either in the last one or two windows are the ends: half the fastest round trip is left between them
(the minimum filter of NTP, RFC 5905 section 10, without its assumption that both ways take equally long).
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t


cdef void heard_c(Bounds* bounds, double time_s, int64_t received_ns) noexcept nogil:
    cdef int64_t low
    # A time out of this range is none, and would overflow below.
    if not 0.0 < time_s < 9e9:
        return
    low = <int64_t>(time_s * 1e9) - received_ns
    bounds.heard += 1
    if low > bounds.low[0]:
        bounds.low[0] = low


cdef void executed_c(Bounds* bounds, double time_s, int64_t sent_ns) noexcept nogil:
    cdef int64_t high
    if not 0.0 < time_s < 9e9:
        return
    high = <int64_t>(time_s * 1e9) - sent_ns
    bounds.answered += 1
    if high < bounds.high[0]:
        bounds.high[0] = high


cdef class ExchangeClock:
    """Times of the exchange in seconds since 1970, ours in ns of any clock that does not step."""

    def __cinit__(self):
        self.reset()

    def reset(self) -> None:
        """Forget everything: after a suspend, or for another exchange."""
        cdef int i
        for i in range(2):
            self.bounds.low[i] = INT64_MIN
            self.bounds.high[i] = INT64_MAX

    def turn(self) -> None:
        """Begin a new window; that before the last is forgotten, so that the clocks may drift."""
        self.bounds.low[1] = self.bounds.low[0]
        self.bounds.high[1] = self.bounds.high[0]
        self.bounds.low[0] = INT64_MIN
        self.bounds.high[0] = INT64_MAX

    def heard(self, double time_s, int64_t received_ns) -> None:
        """A message with the exchange's time was received."""
        heard_c(&self.bounds, time_s, received_ns)

    def executed(self, double time_s, int64_t sent_ns) -> None:
        """The exchange told when a request that was sent at ``sent_ns`` was executed."""
        executed_c(&self.bounds, time_s, sent_ns)

    @property
    def bounds_ns(self):
        """(low, high) of exchange - ours; None for an end that nothing bounds. low > high: its stamps contradict each other."""
        low, high = low_c(&self.bounds), min(self.bounds.high[0], self.bounds.high[1])
        return (None if low == INT64_MIN else low), (None if high == INT64_MAX else high)
