"""A and k of the fill intensity A exp(-k d), learnt while quoting from the quotes that were hit and those that were not.

A quote counts with the time that it stood at its distance from the middle of the book of others, in cells of half a basis point, and
each of its fills as an event there; the likelihood is that of ``kernels.intensity`` (MODEL.md 5). It is looked at on a grid of time,
half of the time between two looks for what stood at each. Time is kept in blocks, so that what is older than the memory is forgotten
and the newer half of it can be tested against the older.

The configured values are used until the estimate is certain enough and has not drifted, and again as soon as that is over; an
estimate is used within a factor of them, always of the configured ones.
"""

from libc.math cimport NAN, exp, isfinite, isnan, sqrt
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memset

from engine.core.orders cimport SLOT_AMENDING, SLOT_LIVE, SLOT_PENDING, OrderTable
from kernels.rates cimport (
    RATE_FEW_DISTANCES, RATE_FEW_EVENTS, RATE_NO_MAXIMUM, RATE_NO_TIME, RATE_OK, RateFit, distance_c, fit_rate_c,
)
from kernels.records cimport Settings

cdef enum:
    LOOK_NS = 250000000
    GAP_NS = 1000000000          # longer silences count as long as this

cdef double CELL_BPS = 0.5
cdef double FILLS_LEAST = 30.0   # kernels.intensity
cdef double HALF_LEAST = 15.0    # of each half, for the test of drift
cdef double Z_95 = 1.959963984540054
cdef double ERROR_MOST = 0.5     # of k, half the interval
cdef double DRIFT_MOST = 9.210340371976184  # chi squared with two degrees of freedom passes it once in a hundred times

WHY = {
    RATES_USED: "used", RATES_BOUNDED: "used, as far from the configured values as it may be",
    RATES_OFF: "trading_strategy.calibration.live is off", RATES_NOT_YET: "not estimated yet",
    RATES_NO_TIME: "no quote has stood yet", RATES_FEW_DISTANCES: "quotes stood at less than 3 distances: k cannot be told from A",
    RATES_FEW_FILLS: "too few fills: 30 are needed", RATES_NO_MAXIMUM: "all fills at one end of the distances",
    RATES_NO_DECAY: "fills do not become rarer with distance", RATES_WIDE: "k is not known to within half of it: too few fills",
    RATES_UNTESTED: "too few fills to test for drift: 15 are needed in each half of the memory",
    RATES_DRIFT: "drift: the newer half of the memory differs from the older",
}


