"""The waterfall of a tick: every read's times, every Nth with its stages, requests until their answers.

What is noted, all of it in ``histograms``, ns:

- every read: from its first frame until its requests are written (``tick_to_quote``, a value a request) and until all of it
  is done (``tick_done``); ``tick_to_quote_corrected`` adds what a stall hid (coordinated omission): reads of length d where
  one comes every i hide waits of d - i, d - 2i …
- one read in ``every``, at random, or one each 10 ms where reads are rare: its stages up to the last request. They come
  from one reading of the counter after the other, so they sum to ``stages_total`` exactly; ``stages_check`` is how far
  CLOCK_BOOTTIME, read beside it, disagrees.
- every request of the quoter's: from its write until the read with its answer (``ack_*``).
- garbage collections, the event loop's lateness, and the age of market data over that of the freshest (``feed_delay``).

Times of reads are put aside and counted sixteen at once, after a read or at the next look: less than 0.1 s later.
Reads that take long are remembered one by one with what is known of the cause. A kernel's receive stamp is not to be had:
the event loop reads with read(2), and SO_TIMESTAMPNS comes only with recvmsg(2). Owner thread: the event loop's.
"""

from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint64_t
from libc.stdlib cimport labs
from libc.string cimport memcpy, memset

import numpy as np

from feed.exchange_clock cimport ExchangeClock, executed_c, heard_c, low_c
from feed.stamps cimport STAGE_WRITE, STAGES, Stamper, Stamps, lap_c
from feed.ticks cimport CLOCK_BOOTTIME, Ticks, clock_of, ticks_c
from kernels.histogram cimport Histogram, count_c, hidden_c
from kernels.histograms cimport HistogramSet, open_c, shut_c
from kernels.ring cimport RingWriter

from feed.stamps import NAMES

cdef extern from "sys/resource.h" nogil:
    struct rusage:
        long ru_minflt
        long ru_majflt
        long ru_nivcsw
    int RUSAGE_THREAD
    int getrusage(int who, rusage* usage)

cdef enum:
    SAMPLE_NS = 10000000
    GAP_NS_MAX = 1000000000
    GROUP_QUOTE = 0
    GROUP_DONE = 1
    GROUP_STAGES = 2
    GROUP_ACKS = 3
    GROUP_DELAY = 4
    GAP_SHARE = 128               # a gap between reads moves their running mean by this fraction

SLOW_NS = 1_000_000
"""Before there is a median: what is slow."""
SLOW_MEDIANS = 10
LOOK_NS = 1_000_000_000
TURN_LOOKS = 30
ACKS = ("insert", "amend", "cancel", "mass_quote", "clear")
"""Kinds of requests that are timed: 1, 2 … of engine.core.requests.RequestKind; a test compares them."""
GROUPS = (
    ("tick_to_quote",), ("tick_done", "tick_to_quote_corrected"),
    (*NAMES, "stages_total", "stages_after", "stages_check"), tuple(f"ack_{kind}" for kind in ACKS), ("feed_delay",),
    ("gc", "loop_lag"),
)
NOTES_OF_A_RUN = (
    "reads", "sampled", "every", "slow", "slow_ns", "interval_ns", "counted", "offset_low_ns", "offset_high_ns", "collections",
)
SLOW = np.dtype([(name, "i8") for name in (
    "at_ns", "total_ns", "quote_ns", "gc_ns", "messages", "cold", "switches", "faults", "sampled")] + [("stage_ns", "i8", 9)])
"""A slow read; ``waterfall.pxd`` explains the members."""
SLOW_READS = REMEMBERED
"""Slow reads that are kept."""


cdef inline int64_t ns_of(Tally* tally, int64_t ticks) noexcept nogil:
    return <int64_t>(ticks * tally.ns_per_tick + 0.5)


