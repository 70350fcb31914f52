"""The schema of the configuration: every key with its type, unit, bounds, default and one line of help.

The models are frozen and refuse unknown members. ``None`` means "not given", never "default". Every absolute key (USD,
contracts, ticks) has a scale-free neighbour (basis points, multiples) that carries the default, so the same defaults
make sense on a coin at 60,000 with a tick of 1 and on one at 1.2 with a tick of 0.0001.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from engine.config_pull import Pull
from engine.config_section import LEVELS_MAX, Finite, Multipliers, Name, Names, Section, key
from engine.config_signals import Calibration, Signals, Vamp, VolumeCandle


class Market(Section):
    """What is quoted, and where."""

    underlying: Name | None = key(
        None, "name", "quote this perpetual or underlying; every instrument must belong to it"
    )
    instruments: Names | None = key(
        None,
        "names",
        "instruments to quote; without it the underlying, else BTC-PERPETUAL",
        min_length=1,
        max_length=16,
    )
    network: Literal["local", "test", "prod"] | None = key(
        None, "name", "where to trade; without it local, or test when a key is given"
    )
    production: bool = key(False, "switch", "second of the two opt-ins that production needs (the first: network prod)")
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$", max_length=16)] = key(
        "as", "text", "label on every order and quote"
    )


class Avellaneda(Section):
    """The model: risk aversion, fill intensity, horizon, and the shape of the ladder."""

    gamma: Finite | None = key(None, "1/(USD*contract)", "risk aversion; without it risk decides", gt=0, le=1e6)
    risk: Finite = key(
        0.2,
        "dimensionless",
        "risk aversion: gamma = risk / (max position * 1 bp of the price)",
        gt=0,
        le=1e3,
    )
    hold_within: Finite | None = key(
        None,
        "contracts",
        "gamma is solved so that the position is within this for hold_share of the time; without it hold_within_usd",
        gt=0,
        le=1e9,
    )
    hold_within_usd: Finite | None = key(
        None, "USD", "the same as a notional; without both gamma or risk decide", gt=0, le=1e9
    )
    hold_share: Finite = key(0.95, "fraction", "share of the time for hold_within", ge=0.5, le=0.999)
    kappa: Finite | None = key(
        None, "1/USD", "decay k of the fill intensity A exp(-k d); without it kappa_per_bp", gt=0, le=1e9
    )
    kappa_per_bp: Finite = key(0.4, "1/bp", "decay of the fill intensity per basis point of the price", gt=0, le=100)
    order_flow_intensity: Finite = key(0.8, "1/s", "fill intensity A at distance 0", gt=0, le=1e6)
    time_horizon: Annotated[float, Field(allow_inf_nan=True)] = key(
        float("inf"), "s", "horizon T - t; inf selects the stationary (GLFT) quotes", gt=0
    )
    inventory_weight: Finite = key(1.0, "multiplier", "multiplier on the inventory skew", ge=0, le=10)
    inventory_target: Finite = key(0.0, "contracts", "position the skew pulls towards", ge=-1e9, le=1e9)
    min_spread: Finite = key(
        2.0, "ticks", "smallest full spread; the larger of it and min_spread_bps holds", ge=1, le=1e6
    )
    max_spread: Finite | None = key(
        None, "ticks", "largest full spread; the smaller of it and max_spread_bps holds", ge=1, le=1e6
    )
    min_spread_bps: Finite = key(2.0, "bps", "smallest full spread", ge=0, le=1000)
    max_spread_bps: Finite = key(60.0, "bps", "largest full spread", gt=0, le=2000)
    min_edge_bps: Finite = key(0.5, "bps", "edge kept by each fill after the maker fee", ge=0, le=500)
    volatility_multiple: Finite = key(
        1.0, "multiplier", "half-spread is at least this times sigma * sqrt(1 s)", ge=0, le=100
    )
    touch_multiple: Finite = key(
        4.0,
        "multiplier",
        "half-spread is at most this times that of the others' best quotes, where fee, edge and volatility are paid",
        gt=0,
        le=1e6,
    )
    base_size: Finite | None = key(None, "contracts", "size of the first level; without it size_usd", gt=0, le=1e9)
    size_usd: Finite = key(3000.0, "USD", "notional of the first level", gt=0, le=1e8)
    size_multipliers: Multipliers = key(
        (1.0, 1.3, 1.8, 2.2, 2.8),
        "multipliers",
        "size of each level in multiples of the first; the last one repeats",
        min_length=1,
        max_length=LEVELS_MAX,
    )
    max_levels: int = key(3, "levels", "levels a side", ge=1, le=LEVELS_MAX)
    level_spacing: Finite | None = key(
        None, "ticks", "distance between levels; without it level_spacing_bps", ge=1, le=1e6
    )
    level_spacing_bps: Finite = key(2.0, "bps", "distance between levels", gt=0, le=500)
    position_fade_time: Finite = key(
        3600.0,
        "s",
        "a position that never was flat for so long is not added to; until then its limit falls in a straight line",
        gt=0,
        le=1e6,
    )
    position_fade_halves: Finite = key(
        1.0,
        "multiplier",
        "half-spreads by which the side that adds to a position stands further out, at the limit; in proportion before",
        ge=0,
        le=100,
    )
    size_volatility: Finite = key(
        2.0,
        "fraction/year",
        "volatility up to which sizes are full; above it they shrink in inverse proportion",
        gt=0,
        le=50,
    )


class Execution(Section):
    """How a target becomes orders."""

    mode: Literal["mass_quote", "orders"] = key("mass_quote", "name", "mass quotes under protection, or single orders")
    post_only: bool = key(True, "switch", "never take: quotes are clamped behind the opposite best")
    min_size: Finite = key(0.0, "contracts", "smallest order; the instrument's minimum holds as well", ge=0, le=1e9)
    max_size: Finite | None = key(None, "contracts", "largest order", gt=0, le=1e9)
    price_decimals: int | None = key(
        None, "digits", "prices of quotes have at most so many, bids rounded down and asks up", ge=0, le=8
    )
    size_decimals: int | None = key(
        None, "digits", "sizes of quotes have at most so many, rounded down unless they only reduce", ge=0, le=8
    )
    requote_ticks: int = key(
        1, "ticks", "a quote at most this far from its target, on the safe side, stays", ge=0, le=1000
    )
    requote_bps: Finite = key(0.6, "bps", "the same in basis points; the larger of the two holds", ge=0, le=100)


class Protection(Section):
    """The venue's market-maker protection (protocol section 7.2), in multiples of one side of the ladder."""

    trade_multiple: Finite = key(
        2.0, "multiplier", "traded amount after which the venue pulls all quotes", ge=1, le=100
    )
    quote_multiple: Finite = key(1.5, "multiplier", "largest quoted amount a side", ge=1, le=100)


