"""The way out of the process: five priorities, the venue's message budgets, and a circuit breaker.

Rules, in the order in which they win:

1. A cancel is written at once in every state. The cancel budget only counts; only a sink that takes no bytes makes
   a cancel wait, in a queue that goes first.
2. A clear (a mass quote that only removes) counts as a matching message. It takes whatever is left of the window, at
   once and without regard to the burst; with nothing left, or while the breaker is not closed, it is refused, and the
   caller cancels the session instead, which is rule 1.
3. Changes that reduce risk and new quotes are sent now or refused, never queued: what is sent late would be planned
   from old data. New quotes leave a reserve of the budget to the changes that reduce risk and to the clears.
4. Everything else waits in a queue for its own modest budget.

The matching budget is a token bucket, and also remembers when its last messages left: whatever the venue counts by (a
bucket or a fixed window, thalex protocol section 10 leaves it open), no window of ``window_ns`` ever holds more than
``message_rate`` messages. The bucket's burst is half the rate (at least one message), so that a burst leaves something
for the rest of its second.

The breaker opens at once when the venue throttles, or on too many rejects in a short time. After its pause one probe
may pass; a failed probe reopens it for twice as long, a good one closes it. Throttling halves the rate; it comes back
by one message a second.

Owner thread: the one that sends. Times in ns of the caller's clock, which must not go back.
"""

from libc.stdint cimport INT64_MIN, int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from feed.budget cimport RATE_MAX, budget_next_c, budget_reset_c, budget_take_c, budget_window_c
from feed.frames cimport SINK_HEADROOM, Sink

cdef enum:
    LENGTH_BYTES = 8

cdef int64_t NEVER = INT64_MIN


cdef class Queue:
    """A bounded first-in-first-out queue of byte strings in one preallocated buffer."""

    def __cinit__(self, Py_ssize_t capacity):
        self.capacity = capacity
        self.buffer_ = <char*> malloc(capacity)
        if self.buffer_ == NULL:
            raise MemoryError("no memory for a queue of requests")

    def __dealloc__(self):
        free(self.buffer_)

    cdef bint push_c(self, const char* text, Py_ssize_t size) noexcept nogil:
        cdef int64_t length = size
        if size < 0 or size > self.capacity - LENGTH_BYTES:
            return False
        if self.tail + LENGTH_BYTES + size > self.capacity:
            memmove(self.buffer_, self.buffer_ + self.head, self.tail - self.head)
            self.tail -= self.head
            self.head = 0
        if self.tail + LENGTH_BYTES + size > self.capacity:
            return False
        memcpy(self.buffer_ + self.tail, &length, LENGTH_BYTES)
        memcpy(self.buffer_ + self.tail + LENGTH_BYTES, text, size)
        self.tail += LENGTH_BYTES + size
        self.count += 1
        return True

    cdef Py_ssize_t front_c(self, char* text) noexcept nogil:
        cdef int64_t length
        if self.count == 0:
            return -1
        memcpy(&length, self.buffer_ + self.head, LENGTH_BYTES)
        memcpy(text, self.buffer_ + self.head + LENGTH_BYTES, length)
        return length

    cdef void pop_c(self) noexcept nogil:
        cdef int64_t length
        memcpy(&length, self.buffer_ + self.head, LENGTH_BYTES)
        self.head += LENGTH_BYTES + length
        self.count -= 1
        if self.count == 0:
            self.clear_c()

    cdef void clear_c(self) noexcept nogil:
        self.head = 0
        self.tail = 0
        self.count = 0