cdef void lap(Stamps* stamps, int32_t stage) noexcept nogil:
    cdef Tally* tally = <Tally*>stamps
    cdef int64_t now = ticks_c(tally.counted)
    tally.spent[stage] += now - tally.last
    tally.last = now


cdef void sent(Stamps* stamps, uint64_t request) noexcept nogil:
    """The transport has just stamped the write."""
    cdef Tally* tally = <Tally*>stamps
    cdef InFlight* flying = &tally.flying[request & (IN_FLIGHT - 1)]
    flying.request = request
    flying.sent = tally.written


cdef void answered(Stamps* stamps, uint64_t request, int32_t kind) noexcept nogil:
    cdef Tally* tally = <Tally*>stamps
    cdef InFlight* flying = &tally.flying[request & (IN_FLIGHT - 1)]
    if tally.live and flying.request == request and 0 < kind <= ACKNOWLEDGED:
        open_c(tally.header, GROUP_ACKS)
        count_c(tally.ack[kind - 1], ns_of(tally, tally.begin - flying.sent))
        shut_c(tally.header, GROUP_ACKS)


cdef void told(Stamps* stamps, double time_s) noexcept nogil:
    cdef Tally* tally = <Tally*>stamps
    cdef int64_t freshest
    heard_c(tally.exchange, time_s, tally.begin_ns)
    freshest = low_c(tally.exchange)
    if tally.live and freshest != INT64_MIN:
        open_c(tally.header, GROUP_DELAY)
        count_c(tally.delay, max(tally.begin_ns + freshest - <int64_t>(time_s * 1e9), 1))
        shut_c(tally.header, GROUP_DELAY)


cdef void created(Stamps* stamps, uint64_t request, double time_s) noexcept nogil:
    cdef Tally* tally = <Tally*>stamps
    cdef InFlight* flying = &tally.flying[request & (IN_FLIGHT - 1)]
    if flying.request == request:
        executed_c(tally.exchange, time_s, tally.begin_ns - ns_of(tally, tally.begin - flying.sent))


cdef void stages(Tally* tally, int64_t* spent, int64_t* out_ns) noexcept nogil:
    """Ticks by stage as ns: rounded so that they sum to the rounded total."""
    cdef int64_t sum_ticks = 0, before = 0, until
    cdef int32_t i
    for i in range(<int>STAGES):
        sum_ticks += spent[i]
        until = ns_of(tally, sum_ticks)
        out_ns[i] = until - before
        before = until


cdef void sample(Tally* tally, int64_t now) noexcept nogil:
    """Record the stages of a read that was answered, up to its last request."""
    cdef int64_t[9] stage_ns
    cdef int64_t total = 0
    cdef int32_t i
    stages(tally, tally.told, stage_ns)
    open_c(tally.header, GROUP_STAGES)
    for i in range(<int>STAGES):
        total += stage_ns[i]
        count_c(tally.stage[i], stage_ns[i])
    count_c(tally.total, total)
    count_c(tally.after, ns_of(tally, now - tally.written))
    count_c(tally.check, labs(tally.written_ns - tally.armed_ns - total))
    shut_c(tally.header, GROUP_STAGES)
    tally.samples += 1


cdef void count_aside(Tally* tally) noexcept nogil:
    """Count what was put aside."""
    cdef int32_t i
    if tally.quotes_aside:
        open_c(tally.header, GROUP_QUOTE)
        for i in range(tally.quotes_aside):
            count_c(tally.tick_to_quote, ns_of(tally, tally.quote_aside[i]))
        shut_c(tally.header, GROUP_QUOTE)
    if tally.reads_aside:
        open_c(tally.header, GROUP_DONE)
        for i in range(tally.reads_aside):
            count_c(tally.tick_done, ns_of(tally, tally.done_aside[i]))
            if tally.answered_aside[i] >= 0:
                count_c(tally.corrected, ns_of(tally, tally.answered_aside[i]))
        shut_c(tally.header, GROUP_DONE)
    tally.quotes_aside = 0
    tally.reads_aside = 0


