"""Contradictions between keys that are each valid."""

from collections.abc import Iterator

from engine.config_errors import Problem, shown
from engine.config_fees import BPS, all_fee_arithmetic, base_of, instruments_of
from engine.config_schema import Avellaneda, Config


def contradictions(config: Config) -> Iterator[Problem]:
    """Every contradiction between valid keys. Keys in ticks are judged at ``REFERENCES``."""
    yield from _market(config)
    yield from _spreads(config)
    yield from _sizes(config)
    yield from _hold(config)
    yield from _account(config)
    yield from _rest(config)
    yield from _fees(config)


def _clash(config: Config, path: str, why: str, remedy: str, *others: str) -> Problem:
    return Problem(path, why, shown(_value(config, path)), remedy=remedy, others=others)


def _value(config: Config, path: str) -> object:
    value: object = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _market(config: Config) -> Iterator[Problem]:
    market = config.market
    names = instruments_of(config)
    if len(set(names)) != len(names):
        yield _clash(config, "market.instruments", "an instrument is named twice", "name each once")
    if market.underlying is not None:
        strangers = [name for name in names if base_of(name) != base_of(market.underlying)]
        if strangers:
            yield _clash(
                config,
                "market.instruments",
                f"{', '.join(strangers)} is not of underlying {market.underlying}",
                "drop market.underlying to quote several products",
                "market.underlying",
            )
    if market.network == "prod" and not market.production:
        yield _clash(
            config,
            "market.network",
            "production needs a second opt-in",
            "set market.production = true in the configuration file as well",
            "market.production",
        )
    if market.production and market.network != "prod":
        yield _clash(
            config,
            "market.production",
            "is true but the network is not prod",
            "set market.network = prod",
            "market.network",
        )
    if market.network == "prod" and config.credentials.account is None:
        yield _clash(
            config,
            "credentials.account",
            "production needs the account number",
            "the login must answer with it",
            "market.network",
        )
    given = [name for name in ("key_file", "key_env", "keys_py") if getattr(config.credentials, name) is not None]
    if len(given) > 1:
        yield _clash(
            config, f"credentials.{given[0]}", f"{' and '.join(given)} are both given", "keep one place for the key"
        )
    if given in (["key_file"], ["key_env"]) and config.credentials.key_id is None:
        yield _clash(
            config,
            "credentials.key_id",
            "a key needs its id",
            "give the id (kid) the venue shows",
            f"credentials.{given[0]}",
        )
    yield from _supervisor_key(config)


def _supervisor_key(config: Config) -> Iterator[Problem]:
    """A key of the supervisor's own is whole, and is another one."""
    credentials = config.credentials
    name, file = credentials.supervisor_key_id, credentials.supervisor_key_file
    at, beside = "credentials.supervisor_key_id", "credentials.supervisor_key_file"
    if name is None and file is not None:
        yield _clash(config, at, "a key needs its id", "give the id (kid) the venue shows", beside)
    elif file is None and name is not None:
        yield _clash(config, beside, "the supervisor's key has an id and no file", "give both, or none", at)
    elif name is not None and (name == credentials.key_id or file == credentials.key_file):
        yield _clash(
            config, at, "is the quoter's own key", "make another key at the venue, or give none", "credentials.key_id"
        )


def _spreads(config: Config) -> Iterator[Problem]:
    a = config.trading_strategy.avellaneda
    base = "trading_strategy.avellaneda."
    if a.max_spread is not None and a.min_spread > a.max_spread:
        yield _clash(
            config, base + "min_spread", f"above max_spread = {a.max_spread:g} ticks", "lower it", base + "max_spread"
        )
    if a.min_spread_bps > a.max_spread_bps:
        yield _clash(
            config,
            base + "min_spread_bps",
            f"above max_spread_bps = {a.max_spread_bps:g}",
            "lower it",
            base + "max_spread_bps",
        )
    reach_bps = a.max_spread_bps / 2 + _ladder_bps(a)
    if config.risk.collar_bps < reach_bps:
        yield _clash(
            config,
            "risk.collar_bps",
            f"the last level may stand {reach_bps:g} bps from the middle, beyond the collar",
            f"at least {reach_bps:g}, or a smaller max_spread_bps",
            base + "max_spread_bps",
            base + "level_spacing_bps",
            base + "max_levels",
        )
    if config.trading_strategy.execution.requote_bps > max(a.min_spread_bps, 2 * a.min_edge_bps):
        yield _clash(
            config,
            "trading_strategy.execution.requote_bps",
            "a quote would stay where it is at a distance wider than the smallest spread",
            "lower it",
            base + "min_spread_bps",
        )