class QuoteTiming(Section):
    """When quotes change."""

    min_interval: Finite = key(0.05, "s", "shortest time between two changes of one instrument's quotes", ge=0, le=60)
    max_lifetime: Finite = key(30.0, "s", "oldest quote left unrefreshed", gt=0, le=86400)
    data_stale: Finite = key(3.0, "s", "oldest market data that is quoted on", ge=0.1, le=60)


class TradingStrategy(Section):
    """The strategy's tables."""

    avellaneda: Avellaneda = Avellaneda()
    execution: Execution = Execution()
    protection: Protection = Protection()
    quote_timing: QuoteTiming = QuoteTiming()
    pull: Pull = Pull()
    volume_candle: VolumeCandle = VolumeCandle()
    vamp: Vamp = Vamp()
    signals: Signals = Signals()
    calibration: Calibration = Calibration()


class Volatility(Section):
    """The volatility estimator; annualised fractions (0.6 is 60 % a year)."""

    window: int = key(75, "samples", "window of the realised kernel", ge=5, le=256)
    min_samples: int = key(20, "samples", "returns before the estimate replaces the default", ge=2, le=256)
    ewm_span: Finite = key(60.0, "samples", "span of the exponential average", gt=1, le=100_000)
    min_interval_ms: int = key(100, "ms", "returns over shorter spans are folded into the next", ge=0, le=60_000)
    floor: Finite = key(0.10, "fraction/year", "lowest volatility used", gt=0, le=20)
    ceiling: Finite = key(5.0, "fraction/year", "highest volatility used", gt=0, le=50)
    default: Finite = key(0.60, "fraction/year", "volatility before there is an estimate", gt=0, le=50)