cdef void draw(Tally* tally) noexcept nogil:
    """Which read is sampled next."""
    # Where reads are rare, more of them: one each SAMPLE_NS. By their running mean, not by the gap before this one, or reads
    # after a stall would be overrepresented.
    cdef int64_t every = max(min(SAMPLE_NS // max(tally.interval_ns, <int64_t>1), <int64_t>tally.every), <int64_t>1)
    # Marsaglia, "Xorshift RNGs" (2003): no beat of the market can hide between two samples.
    tally.random ^= tally.random << 13
    tally.random ^= tally.random >> 7
    tally.random ^= tally.random << 17
    tally.until_sample = 1 + <int32_t>(tally.random % <uint64_t>(2 * every - 1))
    tally.sample_next = tally.every > 0


cdef void disturbances(int64_t* switches, int64_t* faults) noexcept nogil:
    """Involuntary context switches and page faults of this thread."""
    cdef rusage usage
    getrusage(RUSAGE_THREAD, &usage)
    switches[0] = usage.ru_nivcsw
    faults[0] = usage.ru_minflt + usage.ru_majflt


cdef class Waterfall(Stamper):
    """Notes one connection after another.

    every: of so many reads one is sampled, on average; 0: none. prefix: of the segments in shared memory, ``-pid-stages``
    (kernels.histograms) and ``-pid-slow`` (a ring of ``SLOW``); None: private memory. Raises as ``kernels.segment.create``.
    """

    def __cinit__(self, prefix=None, int32_t every=32, Ticks clock=None):
        cdef Tally* tally = &self.tally
        cdef int32_t i
        if every < 0:
            raise ValueError(f"one in {every} reads: give 0 or more")
        self.clock = Ticks() if clock is None else clock
        self.exchange = ExchangeClock()
        self.set_ = HistogramSet(prefix, "stages", GROUPS, NOTES_OF_A_RUN)
        self.ring = None if prefix is None else RingWriter(prefix, "slow", SLOW_READS, SLOW)
        self.shared = self.ring is not None
        tally.stamps.lap = lap
        tally.stamps.sent = sent
        tally.stamps.answered = answered
        tally.stamps.told = told
        tally.stamps.created = created
        tally.counted = self.clock.counted
        tally.ns_per_tick = self.clock.ns_per_tick
        tally.every = every
        tally.random = 88172645463325252
        draw(tally)
        tally.slow_ns = SLOW_NS
        tally.exchange = &self.exchange.bounds
        tally.header = self.set_.header_
        tally.tick_to_quote = self.counts_of("tick_to_quote")
        tally.corrected = self.counts_of("tick_to_quote_corrected")
        tally.tick_done = self.counts_of("tick_done")
        tally.total = self.counts_of("stages_total")
        tally.after = self.counts_of("stages_after")
        tally.check = self.counts_of("stages_check")
        tally.delay = self.counts_of("feed_delay")
        for i in range(<int>STAGES):
            tally.stage[i] = self.counts_of(NAMES[i])
        for i in range(ACKNOWLEDGED):
            tally.ack[i] = self.counts_of(f"ack_{ACKS[i]}")

    cdef int64_t* counts_of(self, str name) except NULL:
        return (<Histogram>self.set_.histograms[name]).counts_

    cdef Stamps* stamps_c(self) noexcept nogil:
        return &self.tally.stamps

    # ---- the way of a tick ----

    cdef void begin_c(self, int64_t now_ns) noexcept nogil:
        cdef Tally* tally = &self.tally
        tally.begin_ns = now_ns
        tally.in_read = True
        tally.answered = False
        tally.stamps.cold = 0
        tally.gc_ns = 0
        tally.stamps.armed = tally.sample_next
        if tally.sample_next:
            tally.sample_next = False
            memset(tally.spent, 0, sizeof(tally.spent))
            tally.armed_ns = clock_of(CLOCK_BOOTTIME)
        tally.begin = ticks_c(tally.counted)
        tally.last = tally.begin

    cdef void written_c(self) noexcept nogil:
        cdef Tally* tally = &self.tally
        tally.written = ticks_c(tally.counted)
        if not tally.in_read:
            return
        if tally.stamps.armed:
            tally.spent[<int>STAGE_WRITE] += tally.written - tally.last
            tally.last = tally.written
            tally.written_ns = clock_of(CLOCK_BOOTTIME)
            memcpy(tally.told, tally.spent, sizeof(tally.told))
        tally.answered = True
        if tally.live:
            if tally.quotes_aside == QUOTES_ASIDE:
                count_aside(tally)
            tally.quote_aside[tally.quotes_aside] = tally.written - tally.begin
            tally.quotes_aside += 1

    cdef void end_c(self, int64_t messages) noexcept nogil:
        cdef Tally* tally = &self.tally
        cdef int64_t now = ticks_c(tally.counted)
        cdef int64_t done_ns = ns_of(tally, now - tally.begin)
        cdef int64_t gap_ns
        cdef bint sampled = tally.stamps.armed
        tally.in_read = False
        tally.stamps.armed = False
        tally.reads += 1
        if tally.previous_ns:
            # One long silence says little of how often reads come.
            gap_ns = min(tally.begin_ns - tally.previous_ns, <int64_t>GAP_NS_MAX)
            tally.interval_ns += (gap_ns - tally.interval_ns) // GAP_SHARE if tally.interval_ns else gap_ns
        tally.previous_ns = tally.begin_ns
        tally.until_sample -= 1
        if tally.until_sample <= 0:
            draw(tally)
        if not tally.live:
            return
        tally.done_aside[tally.reads_aside] = now - tally.begin
        tally.answered_aside[tally.reads_aside] = tally.written - tally.begin if tally.answered else -1
        tally.reads_aside += 1
        if tally.reads_aside == READS_ASIDE:
            count_aside(tally)
        # Shorter than two intervals it has kept nobody waiting for a whole one.
        if done_ns >= 2 * tally.interval_ns:
            open_c(tally.header, GROUP_DONE)
            hidden_c(tally.corrected, done_ns, tally.interval_ns)
            shut_c(tally.header, GROUP_DONE)
        if sampled and tally.answered:
            sample(tally, now)
        if done_ns > tally.slow_ns:
            self.slow_c(done_ns, messages, sampled)

    cdef void slow_c(self, int64_t done_ns, int64_t messages, bint sampled) noexcept nogil:
        """Remember a read that took long, with what may have been the cause."""
        cdef Tally* tally = &self.tally
        cdef SlowRead* read = &self.slow_[tally.slow % <int64_t>REMEMBERED]
        cdef int64_t switches, faults
        disturbances(&switches, &faults)
        tally.slow += 1
        memset(read, 0, sizeof(SlowRead))
        read.at_ns = tally.begin_ns
        read.total_ns = done_ns
        read.quote_ns = ns_of(tally, tally.written - tally.begin) if tally.answered else 0
        read.gc_ns = tally.gc_ns
        read.messages = messages
        read.cold = tally.stamps.cold
        read.switches = switches - tally.switches_before
        read.faults = faults - tally.faults_before
        read.sampled = sampled
        if sampled:
            stages(tally, tally.spent, read.stage_ns)
        tally.switches_before = switches
        tally.faults_before = faults
        if self.shared:
            self.ring.push_c(read)

    # ---- beside the ticks ----

    @property
    def histograms(self) -> HistogramSet:
        """What has counted up to now."""
        count_aside(&self.tally)
        return self.set_

    def counts(self) -> None:
        """What is seen counts from now on: the set-up of the connection is over."""
        if not self.tally.live:
            self.tally.live = True
            self.tally.previous_ns = 0
            self.tally.interval_ns = 0
            draw(&self.tally)

    def connecting(self) -> None:
        """A new connection begins: no request of the last one will be answered, and its set-up does not count."""
        self.tally.live = False
        self.tally.previous_ns = 0
        self.tally.interval_ns = 0
        memset(self.tally.flying, 0, sizeof(self.tally.flying))

    def collected(self, int64_t pause_ns) -> None:
        """A garbage collection of this thread has ended."""
        if not self.tally.live:
            return
        self.set_.record({"gc": pause_ns})
        if self.tally.in_read:
            self.tally.gc_ns += pause_ns
        elif pause_ns > self.tally.interval_ns > 0:
            open_c(self.tally.header, GROUP_DONE)
            hidden_c(self.tally.corrected, pause_ns, self.tally.interval_ns)
            shut_c(self.tally.header, GROUP_DONE)

    def lagged(self, int64_t lag_ns) -> None:
        """The event loop has called this much after the time that was asked for."""
        self.set_.record({"loop_lag": lag_ns})

    def look(self, int64_t now_ns, int64_t slow_ns=0) -> None:
        """Several times a second: what is slow from now on, and the notes for readers.

        slow_ns: what is slow; 0: ``SLOW_MEDIANS`` times the median of tick to quote.
        """
        disturbances(&self.tally.switches_before, &self.tally.faults_before)
        count_aside(&self.tally)
        if now_ns - self.looked_ns < LOOK_NS:
            return
        self.looked_ns = now_ns
        self.looks += 1
        if self.looks % TURN_LOOKS == 0:
            self.exchange.turn()
        median_ns = self.set_.histograms["tick_to_quote"].percentile(50.0)
        self.tally.slow_ns = slow_ns or SLOW_MEDIANS * median_ns or SLOW_NS
        self.set_.note(self.facts())

    def facts(self) -> dict:
        """The notes, as integers; an end of the exchange's offset that nothing bounds is 0, as its twin then is."""
        low, high = self.exchange.bounds_ns
        known = low is not None and high is not None
        return {
            "reads": self.tally.reads, "sampled": self.tally.samples, "every": self.tally.every, "slow": self.tally.slow,
            "slow_ns": self.tally.slow_ns, "interval_ns": self.tally.interval_ns, "counted": self.clock.counted,
            "offset_low_ns": low if known else 0, "offset_high_ns": high if known else 0,
            "collections": self.set_.histograms["gc"].count,
        }

    @property
    def slow(self) -> list:
        """The last slow reads, rows of ``SLOW``, oldest first."""
        cdef int64_t i, first = max(self.tally.slow - REMEMBERED, <int64_t>0)
        copies = [(<char*>&self.slow_[i % <int64_t>REMEMBERED])[:sizeof(SlowRead)] for i in range(first, self.tally.slow)]
        return list(np.frombuffer(b"".join(copies), SLOW))

    def close(self) -> None:
        """No more will come: the names in shared memory go."""
        self.tally.live = False
        count_aside(&self.tally)
        self.set_.close()
        if self.ring is not None:
            self.ring.close()

    # ---- for tests and benchmarks: the way of a tick without a transport ----

    def begin(self, int64_t now_ns) -> None:
        """The first frame of a read is here."""
        self.begin_c(now_ns)

    def lap(self, int32_t stage) -> None:
        """A stage has ended. Raises ValueError for a number that is none."""
        if not 0 <= stage < <int>STAGES:
            raise ValueError(f"stage {stage}: 0 to {STAGES - 1}")
        lap_c(&self.tally.stamps, stage)

    def written(self) -> None:
        """A request was written."""
        self.written_c()

    def end(self, int64_t messages=1) -> None:
        """All of the read is done."""
        self.end_c(messages)

    def sent(self, uint64_t request) -> None:
        """The request that was written last."""
        sent(&self.tally.stamps, request)

    def answered(self, uint64_t request, int32_t kind) -> None:
        """A request has its answer."""
        answered(&self.tally.stamps, request, kind)