cdef class Calibrator:
    """One instrument's. Nothing is counted before ``take_plan``."""

    def __cinit__(self):
        cdef int32_t i
        self.due_ns = INT64_MAX
        self.kappa_per_bp = self.intensity = NAN
        self.drift = -1.0
        self.verdict = RATES_NOT_YET
        self.both.code = self.side_fit[0].code = self.side_fit[1].code = RATE_NO_TIME
        for i in range(CELLS):
            self.centre[i] = CELL_BPS * (i + 0.5)

    def take_plan(self, plan) -> None:
        """``plan``: engine.core.plan.Calibrating. Another length of memory forgets what was counted."""
        if self.block_ns != plan.memory_ns // BLOCKS:
            self.block_ns = max(plan.memory_ns // BLOCKS, 1)
            self.count = 0
        self.live = plan.live
        self.interval_ns = plan.interval_ns
        self.most = plan.most
        self.due_ns = self.fit_ns = 0
        if not plan.live:
            self.kappa_per_bp = self.intensity = NAN

    cdef void take_base_c(self, Settings* settings) noexcept nogil:
        """The configured values."""
        self.kappa_ = settings.kappa
        self.kappa_per_bp_ = settings.kappa_per_bp
        self.intensity_ = settings.intensity

    cdef void act_c(self, Settings* settings) noexcept nogil:
        """Write the values to quote with."""
        cdef bint used = not isnan(self.kappa_per_bp)
        settings.kappa = NAN if used else self.kappa_
        settings.kappa_per_bp = self.kappa_per_bp if used else self.kappa_per_bp_
        settings.intensity = self.intensity if used else self.intensity_

    cdef Block* block_c(self, int64_t now_ns) noexcept nogil:
        """The block of now; blocks of a time without quotes are passed by."""
        cdef int64_t passed
        if self.count == 0:
            self.head = 0
            self.count = 1
            memset(&self.block[0], 0, sizeof(Block))
            self.block_ends_ns = now_ns + self.block_ns
        elif now_ns >= self.block_ends_ns:
            passed = (now_ns - self.block_ends_ns) // self.block_ns + 1
            self.block_ends_ns += passed * self.block_ns
            for _ in range(min(passed, BLOCKS)):
                self.head = (self.head + 1) % BLOCKS
                self.count = min(self.count + 1, BLOCKS)
                memset(&self.block[self.head], 0, sizeof(Block))
        return &self.block[self.head]

    cdef void stand_c(self, Block* block, double seconds) noexcept nogil:
        """Count time for what stands."""
        cdef int32_t key, i
        for key in range(2):
            for i in range(self.standing_count[key]):
                block.seconds[key][self.standing[key][i]] += seconds

    cdef bint look_c(self, OrderTable table, int32_t instrument, double fair_usd, double tick_usd, bint live,
                     int64_t now_ns) noexcept nogil:
        """What stands now, and when it is due, the fit; whether the values to quote with changed. ``live``: quotes may stand."""
        cdef Block* block = self.block_c(now_ns)
        cdef double seconds = 0.5e-9 * min(now_ns - self.last_ns, GAP_NS) if self.last_ns else 0.0
        cdef double bps, before
        cdef int64_t ticks
        cdef int32_t side, key, i, state, slot
        if self.first_ns == 0:
            self.first_ns = now_ns
        self.stand_c(block, seconds)
        self.standing_count[0] = self.standing_count[1] = 0
        self.last_ns = now_ns
        self.due_ns = now_ns + LOOK_NS
        if live and fair_usd > 0.0:
            for side in range(1, -2, -2):
                key = 0 if side > 0 else 1
                for i in range(table.count_c(instrument, side)):
                    slot = table.at_c(instrument, side, i)
                    state = table.slot_[slot].state
                    # The decision just made may have replaced what stood: from now on its own orders do.
                    ticks = table.slot_[slot].amend_ticks if state == SLOT_AMENDING else table.slot_[slot].price_ticks
                    bps = side * (fair_usd / (ticks * tick_usd) - 1.0) * 1e4
                    if (state == SLOT_LIVE or state == SLOT_PENDING or state == SLOT_AMENDING) and 0.0 <= bps < CELLS * CELL_BPS:
                        self.standing[key][self.standing_count[key]] = <int32_t>(bps / CELL_BPS)
                        self.standing_count[key] += 1
            self.stand_c(block, seconds)
        if now_ns < self.fit_ns or not fair_usd > 0.0:
            return False
        # Often at first, so that a short run tells something too.
        self.fit_ns = now_ns + min(self.interval_ns, max((now_ns - self.first_ns) // 2, LOOK_NS))
        before = self.kappa_per_bp
        self.judge_c(fair_usd)
        return self.kappa_per_bp != before and not (isnan(self.kappa_per_bp) and isnan(before))

    cdef void fill_c(self, int32_t side, int64_t ticks, double time_s, double fair_usd, double tick_usd) noexcept nogil:
        """A fill of a quote of ours that rested, where it stood by the price before."""
        cdef double bps = side * (fair_usd / (ticks * tick_usd) - 1.0) * 1e4
        cdef int32_t key = 0 if side > 0 else 1
        cdef int32_t cell
        cdef Block* block
        if self.count == 0 or not 0.0 <= bps < CELLS * CELL_BPS:
            return
        cell = <int32_t>(bps / CELL_BPS)
        block = &self.block[self.head]
        block.hits[key][cell] += 1.0
        if time_s != self.order_s or side != self.order_side:
            self.order_s = time_s
            self.order_side = side
            self.order_quotes = self.order_bps = 0.0
        block.together[key][0] += 2.0 * self.order_quotes + 1.0
        block.together[key][1] += self.order_bps + self.order_quotes * self.centre[cell] + self.centre[cell]
        block.together[key][2] += 2.0 * self.order_bps * self.centre[cell] + self.centre[cell] * self.centre[cell]
        self.order_quotes += 1.0
        self.order_bps += self.centre[cell]

    cdef void fit_c(self, int32_t first, int32_t last, int32_t sides, double least, RateFit* fit) noexcept nogil:
        """Fit the blocks from ``first`` to before ``last``, the oldest being 0; ``sides``: 1 bids, 2 asks, 3 both."""
        cdef double seconds[60]
        cdef double hits[60]
        cdef double together[3]
        cdef Block* block
        cdef int32_t i, j, key
        memset(seconds, 0, sizeof(seconds))
        memset(hits, 0, sizeof(hits))
        memset(together, 0, sizeof(together))
        for i in range(first, last):
            block = &self.block[(self.head + 1 + BLOCKS - self.count + i) % BLOCKS]
            for key in range(2):
                if not sides & 1 << key:
                    continue
                for j in range(CELLS):
                    seconds[j] += block.seconds[key][j]
                    hits[j] += block.hits[key][j]
                for j in range(3):
                    together[j] += block.together[key][j]
        fit_rate_c(self.centre, seconds, hits, CELLS, together, least, fit)

    cdef int32_t doubt_c(self) noexcept nogil:
        """Why the estimate is not good enough, ``RATES_USED`` where it is."""
        if self.both.code == RATE_NO_TIME:
            return RATES_NO_TIME
        if self.both.code == RATE_FEW_DISTANCES:
            return RATES_FEW_DISTANCES
        if self.both.code == RATE_FEW_EVENTS:
            return RATES_FEW_FILLS
        if self.both.code == RATE_NO_MAXIMUM:
            return RATES_NO_MAXIMUM
        if not self.both.slope < 0.0:
            return RATES_NO_DECAY
        if Z_95 * sqrt(self.both.variance_slope) > -ERROR_MOST * self.both.slope:
            return RATES_WIDE
        if self.drift < 0.0:
            return RATES_UNTESTED
        return RATES_DRIFT if self.drift > DRIFT_MOST else RATES_USED

    cdef void judge_c(self, double fair_usd) noexcept nogil:
        """Fit everything, and decide what to quote with."""
        cdef RateFit older, newer
        cdef double base = self.kappa_per_bp_, kappa, intensity
        cdef int32_t half = self.count // 2
        self.fits += 1
        self.fit_c(0, self.count, 3, FILLS_LEAST, &self.both)
        self.fit_c(0, self.count, 1, FILLS_LEAST, &self.side_fit[0])
        self.fit_c(0, self.count, 2, FILLS_LEAST, &self.side_fit[1])
        self.fit_c(0, half, 3, HALF_LEAST, &older)
        self.fit_c(half, self.count, 3, HALF_LEAST, &newer)
        self.drift = distance_c(&newer, &older)
        self.verdict = self.doubt_c()
        self.kappa_per_bp = self.intensity = NAN
        if self.verdict != RATES_USED:
            return
        if not self.live:
            self.verdict = RATES_OFF
            return
        if not isnan(self.kappa_):
            base = self.kappa_ * fair_usd * 1e-4
        kappa, intensity = -self.both.slope, exp(self.both.log_rate)
        self.kappa_per_bp = min(max(kappa, base / self.most), base * self.most)
        self.intensity = min(max(intensity, self.intensity_ / self.most), self.intensity_ * self.most)
        if self.kappa_per_bp != kappa or self.intensity != intensity:
            self.verdict = RATES_BOUNDED

    def told(self) -> dict:
        """Estimates with 95 % intervals, what is quoted with, and why; k in 1/bp, A in 1/s of one side; None: not known."""
        used = not isnan(self.kappa_per_bp)
        return {
            "live": self.live,
            "used": used,
            "why": WHY[self.verdict],
            "kappa_per_bp": _or_none(self.kappa_per_bp),
            "intensity": _or_none(self.intensity),
            "configured": {"kappa": _or_none(self.kappa_), "kappa_per_bp": self.kappa_per_bp_, "intensity": self.intensity_},
            "both": _told(self.both),
            "bid": _told(self.side_fit[0]),
            "ask": _told(self.side_fit[1]),
            "drift": None if self.drift < 0.0 else round(self.drift, 3),
            "drift_most": round(DRIFT_MOST, 3),
            "fits": self.fits,
        }

    def counts(self, int32_t side) -> dict:
        """Centres of the cells in bp, seconds and hits there, and the sums over market orders, of one side (+1 bid, -1 ask)."""
        cdef int32_t key = 0 if side > 0 else 1
        blocks = [self.block[(self.head + BLOCKS - i) % BLOCKS] for i in range(self.count)]
        return {
            "centre_bps": [self.centre[i] for i in range(CELLS)],
            "seconds": [sum(block["seconds"][key][i] for block in blocks) for i in range(CELLS)],
            "hits": [sum(block["hits"][key][i] for block in blocks) for i in range(CELLS)],
            "together": [sum(block["together"][key][i] for block in blocks) for i in range(3)],
        }


cdef _or_none(double value):
    return value if isfinite(value) else None


cdef dict _told(RateFit fit):
    cdef double log_error = Z_95 * sqrt(max(fit.variance_rate, 0.0)), error = Z_95 * sqrt(max(fit.variance_slope, 0.0))
    told = {"fills": int(fit.events), "quote_s": round(fit.seconds, 1)}
    if fit.code != RATE_OK:
        return told | dict.fromkeys(("kappa_per_bp", "kappa_low", "kappa_high", "intensity", "intensity_low", "intensity_high"))
    return told | {
        "kappa_per_bp": -fit.slope, "kappa_low": -fit.slope - error, "kappa_high": -fit.slope + error,
        "intensity": _or_none(exp(fit.log_rate)), "intensity_low": _or_none(exp(fit.log_rate - log_error)),
        "intensity_high": _or_none(exp(fit.log_rate + log_error)),
    }