class Risk(Section):
    """Limits of the gate and of the watchers behind it."""

    max_position: Finite | None = key(None, "contracts", "largest worst-case position of an instrument", gt=0, le=1e9)
    max_position_usd: Finite = key(45_000.0, "USD", "the same as a notional; used without max_position", gt=0, le=1e9)
    max_notional: Finite = key(100_000.0, "USD", "largest worst-case notional of an instrument", gt=0, le=1e9)
    max_order_usd: Finite = key(25_000.0, "USD", "largest single order", gt=0, le=1e8)
    collar_bps: Finite = key(150.0, "bps", "largest distance of any price from mark or index", gt=0, le=5000)
    stop_loss_pct: Finite = key(
        0.06, "fraction", "unrealised loss, closing fee included, after which a position is only reduced", gt=0, le=1
    )
    take_profit_pct: Finite = key(
        0.02, "fraction", "unrealised profit, closing fee paid, after which a position is only reduced", gt=0, le=1
    )
    max_drawdown: Finite = key(0.10, "fraction", "fall of equity from its peak that halts, of max_notional", gt=0, le=1)
    drawdown_reduce: Finite = key(
        0.8, "fraction", "share of max_drawdown from which the whole account only reduces; 1: never", gt=0, le=1
    )
    max_loss: Finite = key(
        0.5, "fraction", "fall of equity within loss_window that halts, of max_drawdown; 1: none", gt=0, le=1
    )
    loss_window: Finite = key(300.0, "s", "window of max_loss", ge=1, le=86400)
    max_fills: int = key(300, "fills", "fills of the account within fills_window that halt; 0: any", ge=0, le=10_000)
    fills_window: Finite = key(60.0, "s", "window of max_fills", ge=1, le=86400)
    foreign_trades: Literal["halt", "reduce"] = key(
        "halt", "name", "what a trade of somebody else on the account does; a second one soon after always halts"
    )
    foreign_cancel_seconds: Finite = key(60.0, "s", "hold after others cancelled our orders; 0: none", ge=0, le=86400)
    reduce_seconds: Finite = key(
        60.0, "s", "how long after its last cause the whole account still only reduces", ge=1, le=86400
    )
    max_consecutive_losses: int = key(
        5, "trades", "losing round trips in a row after which a position is only reduced", ge=1, le=1000
    )
    recovery_cooldown_seconds: Finite = key(
        9.0, "s", "how long after a breach is over an instrument still only reduces", ge=0, le=86400
    )
    risk_recovery_threshold: Finite = key(
        0.8, "fraction", "share of a limit below which a breach is over although the position is not flat", gt=0, le=1
    )


class TradingFees(Section):
    """Fees as fractions of the index notional."""

    maker_fee_rate: Finite = key(0.0001, "fraction", "maker fee (0.0001 is 1 bp)", ge=-0.01, le=0.01)
    taker_fee_rate: Finite = key(0.0005, "fraction", "taker fee (0.0005 is 5 bp)", ge=-0.01, le=0.01)


class Connection(Section):
    """The connection, its deadlines and its recovery."""

    rate_limit: int = key(
        # Its set-up takes 5 and its looks for open orders 120 while it cancels everything.
        180,
        "requests/min",
        "most that the supervisor asks beside its cancels, which nothing limits",
        ge=150,
        le=60_000,
    )
    retry_delay: Finite = key(
        0.5, "s", "first delay before a reconnect; it doubles, with jitter, up to 30 s", gt=0, le=30
    )
    heartbeat_interval: Finite = key(
        2.0, "s", "interval of pings; half of cancel_on_disconnect at most, whatever is given", ge=0.1, le=60
    )
    max_reconnect_attempts: int = key(
        0, "attempts", "failed reconnects in a row before giving up; 0: never", ge=0, le=10_000
    )
    cancel_on_disconnect: int = key(6, "s", "silence after which the venue cancels our orders", ge=2, le=60)
    reply_timeout: Finite = key(2.0, "s", "a request without a reply is unknown after this", ge=0.05, le=60)
    audit_interval: Finite = key(
        10.0, "s", "interval of the checks of orders and position with the venue", ge=1, le=3600
    )
    stop_timeout: Finite = key(5.0, "s", "time to prove that no order is left, when stopping", ge=0.5, le=60)
    max_memory_mb: int = key(4000, "MB", "memory in use at which the run ends in order; 0: any", ge=0, le=10**6)


class Credentials(Section):
    """Where the key is. Never the key itself: a path, or the name of an environment variable."""

    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)] | None = key(
        None, "text", "account number; production needs it, and the login must answer with it"
    )
    key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)] | None = key(
        None, "text", "id (kid) of the key"
    )
    key_file: Annotated[str, Field(min_length=1, max_length=4096)] | None = key(
        None, "path", "file of the private key (PEM), readable by its owner alone"
    )
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)] | None = key(
        None, "name", "environment variable that holds the private key (PEM)"
    )
    keys_py: Annotated[str, Field(min_length=1, max_length=4096)] | None = key(
        None, "path", "a keys.py with key_ids[Network.TEST] and private_keys[Network.TEST]; it is read, never run"
    )
    supervisor_key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)] | None = key(
        None, "text", "id (kid) of the supervisor's own key; not given: it logs in with the quoter's"
    )
    supervisor_key_file: Annotated[str, Field(min_length=1, max_length=4096)] | None = key(
        None, "path", "file of the supervisor's own private key (PEM), readable by its owner alone"
    )


