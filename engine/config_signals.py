"""The tables of the signals: candles, windows, and what signals may do to the quotes."""

from engine.config_section import Finite, Section, key


class VolumeCandle(Section):
    """Candles by traded volume."""

    threshold: Finite | None = key(None, "contracts", "volume of one candle; without it threshold_usd", gt=0, le=1e9)
    threshold_usd: Finite = key(60_000.0, "USD", "the same as a notional", gt=0, le=1e9)
    max_candles: int = key(100, "candles", "candles kept", ge=5, le=128)
    max_time_seconds: Finite = key(300.0, "s", "a candle is closed at this age", gt=0, le=86400)
    use_exchange_data: bool = key(
        True, "switch", "candles and flow from the exchange's trades, ours among them; off: our own fills only"
    )
    fetch_interval_seconds: Finite = key(
        60.0, "s", "interval at which the last trades are asked for again, for what was missed", ge=1, le=86400
    )
    lookback_hours: Finite = key(
        1.0, "h", "oldest trade taken from what the venue tells of the past, at start and after a gap", ge=0, le=48
    )
    prediction_update_interval: Finite = key(
        10.0, "s", "interval at which signals adjust the parameters", gt=0, le=3600
    )


class Vamp(Section):
    """Windows of the volume-adjusted signals."""

    window: int = key(50, "trades", "window of the signal", ge=2, le=100_000)
    aggressive_window: int = key(20, "trades", "window of aggressive flow", ge=1, le=100_000)
    impact_window: int = key(30, "trades", "window of price impact", ge=1, le=100_000)


class Calibration(Section):
    """A and k from our own quotes, while quoting: estimated and shown in any case."""

    live: bool = key(False, "switch", "quote with the estimate of A and k where it is certain, not with kappa as given")
    interval: Finite = key(60.0, "s", "time between two estimates", ge=1, le=86400)
    memory: Finite = key(3600.0, "s", "what is older is forgotten", ge=60, le=604_800)
    most: Finite = key(2.0, "multiplier", "most that A and k may be above or below what is configured", ge=1, le=10)


class Signals(Section):
    """What the signals may do to the quotes, and how what they are worth is learnt while running."""

    enabled: bool = key(False, "switch", "signals move and widen the quotes; they are estimated and shown either way")
    sample_interval: Finite = key(0.5, "s", "time between two samples of the signals", ge=0.05, le=60)
    horizon_samples: int = key(30, "samples", "how far ahead the move of the mid is forecast", ge=1, le=63)
    memory: Finite = key(3600.0, "s", "time over which what was learnt fades", ge=10, le=604_800)
    confidence: Finite = key(
        # Its end nearest to zero is what a signal may do: at 0.8 that is exceeded by the truth nine times in ten.
        0.8,
        "fraction",
        "of the interval of a signal's correlation that must not hold zero",
        ge=0.5,
        le=0.9999,
    )
    min_samples: Finite = key(
        20.0, "samples", "samples without overlap before a signal or a side's toxicity counts", ge=3, le=100_000
    )
    prior: Finite = key(0.3, "standard deviations", "weights beyond this are thought unlikely, and shrunk", gt=0, le=10)
    cap_ticks: Finite | None = key(None, "ticks", "most that signals move the quotes", gt=0, le=1e6)
    cap_bps: Finite = key(3.0, "bps", "the same; the smallest of the caps holds", ge=0, le=100)
    cap_half_spreads: Finite = key(1.0, "multiplier", "the same in half-spreads", ge=0, le=10)
    toxicity_weight: Finite = key(
        1.0, "multiplier", "part of the adverse move that is certain, and widens the side it hurts", ge=0, le=10
    )
    toxicity_cap_bps: Finite = key(5.0, "bps", "most that toxicity widens a side", ge=0, le=100)
    adjust_most: Finite = key(
        1.5,
        "multiplier",
        "most that predictions change sigma, and shrink sizes",
        ge=1,
        le=10,
    )
    widen_at: Finite = key(
        2.5,
        "multiplier",
        "stress that widens: sigma over its usual top, or half-spread with toxicity over without",
        gt=1,
        le=100,
    )
    widen_by: Finite = key(1.5, "multiplier", "on half-spreads in the widened regime", ge=1, le=10)
    pull_at: Finite = key(6.0, "multiplier", "stress at which nothing is quoted", gt=1, le=1000)
    one_side_at: Finite = key(
        2.0, "half-spreads", "expected move at which the side it hurts is left out", gt=0, le=1000
    )
    calm: Finite = key(0.7, "fraction", "of its limit below which the cause of a regime is over", gt=0, le=1)
    hold: Finite = key(10.0, "s", "how long it must be over before a milder regime", ge=0, le=3600)
    decay: Finite = key(60.0, "s", "time constant of flow, beside its windows in trades", gt=0, le=86400)
    order_decay: Finite = key(15.0, "s", "time constant of the counts of market orders", gt=0, le=86400)
    stale: Finite = key(60.0, "s", "a longer silence of trades or of the book: no opinion", gt=0, le=86400)
    min_events: int = key(10, "events", "trades, or changes of the best prices, before an opinion", ge=1, le=100_000)
    vamp_pressure_bps: Finite | None = key(
        None, "bps", "weight of the pressure at 1, not the live one", ge=-100, le=100
    )
    vamp_fast_pressure_bps: Finite | None = key(None, "bps", "weight of the fast pressure at 1", ge=-100, le=100)
    book_imbalance_bps: Finite | None = key(None, "bps", "weight of the book's imbalance at 1", ge=-100, le=100)
    order_flow_imbalance_bps: Finite | None = key(None, "bps", "weight of the flow imbalance at 1", ge=-100, le=100)
    momentum_bps: Finite | None = key(None, "bps", "weight of momentum at 1", ge=-100, le=100)
    reversal_bps: Finite | None = key(None, "bps", "weight of reversal at 1", ge=-100, le=100)
    exhaustion_bps: Finite | None = key(None, "bps", "weight of exhaustion at 1", ge=-100, le=100)
    order_imbalance_bps: Finite | None = key(None, "bps", "weight of the order imbalance at 1", ge=-100, le=100)
