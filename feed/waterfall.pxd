"""The waterfall of a tick: every read's times, every Nth with its stages, requests until their answers. One thread."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from feed.exchange_clock cimport Bounds, ExchangeClock
from feed.stamps cimport Stamper, Stamps
from feed.ticks cimport Ticks
from kernels.histograms cimport HistogramSet
from kernels.ring cimport RingWriter

cdef enum:
    IN_FLIGHT = 4096          # requests remembered until their answers; a power of two
    REMEMBERED = 64           # slow reads
    ACKNOWLEDGED = 5          # kinds of requests that are timed
    READS_ASIDE = 16          # reads whose times are put aside before they are counted
    QUOTES_ASIDE = 64         # requests likewise

# A read that took long, as the ring shows it. Times in ns; the stages are 0 unless the read was sampled.
cdef struct SlowRead:
    int64_t at_ns             # CLOCK_BOOTTIME
    int64_t total_ns          # until everything of it was done
    int64_t quote_ns          # until its last request was written; 0: it was answered by none
    int64_t gc_ns             # of it, garbage collection
    int64_t messages
    int64_t cold              # of these, messages for the slow decoder
    int64_t switches          # of the thread against its will, since the last look, at most 0.1 s ago
    int64_t faults            # page faults, likewise
    int64_t sampled
    int64_t stage_ns[9]

# A request until its answer.
cdef struct InFlight:
    uint64_t request
    int64_t sent              # ticks

# Everything that is touched on the way of a tick. ``stamps`` first: its address is the tally's.
cdef struct Tally:
    Stamps stamps
    double ns_per_tick
    bint counted
    bint live                 # what is seen counts
    bint in_read
    bint answered             # this read, by a request
    int32_t every             # of so many reads one is sampled, on average; 0: none
    int32_t until_sample      # reads
    bint sample_next
    uint64_t random
    int64_t begin             # of the read, in ticks
    int64_t begin_ns          # of the read, CLOCK_BOOTTIME, as the handler is told
    int64_t last              # ticks, of the last lap
    int64_t written           # ticks, of the last write
    int64_t armed_ns          # CLOCK_BOOTTIME beside ``begin``, where sampled
    int64_t written_ns        # CLOCK_BOOTTIME beside ``written``, where sampled
    int64_t spent[9]          # ticks by stage
    int64_t told[9]           # the same, as it was at the last write
    int64_t previous_ns       # beginning of the read before; 0: there is none
    int64_t interval_ns       # running mean between reads
    int32_t reads_aside       # times in ticks, put aside: one line of the cache a read instead of one a histogram
    int32_t quotes_aside
    int64_t done_aside[16]
    int64_t answered_aside[16]  # until the last request; -1: there was none
    int64_t quote_aside[64]
    int64_t slow_ns           # a read that takes longer is remembered
    int64_t slow
    int64_t gc_ns             # in this read
    int64_t reads
    int64_t samples
    int64_t switches_before
    int64_t faults_before
    Bounds* exchange
    # Counts of the histograms, which the set keeps alive.
    uint64_t* header
    int64_t* tick_to_quote
    int64_t* corrected
    int64_t* tick_done
    int64_t* total
    int64_t* after
    int64_t* check
    int64_t* delay
    int64_t* stage[9]
    int64_t* ack[5]
    InFlight flying[4096]

cdef class Waterfall(Stamper):
    cdef Tally tally
    cdef SlowRead slow_[64]   # REMEMBERED, a ring
    cdef bint shared
    cdef readonly Ticks clock
    cdef HistogramSet set_
    cdef readonly ExchangeClock exchange
    cdef RingWriter ring
    cdef int64_t looked_ns
    cdef int32_t looks

    cdef int64_t* counts_of(self, str name) except NULL
    cdef void begin_c(self, int64_t now_ns) noexcept nogil      # the first frame of a read is here
    cdef void written_c(self) noexcept nogil                    # the transport has a request's bytes
    cdef void slow_c(self, int64_t done_ns, int64_t messages, bint sampled) noexcept nogil
    cdef void end_c(self, int64_t messages) noexcept nogil      # all of the read is done
