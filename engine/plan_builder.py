"""From the configuration to the core's plan: units are converted here, once, and nothing is defaulted."""

from math import inf, nan, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np

from engine.config_fees import instruments_of
from engine.config_schema import Avellaneda, Config, TradingStrategy
from engine.config_section import LEVELS_MAX
from engine.core.plan import DIRECTED, Calibrating, CorePlan, Limits, Pulls, Record, Signals, Timing
from kernels.records import SETTINGS, VOLATILITY

SECONDS_PER_YEAR = 365 * 86_400
"""A market without closing hours: volatility a year is volatility a second times the root of this."""

SECOND_NS = 1_000_000_000

Network = Literal["local", "test", "prod"]

ENVIRONMENTS: dict[str, str | None] = {"local": None, "test": "testnet", "prod": "production"}
"""What ``public/system_info`` must answer (protocol section 5); the local exchange may call itself as it likes."""


def network_of(config: Config) -> Network:
    """Where to trade: as given, else test when there is a key, else the local exchange."""
    if config.market.network is not None:
        return config.market.network
    return "test" if has_key(config) else "local"


def has_key(config: Config) -> bool:
    """Whether the configuration says where a private key is."""
    credentials = config.credentials
    return credentials.key_file is not None or credentials.key_env is not None or credentials.keys_py is not None


def core_plan(config: Config) -> CorePlan:
    """The plan of a validated configuration.

    Members of ``settings`` that only the venue knows (tick, lot, minimum) are NaN and 0, as is ``max_position`` when
    only its USD form is given; the core fills them in.
    """
    strategy, risk = config.trading_strategy, config.risk
    network = network_of(config)
    return CorePlan(
        instruments=instruments_of(config),
        mode=strategy.execution.mode,
        label=config.market.label,
        settings=settings_record(config),
        volatility=volatility_record(config),
        limits=Limits(
            max_position=_or(risk.max_position, inf),
            max_notional_usd=risk.max_notional,
            max_order=_or(strategy.execution.max_size, _order_cap(strategy)),
            collar_bps=risk.collar_bps,
            max_drawdown_usd=risk.max_drawdown * risk.max_notional,
            max_position_usd=risk.max_position_usd if risk.max_position is None else inf,
            max_order_usd=risk.max_order_usd if strategy.avellaneda.base_size is None else inf,
            stop_loss=risk.stop_loss_pct,
            take_profit=risk.take_profit_pct,
            max_losses=risk.max_consecutive_losses,
            cooldown_ns=_ns(risk.recovery_cooldown_seconds),
            recovery=risk.risk_recovery_threshold,
            reduce_ns=_ns(risk.reduce_seconds),
            reduce_drawdown_usd=risk.drawdown_reduce * risk.max_drawdown * risk.max_notional,
            max_loss_usd=risk.max_loss * risk.max_drawdown * risk.max_notional,
            loss_window_ns=_ns(risk.loss_window),
            max_fills=risk.max_fills,
            fills_window_ns=_ns(risk.fills_window),
            foreign_reduces=risk.foreign_trades == "reduce",
            hold_ns=_ns(risk.foreign_cancel_seconds),
        ),
        timing=Timing(
            data_stale_ns=_ns(strategy.quote_timing.data_stale),
            reply_ns=_ns(config.connection.reply_timeout),
            min_interval_ns=_ns(strategy.quote_timing.min_interval),
            max_lifetime_ns=_ns(strategy.quote_timing.max_lifetime),
            audit_ns=_ns(config.connection.audit_interval),
            cancel_on_disconnect_s=config.connection.cancel_on_disconnect,
        ),
        signals=signals_of(config),
        calibration=Calibrating(
            live=strategy.calibration.live,
            interval_ns=_ns(strategy.calibration.interval),
            memory_ns=_ns(strategy.calibration.memory),
            most=strategy.calibration.most,
        ),
        pulls=Pulls(
            move_bps=strategy.pull.move_bps,
            move_sigmas=strategy.pull.move_sigmas,
            window_ns=_ns(strategy.pull.move_window),
            hold_ns=_ns(strategy.pull.hold),
            calm=strategy.pull.calm,
            wide_bps=strategy.pull.max_book_spread_bps,
            thin_usd=strategy.pull.min_book_usd,
        ),
        requote_ticks=strategy.execution.requote_ticks,
        requote_bps=strategy.execution.requote_bps,
        coarse_price_e8=_step_e8(strategy.execution.price_decimals),
        coarse_size_e8=_step_e8(strategy.execution.size_decimals),
        maker_fee_rate=config.trading_fees.maker_fee_rate,
        taker_fee_rate=config.trading_fees.taker_fee_rate,
        protection=(strategy.protection.trade_multiple, strategy.protection.quote_multiple),
        environment=ENVIRONMENTS[network],
        account=None if network == "local" else config.credentials.account,
    )


def _step_e8(decimals: int | None) -> int:
    return 0 if decimals is None else 10 ** (8 - decimals)


