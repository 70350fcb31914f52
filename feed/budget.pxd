"""Budget of one class of messages: a token bucket, and the times of the last sends so that no window ever holds more
than ``rate``.

Single thread, no barrier needed. Times in ns of the caller's clock, which must not go back.
"""

from libc.stdint cimport INT64_MIN, int32_t, int64_t
from libc.string cimport memset

cdef enum:
    RATE_MAX = 4096           # messages a window, of any budget

cdef struct Budget:
    int64_t sent              # messages ever sent; the newest is at (sent - 1) % RATE_MAX
    int64_t refilled_ns       # time of ``tokens``; INT64_MIN: nothing was sent yet
    int64_t window_ns
    double tokens             # at ``refilled_ns``; they come back at ``rate`` a second
    double burst
    int32_t rate              # messages a window
    int64_t sent_ns[4096]     # RATE_MAX, a ring

cdef inline void budget_reset_c(Budget* budget, int32_t rate, double burst, int64_t window_ns) noexcept nogil:
    memset(budget, 0, sizeof(Budget))
    budget.window_ns = window_ns
    budget.refilled_ns = INT64_MIN
    budget.rate = rate
    budget.burst = burst
    budget.tokens = burst

cdef inline double budget_tokens_c(const Budget* budget, int64_t now_ns) noexcept nogil:
    cdef double tokens
    if budget.refilled_ns == INT64_MIN:
        return budget.burst
    tokens = budget.tokens + <double> (now_ns - budget.refilled_ns) * budget.rate / 1e9
    return tokens if tokens < budget.burst else budget.burst

# The first time from now on at which no window holds more than ``allowed`` messages with one more.
cdef inline int64_t budget_window_c(const Budget* budget, int64_t now_ns, int32_t allowed) noexcept nogil:
    cdef int64_t free_ns
    if budget.sent >= allowed:
        free_ns = budget.sent_ns[(budget.sent - allowed) % RATE_MAX] + budget.window_ns
        if free_ns > now_ns:
            return free_ns
    return now_ns

# The first time from now on at which a message that leaves ``reserve`` messages over is within the budget.
cdef inline int64_t budget_next_c(const Budget* budget, int64_t now_ns, int32_t reserve) noexcept nogil:
    cdef int32_t allowed = budget.rate - reserve
    cdef int64_t at_ns = budget_window_c(budget, now_ns, allowed if allowed > 1 else 1)
    cdef int64_t free_ns
    cdef double spare = budget.burst - 1.0
    cdef double needed = 1.0 + (reserve if reserve < spare else spare)
    cdef double tokens
    tokens = budget_tokens_c(budget, now_ns)
    if tokens < needed:
        # One ns more than the quotient: what is said to be free then must be free then, whatever was rounded.
        free_ns = now_ns + <int64_t> ((needed - tokens) * 1e9 / budget.rate) + 1
        if free_ns > at_ns:
            at_ns = free_ns
    return at_ns

cdef inline void budget_take_c(Budget* budget, int64_t now_ns) noexcept nogil:
    budget.tokens = budget_tokens_c(budget, now_ns) - 1.0
    if budget.tokens < 0.0:
        budget.tokens = 0.0
    budget.refilled_ns = now_ns
    budget.sent_ns[budget.sent % RATE_MAX] = now_ns
    budget.sent += 1
