"""C layout of every record that C, Numba and NumPy share; ``records.pyx`` has the same dtypes, compared at import.

Units are in the names: ``_usd`` USD per contract, ``_ticks`` multiples of the price tick, ``_lots`` multiples of the
volume tick, ``_ns`` nanoseconds, ``_bps`` hundredths of a percent of the price. All records are 8-byte aligned, without
bit fields. Owner of every record: the one thread that runs the core. Other processes see copies only.
"""

from libc.stdint cimport int32_t, int64_t

cdef enum:
    LEVELS_MAX = 10          # levels a side in one mass quote (protocol section 7.1)
    FIFO_MAX = 512           # open FIFO lots; the two oldest are merged beyond it
    VOLATILITY_WINDOW_MAX = 256
    CANDLES_MAX = 128        # closed volume candles kept
    FEATURES = 10            # Market.signals and toxicity
    CHANGES_MAX = 16         # changes of the regime that are remembered
    PENDING_MAX = 64         # samples of the signals that wait for their outcome

# What an operator asks for, for one instrument. NaN means "not given". Written once from the configuration.
cdef struct Settings:
    double tick_usd
    double lot_contracts
    double gamma              # 1/(USD contract), NaN: use risk
    double risk               # dimensionless: gamma = risk / (max_position_contracts * price * 1e-4)
    double kappa              # 1/USD, NaN: use kappa_per_bp
    double kappa_per_bp       # 1/bp of price
    double intensity          # A, 1/s
    double horizon_s          # inf: stationary (GLFT) quotes
    double inventory_weight   # multiplier on the skew
    double inventory_target   # contracts
    double hold_within        # contracts, NaN: hold_within_usd; both NaN: gamma or risk decide
    double hold_within_usd
    double hold_share         # of the time
    double hold_skew          # k times the skew per first level that does it; 0: not solved
    double min_spread_ticks   # full spread; the larger of the two floors holds
    double max_spread_ticks   # full spread; NaN: max_spread_bps alone
    double min_spread_bps
    double max_spread_bps
    double maker_fee_rate     # fraction of notional
    double min_edge_bps       # per side, after the maker fee
    double base_size          # contracts, NaN: use size_usd
    double size_usd           # notional of the first level
    double min_size           # contracts
    double max_size           # contracts
    double max_position       # contracts
    double level_spacing_ticks   # NaN: level_spacing_bps
    double level_spacing_bps
    double volatility_multiple   # half-spread floor as a multiple of sigma * sqrt(1 s)
    double touch_multiple     # half-spread ceiling as a multiple of that of the others' best quotes; NaN: none
    double alpha_halves       # most that alpha moves the quotes, in half-spreads; NaN: no such cap
    double fade_time_s        # room for a position shrinks to nothing over it; NaN: never
    double fade_halves        # how much further out the adding side stands at the position limit, in half-spreads
    double calm_rate          # relative volatility per square root of a second up to which sizes are full; NaN: any
    double size_multipliers[10]
    int64_t levels
    int64_t min_lots          # the venue's minimum order
    int64_t post_only

# Settings resolved at a price: absolute numbers and the constants that do not change from tick to tick.
cdef struct Model:
    double resolved_at_usd
    double tick_usd
    double lot_contracts
    double gamma
    double kappa
    double intensity
    double horizon_s
    double inventory_weight
    double inventory_target
    double hold_skew          # k times the skew, 1/contract; 0: gamma is given
    double held_sigma_usd     # at which gamma gives that skew
    double order_contracts    # size that one fill trades: the first level (stationary quotes), 1 (finite horizon, as in the paper)
    double liquidity_usd      # (1/gamma) ln(1 + gamma/k), and the maker fee
    double skew_per_sigma     # GLFT: sqrt(gamma/(2kA) (1+gamma/k)^(1+k/gamma)), USD per contract per unit sigma
    double half_min_usd       # floors and ceilings of the half-spread
    double half_max_usd
    double volatility_multiple
    double touch_multiple     # inf: none
    double alpha_halves
    double max_position
    double fade_time_s        # inf: never
    double fade_halves
    double calm_sigma_usd     # inf: any volatility
    int64_t spacing_ticks
    int64_t min_spread_ticks
    int64_t max_spread_ticks
    int64_t level_lots[10]
    int64_t levels
    int64_t min_lots
    int64_t post_only

# What the model sees of one instrument at one decision. Own orders are taken out of the book's best prices.
cdef struct Market:
    int64_t now_ns
    int64_t bid_ticks         # best bid of others, 0 lots: no bid
    int64_t bid_lots
    int64_t ask_ticks
    int64_t ask_lots
    int64_t buy_capacity_lots   # most lots that all bids together may add
    int64_t sell_capacity_lots
    int64_t position_lots     # signed
    double fair_usd           # the price quoted around
    double sigma_usd          # USD per square root of a second
    double drift_usd_s
    double position_age_s     # since the position was last flat or on the other side
    double mark_usd
    double index_usd
    double funding_rate       # fraction of index per 8 h, positive: long pays
    double alpha_usd          # move of the mid expected within the signals' horizon, capped; 0: no opinion
    double toxic_bid_usd      # expected loss of a fill of a bid (ask) beyond the model's, at least 0: its half is wider by it
    double toxic_ask_usd
    double widen              # multiplier on the half-spread, above 1: the regime is widened
    double size_factor        # multiplier on every size, between 0 and 1; else none
    double signals[9]         # predictive signals in [-1, 1]; 0: no opinion