def settings_record(config: Config) -> Record:
    """A ``SETTINGS`` record of one element; NaN where a key is not given."""
    a, execution = config.trading_strategy.avellaneda, config.trading_strategy.execution
    record = np.zeros(1, SETTINGS)
    values = {
        "tick_usd": nan,
        "lot_contracts": nan,
        "gamma": _or(a.gamma, nan),
        "risk": a.risk,
        "kappa": _or(a.kappa, nan),
        "kappa_per_bp": a.kappa_per_bp,
        "intensity": a.order_flow_intensity,
        "horizon_s": a.time_horizon,
        "inventory_weight": a.inventory_weight,
        "inventory_target": a.inventory_target,
        "hold_within": _or(a.hold_within, nan),
        "hold_within_usd": _or(a.hold_within_usd, nan),
        "hold_share": a.hold_share,
        "hold_skew": 0.0,
        "min_spread_ticks": a.min_spread,
        "max_spread_ticks": _or(a.max_spread, nan),
        "min_spread_bps": a.min_spread_bps,
        "max_spread_bps": a.max_spread_bps,
        "maker_fee_rate": config.trading_fees.maker_fee_rate,
        "min_edge_bps": a.min_edge_bps,
        "base_size": _or(a.base_size, nan),
        "size_usd": a.size_usd,
        "min_size": execution.min_size,
        "max_size": _or(execution.max_size, nan),
        "max_position": _or(config.risk.max_position, nan),
        "level_spacing_ticks": _or(a.level_spacing, nan),
        "level_spacing_bps": a.level_spacing_bps,
        "volatility_multiple": a.volatility_multiple,
        "touch_multiple": a.touch_multiple,
        "alpha_halves": config.trading_strategy.signals.cap_half_spreads,
        "fade_time_s": a.position_fade_time,
        "fade_halves": a.position_fade_halves,
        "calm_rate": a.size_volatility / sqrt(SECONDS_PER_YEAR),
        "size_multipliers": _multipliers(a),
        "levels": a.max_levels,
        "min_lots": 0,
        "post_only": int(execution.post_only),
    }
    for name, value in values.items():
        record[name] = value
    return record


def signals_of(config: Config) -> Signals:
    """The signals' part of the plan."""
    strategy = config.trading_strategy
    s, candle, vamp = strategy.signals, strategy.volume_candle, strategy.vamp
    return Signals(
        enabled=s.enabled,
        own_only=not candle.use_exchange_data,
        lookback_ns=_ns(candle.lookback_hours * 3600.0),
        fetch_ns=_ns(candle.fetch_interval_seconds) if candle.use_exchange_data else 0,
        candle_contracts=_or(candle.threshold, inf),
        candle_usd=candle.threshold_usd if candle.threshold is None else inf,
        candle_ns=_ns(candle.max_time_seconds),
        candles=candle.max_candles,
        window=float(vamp.window),
        fast_window=float(vamp.aggressive_window),
        impact_window=float(vamp.impact_window),
        decay_s=s.decay,
        order_decay_s=s.order_decay,
        stale_ns=_ns(s.stale),
        min_events=s.min_events,
        interval_ns=_ns(s.sample_interval),
        steps=s.horizon_samples,
        update_ns=_ns(candle.prediction_update_interval),
        span=max(2.0, s.memory / s.sample_interval),
        z=NormalDist().inv_cdf(0.5 + 0.5 * s.confidence),
        min_samples=s.min_samples,
        prior=s.prior,
        cap_ticks=_or(s.cap_ticks, inf),
        cap_bps=s.cap_bps,
        toxic_weight=s.toxicity_weight,
        toxic_cap_bps=s.toxicity_cap_bps,
        given_bps=tuple(getattr(s, f"{name}_bps") for name in DIRECTED),
        adjust_most=s.adjust_most,
        widen_at=s.widen_at,
        widen_by=s.widen_by,
        pull_at=s.pull_at,
        one_side_at=s.one_side_at,
        calm=s.calm,
        hold_ns=_ns(s.hold),
    )


def volatility_record(config: Config) -> Record:
    """A ``VOLATILITY`` record without samples: annualised fractions become fractions per root of a second."""
    v = config.volatility
    record = np.zeros(1, VOLATILITY)
    record["default_rate"] = record["sigma_rate"] = v.default / sqrt(SECONDS_PER_YEAR)
    record["floor_rate"] = v.floor / sqrt(SECONDS_PER_YEAR)
    record["ceiling_rate"] = v.ceiling / sqrt(SECONDS_PER_YEAR)
    record["ewma_span"] = v.ewm_span
    record["min_samples"] = v.min_samples
    record["window"] = v.window
    record["min_interval_ns"] = v.min_interval_ms * 1_000_000
    return record


def _order_cap(strategy: TradingStrategy) -> float:
    """Contracts no order of ours can want: a side of the ladder and the protection's margin; inf without sizes."""
    a = strategy.avellaneda
    if a.base_size is None:
        return inf
    return a.base_size * sum(_multipliers(a)[: a.max_levels]) * strategy.protection.quote_multiple


def _multipliers(a: Avellaneda) -> list[float]:
    """One multiplier for every level there may be; the last one given repeats."""
    given = list(a.size_multipliers)
    return (given + [given[-1]] * LEVELS_MAX)[:LEVELS_MAX]


def _or(value: float | None, absent: float) -> float:
    return absent if value is None else value


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)