class Log(Section):
    """The log file; the console shows the status line."""

    file: Annotated[str, Field(min_length=1, max_length=4096)] | None = key(
        None, "path", "structured log, one JSON object a line"
    )
    level: Literal["debug", "info", "warning", "error"] = key("info", "name", "lowest level written")
    max_bytes: int = key(
        50_000_000, "bytes", "size at which the log is rotated; one old file is kept", ge=10_000, le=10**10
    )
    slow_tick_us: float = key(
        0.0,
        "us",
        "a slower read is remembered, with its cause; 0: ten medians of tick to quote",
        ge=0,
        le=1e6,
    )


class Journal(Section):
    """The record of everything that came in and went out, written by a process of its own."""

    directory: Annotated[str, Field(min_length=1, max_length=4096)] | None = key(
        None, "path", "holds a directory a run; not given: below the data directory; off: none is written"
    )
    segment_bytes: int = key(16_000_000, "bytes", "size of a file before it is compressed", ge=100_000, le=10**9)
    retain_bytes: int = key(2 * 10**9, "bytes", "the oldest runs go when all have more", ge=1_000_000, le=10**13)


class Config(Section):
    """The whole configuration."""

    market: Market = Market()
    trading_strategy: TradingStrategy = TradingStrategy()
    volatility: Volatility = Volatility()
    risk: Risk = Risk()
    trading_fees: TradingFees = TradingFees()
    connection: Connection = Connection()
    credentials: Credentials = Credentials()
    log: Log = Log()
    journal: Journal = Journal()


CHANGEABLE: tuple[str, ...] = (
    "trading_strategy.avellaneda",
    "trading_strategy.execution.post_only",
    "trading_strategy.execution.min_size",
    "trading_strategy.execution.max_size",
    "trading_strategy.execution.requote_ticks",
    "trading_strategy.execution.requote_bps",
    "trading_strategy.execution.price_decimals",
    "trading_strategy.execution.size_decimals",
    "trading_strategy.protection",
    "trading_strategy.quote_timing",
    "trading_strategy.pull",
    "volatility",
    "risk",
    "trading_fees",
    "connection.reply_timeout",
    "connection.audit_interval",
    "trading_strategy.volume_candle",
    "trading_strategy.vamp",
    "trading_strategy.signals",
    "trading_strategy.calibration",
)
"""Keys that a running quoter takes (``quoter set``, SIGHUP), or whole tables of them; others need a restart."""

ALIASES: dict[str, str] = {"volatility_config": "volatility", "trading_strategy.volatility": "volatility"}
"""Other homes of a table, and its one home."""


@dataclass(frozen=True, slots=True)
class Key:
    """One leaf of the schema: dotted path, unit, default, allowed range as text, help.

    ``changeable``: it may change while running.
    """

    path: str
    unit: str
    default: Any
    allowed: str
    text: str
    optional: bool
    changeable: bool


def is_changeable(path: str) -> bool:
    """Whether a running quoter takes another value of the key at ``path``."""
    return _named(path, CHANGEABLE)


def _named(path: str, names: tuple[str, ...]) -> bool:
    return any(path == name or path.startswith(name + ".") for name in names)


def _limits(schema: dict[str, Any]) -> Iterator[str]:
    """The bounds of one JSON schema as short texts."""
    for name, sign in (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")):
        if name in schema:
            yield f"{sign} {schema[name]:g}"
    if "pattern" in schema:
        yield f"matching {schema['pattern']}"
    if "minItems" in schema or "maxItems" in schema:
        yield f"{schema.get('minItems', 0)} to {schema.get('maxItems', 'many')} items"
    if "enum" in schema:
        yield "one of " + ", ".join(str(value) for value in schema["enum"])


def _allowed(schema: dict[str, Any]) -> str:
    """Type and bounds of one leaf as a reader wants them."""
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    merged = {**schema, **options[0]}
    kind = {
        "number": "a number",
        "integer": "a whole number",
        "boolean": "true or false",
        "string": "a text",
        "array": "a list",
    }
    words = "" if "enum" in merged else kind.get(str(merged.get("type")), "a value")
    parts = [text for text in (words, *_limits(merged)) if text]
    return " ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])


def _leaves(model: type[Section], prefix: str) -> Iterator[Key]:
    schema = model.model_json_schema()
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from _leaves(info.annotation, path + ".")
            continue
        extra = info.json_schema_extra
        unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
        yield Key(
            path,
            unit,
            info.default,
            _allowed(schema["properties"][name]),
            info.description or "",
            info.default is None,
            is_changeable(path),
        )


@cache
def all_keys() -> Mapping[str, Key]:
    """Every key of the schema by its dotted path, in the order of the schema."""
    return MappingProxyType({leaf.path: leaf for leaf in _leaves(Config, "")})