# What the model wants: both sides of the ladder, best level first.
cdef struct Target:
    double reservation_usd
    double half_bid_usd       # reservation - bid before rounding and clamps
    double half_ask_usd
    double skew_usd
    int64_t bid_count
    int64_t ask_count
    int64_t bid_ticks[10]
    int64_t bid_lots[10]
    int64_t ask_ticks[10]
    int64_t ask_lots[10]

# Volatility of one instrument: EWMA of time-stamped returns and a realised kernel over a window of them.
cdef struct Volatility:
    double default_rate       # relative, per square root of a second
    double floor_rate
    double ceiling_rate
    double ewma_span          # samples
    int64_t min_samples
    int64_t window            # samples, at most VOLATILITY_WINDOW_MAX
    int64_t min_interval_ns   # returns over shorter spans are folded into the next
    int64_t samples           # returns seen
    int64_t head              # next slot of the window
    int64_t last_ns
    double last_usd
    double ewma_variance      # relative, per second
    double ewma_weight
    double kernel_variance    # relative, per second; refreshed once a quarter window
    double noise_ratio        # kernel variance over plain variance of the same window
    double sigma_rate         # the answer: relative, per square root of a second, inside floor and ceiling
    double returns[256]
    double spans_s[256]

# FIFO position. Money in exact integers of tick times lot; fees and funding in USD.
cdef struct Position:
    int64_t lots              # signed
    int64_t cash_ticklots     # minus the signed sum of lots * price_ticks over all fills
    int64_t realised_ticklots
    int64_t bought_lots
    int64_t sold_lots
    int64_t fills
    int64_t head              # oldest open FIFO lot
    int64_t count
    int64_t head_remainder_ticklots   # cost of the oldest lot above its lots * ticks; not 0 only after a merge
    double fees_usd           # paid, positive: cost
    double funding_usd        # received, negative: paid
    int64_t fifo_lots[512]    # unsigned; the sign is the position's
    int64_t fifo_ticks[512]

# Aggressive flow and the last top of book of one instrument: decayed sums, weighted so that the newest counts 1.
cdef struct Flow:
    double decay_s            # time constant of every sum; inf: only newer events displace older ones
    double window             # events: span of the pressure and of the order-flow imbalance
    double fast_window        # trades: span of the aggressive pressure
    double impact_window      # trades: span of the impact regression
    int64_t min_events        # fewer trades (tops): no opinion
    int64_t stale_ns          # a longer silence: no opinion
    int64_t trades            # taken in
    int64_t late              # of these, stamped before their predecessor and counted at its time
    int64_t refused           # trades and tops without a meaning, not taken in
    int64_t trade_ns
    int64_t trade_ticks
    double signed_lots        # buyer took: positive
    double total_lots
    double fast_signed_lots
    double fast_total_lots
    double impact_cross       # signed lots times the move in ticks since the trade before
    double impact_square      # lots squared
    int64_t tops              # tops of the book taken in
    int64_t top_ns
    int64_t bid_ticks
    int64_t bid_lots
    int64_t ask_ticks
    int64_t ask_lots
    double ofi_lots           # order-flow imbalance
    double ofi_total_lots     # of its absolute values
    double order_decay_s      # time constant of the counts of market orders
    int64_t side              # aggressor of the last trade; 0: none
    double buy_orders         # market orders, decayed
    double sell_orders

# Volume candles of one instrument, a ring. traded = evicted + closed and kept + open, in lots, at every moment.
cdef struct Candles:
    int64_t threshold_lots    # a candle is full at this volume
    int64_t max_age_ns        # and closed by the timer at this age
    int64_t capacity          # closed candles kept, at most CANDLES_MAX
    int64_t min_candles       # fewer: no opinion
    int64_t stale_ns          # a longer silence: no opinion
    int64_t traded_lots
    int64_t evicted_lots
    int64_t closed            # candles closed so far
    int64_t late              # trades stamped before their predecessor, counted at its time
    int64_t refused           # trades without a meaning, not taken in
    int64_t last_ns
    int64_t head              # next slot of the ring
    int64_t count             # closed candles kept
    int64_t open_ns           # the open candle; without volume there is none
    int64_t open_open_ticks
    int64_t open_high_ticks
    int64_t open_low_ticks
    int64_t open_close_ticks
    int64_t open_buy_lots
    int64_t open_sell_lots
    int64_t begin_ns[128]
    int64_t end_ns[128]
    int64_t open_ticks[128]
    int64_t high_ticks[128]
    int64_t low_ticks[128]
    int64_t close_ticks[128]
    int64_t buy_lots[128]     # buyer took
    int64_t sell_lots[128]

