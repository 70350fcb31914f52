"""A and k of one instrument from its own quotes. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t

from engine.core.orders cimport OrderTable
from kernels.rates cimport RateFit
from kernels.records cimport Settings

cdef enum:
    CELLS = 60                        # of half a basis point: quotes further out are not counted
    BLOCKS = 12                       # of time, in the memory
    STANDING_MAX = 64

cdef enum Verdict:
    RATES_USED = 0
    RATES_BOUNDED = 1
    RATES_OFF = 2
    RATES_NOT_YET = 3
    RATES_NO_TIME = 4
    RATES_FEW_DISTANCES = 5
    RATES_FEW_FILLS = 6
    RATES_NO_MAXIMUM = 7
    RATES_NO_DECAY = 8
    RATES_WIDE = 9
    RATES_UNTESTED = 10
    RATES_DRIFT = 11

cdef struct Block:                    # by side: 0 bid, 1 ask
    double seconds[2][60]
    double hits[2][60]
    double together[2][3]             # sums over market orders of (n n, n s, s s), n quotes hit at distances that sum to s

cdef class Calibrator:
    cdef int64_t due_ns               # of the next look
    cdef int64_t fit_ns               # of the next fit
    cdef int64_t last_ns
    cdef int64_t first_ns             # of all looks
    cdef int64_t block_ends_ns
    cdef bint live
    cdef int64_t interval_ns
    cdef int64_t block_ns
    cdef double most
    cdef double kappa_                # as configured: 1/USD, NaN: per_bp
    cdef double kappa_per_bp_
    cdef double intensity_
    cdef int32_t verdict
    cdef double kappa_per_bp          # to quote with; NaN: as configured
    cdef double intensity
    cdef double drift                 # Wald's statistic of the newer half against the older; -1.0: none
    cdef readonly int64_t fits
    cdef int32_t standing_count[2]
    cdef int32_t standing[2][64]      # cells
    cdef double order_s               # venue's time and side of the last market order that hit us
    cdef int32_t order_side
    cdef double order_quotes
    cdef double order_bps
    cdef RateFit both
    cdef RateFit side_fit[2]
    cdef int32_t head
    cdef int32_t count
    cdef double centre[60]
    cdef Block block[12]

    cdef bint look_c(self, OrderTable table, int32_t instrument, double fair_usd, double tick_usd, bint live, int64_t now_ns) noexcept nogil
    cdef void fill_c(self, int32_t side, int64_t ticks, double time_s, double fair_usd, double tick_usd) noexcept nogil
    cdef void take_base_c(self, Settings* settings) noexcept nogil
    cdef void act_c(self, Settings* settings) noexcept nogil
    cdef Block* block_c(self, int64_t now_ns) noexcept nogil
    cdef void stand_c(self, Block* block, double seconds) noexcept nogil
    cdef void fit_c(self, int32_t first, int32_t last, int32_t sides, double least, RateFit* fit) noexcept nogil
    cdef void judge_c(self, double fair_usd) noexcept nogil
    cdef int32_t doubt_c(self) noexcept nogil