cdef class Outbox:
    """Sends requests to ``sink`` by priority and within the budgets.

    ``message_rate``: matching messages a window (``set_message_rate`` takes the venue's figure after login).
    ``cancel_rate``: only counted. ``other_rate``: queries and set-up. ``burst_share`` of the rate may leave at once.
    ``reserve_percent`` of the rate is kept from new quotes. ``window_ns``: one second, and room for jitter on the way.
    ``queue_bytes`` bounds each queue, ``queue_age_max_ns`` how long the sink may refuse bytes.
    Breaker: ``rejects_to_open`` rejects within ``reject_window_ns`` open it, for ``open_ns`` up to ``open_max_ns``.
    """

    def __cinit__(self, Sink sink not None, int32_t message_rate=10, int32_t cancel_rate=1000, *, int32_t other_rate=50,
                  double burst_share=0.5, int32_t reserve_percent=20, int64_t window_ns=1_020_000_000,
                  Py_ssize_t queue_bytes=262_144, int64_t queue_age_max_ns=1_000_000_000, int64_t retry_ns=1_000_000,
                  int32_t rejects_to_open=10, int64_t reject_window_ns=1_000_000_000, int64_t open_ns=1_000_000_000,
                  int64_t open_max_ns=60_000_000_000, int64_t probe_timeout_ns=5_000_000_000,
                  int64_t recovery_ns=1_000_000_000):
        if not 1 <= message_rate <= RATE_MAX or not 1 <= cancel_rate <= RATE_MAX or not 1 <= other_rate <= RATE_MAX:
            raise ValueError(f"rates must be 1 to {RATE_MAX} messages a second")
        if not 0.0 < burst_share <= 1.0 or not 0 <= reserve_percent < 100:
            raise ValueError("burst_share must be in (0, 1] and reserve_percent in [0, 100)")
        if not 1 <= rejects_to_open <= REJECTS_MAX:
            raise ValueError(f"rejects_to_open must be 1 to {REJECTS_MAX}")
        if window_ns < 1 or queue_bytes < 1024 or not 0 < open_ns <= open_max_ns or retry_ns < 1:
            raise ValueError("window_ns, queue_bytes, open_ns, open_max_ns and retry_ns must be positive and in order")
        self.sink = sink
        self.burst_share = burst_share
        self.reserve_percent = reserve_percent
        self.queue_age_max_ns = queue_age_max_ns
        self.retry_ns = retry_ns
        self.rejects_to_open = rejects_to_open
        self.reject_window_ns = reject_window_ns
        self.open_ns = open_ns
        self.open_min_ns = open_ns
        self.open_max_ns = open_max_ns
        self.probe_timeout_ns = probe_timeout_ns
        self.recovery_ns = recovery_ns
        self.open_until_ns = NEVER
        self.recovered_ns = NEVER
        self.cancel_queue = Queue(queue_bytes)
        self.other_queue = Queue(queue_bytes)
        self.scratch = <char*> malloc(SINK_HEADROOM + queue_bytes)
        if self.scratch == NULL:
            raise MemoryError("no memory for queued requests")
        self.message_rate = message_rate
        budget_reset_c(&self.matching, message_rate, 1.0, window_ns)
        budget_reset_c(&self.cancels, cancel_rate, cancel_rate, 1_000_000_000)
        budget_reset_c(&self.others, other_rate, other_rate, window_ns)
        self.attach(sink)

    def __dealloc__(self):
        free(self.scratch)

    def attach(self, Sink sink not None):
        """Send to another connection. What was queued for the last one is dropped: its orders went with it, and the
        venue counts messages by connection. The breaker's state stays."""
        cdef int32_t rate = self.matching.rate
        self.sink = sink
        self.cancel_queue.clear_c()
        self.other_queue.clear_c()
        self.blocked_since_ns = NEVER
        self.retry_at_ns = NEVER
        self.probe_ns = NEVER
        budget_reset_c(&self.matching, rate, 1.0, self.matching.window_ns)
        budget_reset_c(&self.cancels, self.cancels.rate, self.cancels.rate, self.cancels.window_ns)
        budget_reset_c(&self.others, self.others.rate, self.others.rate, self.others.window_ns)
        self.set_effective_rate_c(rate)
        self.matching.tokens = self.matching.burst

    def set_message_rate(self, int32_t rate):
        """The venue's matching messages a second. Raises ``ValueError`` outside of 1 to 4096."""
        if not 1 <= rate <= RATE_MAX:
            raise ValueError(f"the message rate must be 1 to {RATE_MAX}, not {rate}")
        self.message_rate = rate
        self.set_effective_rate_c(rate)

    cdef void set_effective_rate_c(self, int32_t rate) noexcept nogil:
        cdef double burst = rate * self.burst_share
        self.matching.rate = rate
        self.matching.burst = burst if burst > 1.0 else 1.0
        if self.matching.tokens > self.matching.burst:
            self.matching.tokens = self.matching.burst

    cdef int32_t reserve_c(self, int32_t priority) noexcept nogil:
        if priority == PRIORITY_QUOTE:
            return (self.matching.rate * self.reserve_percent + 99) // 100
        return 0

    cdef bint breaker_admits_c(self, int64_t now_ns) noexcept nogil:
        if self.breaker == BREAKER_CLOSED:
            return True
        if self.breaker == BREAKER_OPEN:
            if now_ns < self.open_until_ns:
                return False
            self.breaker = BREAKER_HALF_OPEN
            self.probe_ns = NEVER
        return self.probe_ns == NEVER or now_ns - self.probe_ns >= self.probe_timeout_ns

    cdef bint admits_c(self, int32_t priority, int64_t now_ns) noexcept nogil:
        if priority == PRIORITY_CANCEL:
            return True
        if priority == PRIORITY_OTHER:
            return self.blocked_since_ns == NEVER and budget_next_c(&self.others, now_ns, 0) <= now_ns
        if priority == PRIORITY_CLEAR:
            return (self.blocked_since_ns == NEVER and self.breaker == BREAKER_CLOSED
                    and budget_window_c(&self.matching, now_ns, self.matching.rate) <= now_ns)
        if self.cancel_queue.count > 0 or now_ns < self.retry_at_ns or not self.breaker_admits_c(now_ns):
            return False
        return budget_next_c(&self.matching, now_ns, self.reserve_c(priority)) <= now_ns

    cdef int64_t next_admission_c(self, int32_t priority, int64_t now_ns) noexcept nogil:
        cdef int64_t at_ns = now_ns
        if priority == PRIORITY_CANCEL:
            return now_ns
        if priority == PRIORITY_OTHER:
            at_ns = budget_next_c(&self.others, now_ns, 0)
        else:
            at_ns = budget_next_c(&self.matching, now_ns, self.reserve_c(priority))
            if self.breaker == BREAKER_OPEN and self.open_until_ns > at_ns:
                at_ns = self.open_until_ns
            elif self.breaker == BREAKER_HALF_OPEN and self.probe_ns != NEVER:
                if self.probe_ns + self.probe_timeout_ns > at_ns:
                    at_ns = self.probe_ns + self.probe_timeout_ns
        if self.blocked_since_ns != NEVER and self.retry_at_ns > at_ns:
            at_ns = self.retry_at_ns
        return at_ns

    cdef void spend_c(self, int64_t now_ns) noexcept nogil:
        budget_take_c(&self.matching, now_ns)

    cdef bint stuck_c(self, int64_t now_ns) noexcept nogil:
        """Has the sink refused for too long, and was it tried lately?"""
        return (self.blocked_since_ns != NEVER and now_ns - self.blocked_since_ns > self.queue_age_max_ns
                and now_ns - self.retry_at_ns <= self.queue_age_max_ns)

    cdef bint write_c(self, int32_t priority, char* text, Py_ssize_t size, int64_t now_ns) noexcept:
        """Write one message and account for it. False: the sink takes nothing now, and ``text`` is as it was."""
        if self.sink.write_c(text, size) != 0:
            # A refusal long after the last one begins a new blockage: what was in between nobody has seen.
            if self.blocked_since_ns == NEVER or now_ns - self.retry_at_ns > self.queue_age_max_ns:
                self.blocked_since_ns = now_ns
            self.retry_at_ns = now_ns + self.retry_ns
            return False
        self.blocked_since_ns = NEVER
        self.retry_at_ns = NEVER
        self.sent_by_priority[priority] += 1
        self.bytes_out += size
        if priority == PRIORITY_CANCEL:
            if budget_next_c(&self.cancels, now_ns, 0) > now_ns:
                self.cancels_over_rate += 1
            budget_take_c(&self.cancels, now_ns)
        elif priority == PRIORITY_OTHER:
            budget_take_c(&self.others, now_ns)
        else:
            budget_take_c(&self.matching, now_ns)
            if self.breaker == BREAKER_HALF_OPEN:
                self.probe_ns = now_ns
        return True

    cdef int32_t enqueue_c(self, int32_t priority, const char* text, Py_ssize_t size, int64_t now_ns) noexcept:
        cdef Queue queue = self.cancel_queue if priority == PRIORITY_CANCEL else self.other_queue
        if self.stuck_c(now_ns) or not queue.push_c(text, size):
            self.overflows += 1
            return SUBMIT_FULL
        self.queued += 1
        return SUBMIT_QUEUED

    cdef int32_t submit_c(self, int32_t priority, char* text, Py_ssize_t size, int64_t now_ns) noexcept:
        cdef bint tried = self.cancel_queue.count > 0
        if tried:
            self.drain_c(now_ns)
        if priority == PRIORITY_CANCEL:
            if self.cancel_queue.count == 0 and self.write_c(priority, text, size, now_ns):
                return SUBMIT_SENT
            return self.enqueue_c(priority, text, size, now_ns)
        if priority == PRIORITY_OTHER:
            if self.cancel_queue.count + self.other_queue.count == 0:
                if budget_next_c(&self.others, now_ns, 0) <= now_ns and self.write_c(priority, text, size, now_ns):
                    return SUBMIT_SENT
            return self.enqueue_c(priority, text, size, now_ns)
        if self.admits_c(priority, now_ns):
            if self.write_c(priority, text, size, now_ns):
                return SUBMIT_SENT
            tried = True
        if tried and self.stuck_c(now_ns):
            self.overflows += 1
            return SUBMIT_FULL
        self.refused += 1
        return SUBMIT_REFUSED

    cdef int32_t drain_c(self, int64_t now_ns) noexcept:
        """Write queued cancels until the sink refuses."""
        cdef int32_t sent = 0
        cdef Py_ssize_t size
        while self.cancel_queue.count > 0:
            size = self.cancel_queue.front_c(self.scratch + SINK_HEADROOM)
            if not self.write_c(PRIORITY_CANCEL, self.scratch + SINK_HEADROOM, size, now_ns):
                break
            self.cancel_queue.pop_c()
            sent += 1
        return sent

    cdef int32_t flush_c(self, int64_t now_ns) noexcept:
        cdef int32_t sent = self.drain_c(now_ns)
        cdef Py_ssize_t size
        while self.cancel_queue.count == 0 and self.other_queue.count > 0:
            if budget_next_c(&self.others, now_ns, 0) > now_ns:
                break
            size = self.other_queue.front_c(self.scratch + SINK_HEADROOM)
            if not self.write_c(PRIORITY_OTHER, self.scratch + SINK_HEADROOM, size, now_ns):
                break
            self.other_queue.pop_c()
            sent += 1
        if self.cancel_queue.count + self.other_queue.count > 0 and self.stuck_c(now_ns):
            self.overflows += 1
            return SUBMIT_FULL
        return sent

    cdef void open_c(self, int64_t now_ns) noexcept nogil:
        """Open the breaker. From half-open, for twice as long as the last time; while open, from now on again."""
        if self.breaker == BREAKER_HALF_OPEN:
            self.open_ns = self.open_ns * 2 if self.open_ns <= self.open_max_ns // 2 else self.open_max_ns
        if self.breaker != BREAKER_OPEN:
            self.openings += 1
        self.breaker = BREAKER_OPEN
        self.open_until_ns = now_ns + self.open_ns
        self.probe_ns = NEVER
        self.rejects = 0

    cdef void on_throttled_c(self, int64_t now_ns) noexcept nogil:
        self.throttles += 1
        if self.breaker != BREAKER_OPEN:
            self.set_effective_rate_c(self.matching.rate // 2 if self.matching.rate > 1 else 1)
        self.recovered_ns = now_ns
        self.open_c(now_ns)

    cdef void on_rejected_c(self, int64_t now_ns) noexcept nogil:
        cdef int64_t oldest_ns
        if self.breaker == BREAKER_HALF_OPEN:
            # A reply to something sent before the breaker opened says nothing about the probe.
            if self.probe_ns != NEVER:
                self.open_c(now_ns)
            return
        if self.breaker == BREAKER_OPEN:
            return
        self.reject_ns[self.rejects % REJECTS_MAX] = now_ns
        self.rejects += 1
        if self.rejects >= self.rejects_to_open:
            oldest_ns = self.reject_ns[(self.rejects - self.rejects_to_open) % REJECTS_MAX]
            if now_ns - oldest_ns < self.reject_window_ns:
                self.open_c(now_ns)

    cdef void on_accepted_c(self, int64_t now_ns) noexcept nogil:
        if self.breaker == BREAKER_HALF_OPEN and self.probe_ns != NEVER:
            self.breaker = BREAKER_CLOSED
            self.probe_ns = NEVER
            self.open_ns = self.open_min_ns
            self.rejects = 0
            self.recovered_ns = now_ns
        elif self.breaker == BREAKER_CLOSED and self.matching.rate < self.message_rate:
            if now_ns - self.recovered_ns >= self.recovery_ns:
                self.recovered_ns = now_ns
                self.set_effective_rate_c(self.matching.rate + 1)

    def submit(self, int32_t priority, bytes text not None, int64_t now_ns):
        """Send a copy of ``text``: 1 sent, 2 queued, 0 refused, -1 give the connection up. ``priority`` is 0 to 4."""
        cdef Py_ssize_t size = len(text)
        cdef char* copy
        cdef int32_t code
        if not 0 <= priority < PRIORITIES:
            raise ValueError(f"no such priority: {priority}")
        copy = <char*> malloc(SINK_HEADROOM + size)
        if copy == NULL:
            raise MemoryError("no memory for a request")
        memcpy(copy + SINK_HEADROOM, <const char*> text, size)
        code = self.submit_c(priority, copy + SINK_HEADROOM, size, now_ns)
        free(copy)
        return code

    def admits(self, int32_t priority, int64_t now_ns):
        """May a message of this priority leave right now?"""
        return self.admits_c(priority, now_ns)

    def next_admission(self, int32_t priority, int64_t now_ns):
        """The first time (ns) at which a message of this priority may leave if nothing else does before."""
        return self.next_admission_c(priority, now_ns)

    def flush(self, int64_t now_ns):
        """Send what is queued and allowed; the count, or -1 when the sink has refused bytes for too long."""
        return self.flush_c(now_ns)

    def on_throttled(self, int64_t now_ns):
        """The venue answered with error 4."""
        self.on_throttled_c(now_ns)

    def on_rejected(self, int64_t now_ns):
        """The venue answered a request with another error."""
        self.on_rejected_c(now_ns)

    def on_accepted(self, int64_t now_ns):
        """The venue accepted a request."""
        self.on_accepted_c(now_ns)

    def stats(self):
        """Counters and state, as plain numbers; ``breaker`` is closed, open or half-open."""
        return {
            "sent_cancel": self.sent_by_priority[<int> PRIORITY_CANCEL],
            "sent_reduce": self.sent_by_priority[<int> PRIORITY_REDUCE],
            "sent_quote": self.sent_by_priority[<int> PRIORITY_QUOTE],
            "sent_other": self.sent_by_priority[<int> PRIORITY_OTHER],
            "sent_clear": self.sent_by_priority[<int> PRIORITY_CLEAR],
            "bytes_out": self.bytes_out,
            "queued": self.queued,
            "waiting": self.cancel_queue.count + self.other_queue.count,
            "refused": self.refused,
            "overflows": self.overflows,
            "cancels_over_rate": self.cancels_over_rate,
            "throttles": self.throttles,
            "openings": self.openings,
            "breaker": ("closed", "open", "half-open")[self.breaker],
            "open_until_ns": self.open_until_ns if self.breaker == BREAKER_OPEN else 0,
            "message_rate": self.message_rate,
            "effective_rate": self.matching.rate,
        }