# What the signals say of the next move, learnt from how they did: regressions of the mid's move over a horizon on each
# signal, sampled on a grid of time. Moves are in units of sigma times the root of the horizon, called spans below.
cdef struct Forecast:
    int64_t enabled           # 0: everything is estimated, nothing is acted on
    int64_t interval_ns       # between two samples
    int64_t steps             # samples to the horizon, below PENDING_MAX
    int64_t update_ns         # between two settings of the weights
    double span               # samples: memory of the sums
    double z                  # half-width of the intervals in standard errors
    double min_samples        # fewer that do not overlap: no weight
    double prior              # standard deviation of a standardised weight before any sample; shrinks the joint regression
    double cap_ticks          # most that alpha may be, inf: cap_bps alone
    double cap_bps
    double toxic_weight       # multiplier on the measured adverse move
    double toxic_cap_bps
    double given_bps[10]      # weights from the configuration, bps for a signal of 1; NaN: live
    double adjust_most        # sigma and sizes change by at most this factor
    double widen_at           # stress from which the regime is widened, or pulled
    double pull_at
    double widen_by           # multiplier on the half-spread of the widened regime
    double one_side_at        # expected move in half-spreads from which the side it hurts is left out
    double calm               # share of its limit below which the cause of a regime is over
    int64_t hold_ns           # for how long it must be
    int64_t next_ns           # when the next sample is due
    int64_t last_ns           # of the last one
    int64_t due_ns            # when the weights are set next
    int64_t updates           # so far
    int64_t samples           # taken
    int64_t outcomes          # samples whose horizon has passed
    int64_t gaps              # silences that made every pending sample void
    int64_t head              # next slot of the ring
    int64_t pending
    double weight_sum         # of the outcomes' weights, and of their squares
    double weight_squares
    double move_mean
    double move_variance
    double mean[10]           # of each signal, its variance, and the covariance with the move (size of the move: from the ninth on)
    double variance[10]
    double covariance[10]
    double size_mean          # of the size of the move
    double size_variance
    double long_run[10]       # variance of each signal and its autocovariances over the overlap, by Bartlett's formula
    double cross[100]         # covariances of the signals with each other
    double ic[10]             # correlation with the move, and its interval
    double low[10]
    double high[10]
    double weight[10]         # spans for a signal of 1
    int64_t reason[10]        # why it has that weight
    double adverse_weight[4]  # market orders: sells (they hit bids), buys; own fills: bids, asks
    double adverse_rows[4]   # samples with any of them
    double adverse_sum[4]
    double adverse_variance[4]
    double adverse[4]         # mean adverse move in spans
    double adverse_low[4]     # lower end of its interval
    double counted[4]         # since the last sample
    double toxicity           # VPIN
    double alpha_spans        # of the signals that change with trades and samples only
    double sigma_factor       # effective over estimated sigma, from the volatility forecast
    double size_factor        # effective over base size
    double span_usd           # one span at the last sample
    double half_usd           # mean half-spread of the last ladder
    double sigma_slow         # mean sigma over the memory, USD, and its variance
    double sigma_variance
    double vol_stress         # sigma over the top of its usual range
    double toxic_stress       # half-spread with toxicity over the one without
    double lean_halves        # expected move, uncapped, in half-spreads
    int64_t regime            # kernels.regime
    int64_t regime_ns         # since when
    int64_t calm_ns           # since when its cause is over; 0: it is not
    int64_t changes           # of the regime so far, the last CHANGES_MAX of them:
    int64_t change_ns[16]
    int64_t change_from[16]
    int64_t change_to[16]
    int64_t change_reason[16]
    double change_value[16]   # of the measure that decided
    double mids[64]
    double spans_usd[64]
    double expected[64]       # alpha in spans, of each sample
    double seen[640]          # PENDING_MAX rows of FEATURES
    double took[256]          # PENDING_MAX rows of the four counts
    double deviation[640]     # the last deviations of the signals from their means, by row

ctypedef int32_t (*resolve_fn)(Settings*, double, Model*) noexcept nogil
ctypedef int32_t (*hold_fn)(Model*, double) noexcept nogil
ctypedef int32_t (*quote_fn)(Market*, Model*, Target*) noexcept nogil
ctypedef double (*volatility_fn)(Volatility*, double, int64_t) noexcept nogil
ctypedef int32_t (*fill_fn)(Position*, int64_t, int64_t, double) noexcept nogil
ctypedef int32_t (*trade_fn)(Flow*, Candles*, Forecast*, Market*, int64_t, int64_t, int64_t, int64_t, int64_t) noexcept nogil
ctypedef int32_t (*refresh_fn)(Flow*, Candles*, Forecast*, Market*) noexcept nogil
ctypedef int32_t (*close_due_fn)(Candles*, int64_t) noexcept nogil
ctypedef int32_t (*forecast_fn)(Forecast*, Market*, double) noexcept nogil