def _ladder_bps(a: Avellaneda) -> float:
    """Distance from the first level to the last, as far as it is given in bps."""
    return 0.0 if a.level_spacing is not None else (a.max_levels - 1) * a.level_spacing_bps


def _sizes(config: Config) -> Iterator[Problem]:
    a, execution, risk = config.trading_strategy.avellaneda, config.trading_strategy.execution, config.risk
    base = "trading_strategy.avellaneda."
    largest = max(a.size_multipliers[: a.max_levels])
    if execution.max_size is not None and execution.min_size > execution.max_size:
        yield _clash(
            config,
            "trading_strategy.execution.min_size",
            f"above max_size = {execution.max_size:g}",
            "lower it",
            "trading_strategy.execution.max_size",
        )
    if a.base_size is not None and execution.max_size is not None and a.base_size > execution.max_size:
        yield _clash(
            config,
            base + "base_size",
            f"above max_size = {execution.max_size:g}",
            "lower it",
            "trading_strategy.execution.max_size",
        )
    if a.base_size is not None and risk.max_position is not None and risk.max_position < a.base_size:
        yield _clash(
            config,
            "risk.max_position",
            f"below the first level, base_size = {a.base_size:g} contracts",
            "raise it",
            base + "base_size",
        )
    if a.base_size is None and risk.max_position is None and risk.max_position_usd < a.size_usd:
        yield _clash(
            config,
            "risk.max_position_usd",
            f"below the first level, size_usd = {a.size_usd:g} USD",
            "raise it",
            base + "size_usd",
        )
    if a.base_size is None and risk.max_notional < a.size_usd:
        yield _clash(
            config,
            "risk.max_notional",
            f"below the first level, size_usd = {a.size_usd:g} USD",
            "raise it",
            base + "size_usd",
        )
    if a.base_size is None and risk.max_order_usd < a.size_usd * largest:
        yield _clash(
            config,
            "risk.max_order_usd",
            f"below the largest level, size_usd x {largest:g} = {a.size_usd * largest:g} USD",
            "raise it",
            base + "size_usd",
            base + "size_multipliers",
        )
    if risk.max_position is not None and abs(a.inventory_target) > risk.max_position:
        yield _clash(
            config,
            base + "inventory_target",
            f"beyond risk.max_position = {risk.max_position:g}",
            "lower it",
            "risk.max_position",
        )


def _account(config: Config) -> Iterator[Problem]:
    """Limits of the whole account that one event of ordinary trading would break."""
    levels, fills = config.trading_strategy.avellaneda.max_levels, config.risk.max_fills
    if 0 < fills <= levels:
        yield _clash(
            config,
            "risk.max_fills",
            f"one trade through {levels} levels would halt",
            f"above {levels}, or 0",
            "trading_strategy.avellaneda.max_levels",
        )


def _hold(config: Config) -> Iterator[Problem]:
    """A position to hold: what it needs, and bounds that say nothing or that one order breaks."""
    a, risk, base = config.trading_strategy.avellaneda, config.risk, "trading_strategy.avellaneda."
    if a.hold_within is None and a.hold_within_usd is None:
        return
    path = base + ("hold_within_usd" if a.hold_within is None else "hold_within")
    if a.gamma is not None:
        yield _clash(config, path, "gamma is given as well", "keep one of the two", base + "gamma")
    if a.time_horizon != float("inf"):
        yield _clash(
            config, path, "only stationary quotes hold a position", "time_horizon = inf", base + "time_horizon"
        )
    if a.inventory_weight == 0.0:
        yield _clash(config, path, "inventory_weight is 0: nothing skews", "raise it", base + "inventory_weight")
    if a.hold_within is not None:
        bound, order, limit = a.hold_within, a.base_size, risk.max_position
        names = (base + "base_size", "risk.max_position")
    else:
        usd = risk.max_position is None
        bound, order = a.hold_within_usd or 0.0, a.size_usd if a.base_size is None else None
        limit = min(risk.max_position_usd, risk.max_notional) if usd else None
        names = (base + "size_usd", "risk.max_position_usd")
    if order is not None and bound < order:
        yield _clash(config, path, f"below one order of the first level, {order:g}", "raise it", names[0])
    if limit is not None and bound >= limit:
        yield _clash(config, path, f"not below the largest position, {limit:g}", "lower it", names[1])


def _rest(config: Config) -> Iterator[Problem]:
    v, timing = config.volatility, config.trading_strategy.quote_timing
    if v.floor > v.ceiling:
        yield _clash(
            config, "volatility.floor", f"above volatility.ceiling = {v.ceiling:g}", "lower it", "volatility.ceiling"
        )
    elif not v.floor <= v.default <= v.ceiling:
        yield _clash(
            config,
            "volatility.default",
            f"outside floor and ceiling, {v.floor:g} to {v.ceiling:g}",
            "move it between them",
            "volatility.floor",
            "volatility.ceiling",
        )
    if v.min_samples > v.window:
        yield _clash(
            config, "volatility.min_samples", f"above volatility.window = {v.window}", "lower it", "volatility.window"
        )
    if timing.min_interval > timing.max_lifetime:
        yield _clash(
            config,
            "trading_strategy.quote_timing.min_interval",
            f"above max_lifetime = {timing.max_lifetime:g} s",
            "lower it",
            "trading_strategy.quote_timing.max_lifetime",
        )
    calibration = config.trading_strategy.calibration
    if calibration.interval > calibration.memory / 2:
        yield _clash(
            config,
            "trading_strategy.calibration.interval",
            f"above half of memory = {calibration.memory:g} s: halves of it could not be compared",
            "lower it",
            "trading_strategy.calibration.memory",
        )
    vamp = config.trading_strategy.vamp
    signals = config.trading_strategy.signals
    if signals.pull_at <= signals.widen_at:
        yield _clash(
            config,
            "trading_strategy.signals.pull_at",
            f"quotes would be pulled before they are widened, at {signals.widen_at:g}",
            "raise it above widen_at",
            "trading_strategy.signals.widen_at",
        )
    if vamp.aggressive_window > vamp.window:
        yield _clash(
            config,
            "trading_strategy.vamp.aggressive_window",
            f"above window = {vamp.window}",
            "lower it",
            "trading_strategy.vamp.window",
        )


def _fees(config: Config) -> Iterator[Problem]:
    """Refuse a largest spread that cannot pay the fees, and one below the smallest spread, with the arithmetic."""
    base = "trading_strategy.avellaneda."
    fee_bps = config.trading_fees.maker_fee_rate / BPS
    half_bps = config.trading_strategy.avellaneda.max_spread_bps / 2
    if half_bps <= fee_bps:
        yield _clash(
            config,
            base + "max_spread_bps",
            f"cannot pay its fees: half {half_bps:g} bps - fee {fee_bps:g} bps = {half_bps - fee_bps:g} bps a fill",
            f"above {2 * fee_bps:g}",
            "trading_fees.maker_fee_rate",
        )
        return
    for sums in all_fee_arithmetic(config):
        if sums.best_edge_bps <= 0:
            yield _clash(
                config, base + "max_spread", f"cannot pay its fees: {sums}", "raise it", "trading_fees.maker_fee_rate"
            )
