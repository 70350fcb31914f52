"""A user's own strategy: found by name, compiled, and tried on a grid of markets before it may quote.

``module:function`` names a function of three records, ``quote(market, model, target) -> code`` (``kernels.records.pxd``
has their members, ``kernels.quote.quote`` is the one it replaces). The module is found as Python finds any other, the
working directory included. Set-up only.
"""

import ctypes
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from itertools import product
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from engine.config_schema import Config
from engine.plan_builder import settings_record
from kernels import compiled, quote, resolve
from kernels.records import MARKET, MODEL, TARGET
from kernels.selftest import example_settings
from kernels.strategy import FLAWS

POINTER = ctypes.c_void_p
QUOTE = ctypes.CFUNCTYPE(ctypes.c_int32, POINTER, POINTER, POINTER)
NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

GRIDS = ((60_000.0, 1.0, 0.001), (3_000.0, 0.1, 0.01), (1.2, 0.0001, 1.0))
"""Coins that a strategy is tried on: price and tick in USD, lot in contracts."""
SIGMAS = (1e-6, 2e-5, 2e-3)
POSITIONS = (-1.0, -0.3, 0.0, 0.3, 1.0)
"""Fractions of the largest position."""
BOOKS_TICKS = (0, 1, 7)
"""Distance of others' best prices from the fair one; 0: no book."""
CAPACITIES = (0, 3, 10**9)
SIGNALS = (-1.0, 0.0, 1.0)


class StrategyRefused(ValueError):
    """The strategy cannot be used; says why, and for which market."""


def strategy_address(name: str, config: Config) -> int:
    """C address of the strategy ``module:function``, compiled and tried.

    Raises StrategyRefused when it cannot be found, does not compile, or fails on any market of the grid.
    """
    try:
        address = compiled.compile_strategy(found(name))
    except TypeError as error:
        raise StrategyRefused(str(error)) from error
    problem = tried(address, config)
    if problem:
        raise StrategyRefused(f"strategy {name} {problem}")
    return address


def found(name: str) -> Callable[[Any, Any, Any], int]:
    """The function of this name. Raises StrategyRefused; whatever its module raises is told as it is."""
    if not NAME.fullmatch(name):
        raise StrategyRefused(f"{name!r} is no strategy: write module:function, as in my_module:quote")
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        strategy = getattr(importlib.import_module(module), function)
    except Exception as error:
        raise StrategyRefused(f"strategy {name} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(strategy):
        raise StrategyRefused(f"strategy {name} is not a function")
    return strategy  # type: ignore[no-any-return]


def tried(address: int, config: Config) -> str:
    """Call the strategy on every market of the grid; what is wrong with it in words, or nothing."""
    call, ladders, calls = QUOTE(address), 0, 0
    target, again = np.zeros(1, TARGET), np.zeros(1, TARGET)
    for model, market in probes(config):
        kept = market.tobytes(), model.tobytes()
        code, repeated = (call(*(a.ctypes.data for a in (market, model, t))) for t in (target, again))
        where = shown(market[0], model[0])
        if (market.tobytes(), model.tobytes()) != kept:
            return f"changes the records that it is given {where}"
        if code == -1:
            return f"raises an exception {where}"
        if code < 0:
            return f"gives what is no ladder, {FLAWS[-1 - code]}, {where}"
        if code != repeated or target.tobytes() != again.tobytes():
            return f"answers differently when asked again {where}"
        calls += 1
        ladders += code == quote.OK and bool(target["bid_count"][0] or target["ask_count"][0])
    return "" if ladders else f"never quotes: none of {calls} markets gave a ladder"


def probes(config: Config) -> Iterator[tuple[Any, Any]]:
    """(model, market) of every combination, then markets without a price or a volatility."""
    for price, tick, lot in GRIDS:
        model = resolved(config, price, tick, lot)
        for sigma, position, book, capacity, signal in product(SIGMAS, POSITIONS, BOOKS_TICKS, CAPACITIES, SIGNALS):
            yield model, market_of(model, price, sigma, position, book, capacity, signal)
        for bad_price, bad_sigma in ((nan, 1e-5), (0.0, 1e-5), (inf, 1e-5), (price, nan), (price, 0.0), (price, inf)):
            yield model, market_of(model, bad_price, bad_sigma, 0.0, 0, 1000, 0.0)


def resolved(config: Config, price: float, tick: float, lot: float) -> Any:
    """The configuration's model on this coin; that of an example where its absolute numbers fit another coin."""
    model = np.zeros(1, MODEL)
    for settings in (settings_record(config)[0], example_settings()):
        settings["tick_usd"], settings["lot_contracts"], settings["min_lots"] = tick, lot, 1
        if isnan(settings["max_position"]):
            settings["max_position"] = config.risk.max_position_usd / price
        if resolve.resolve(settings, price, model[0]) == resolve.OK:
            break
    return model


def market_of(model: Any, price: float, sigma: float, position: float, book: int, capacity: int, signal: float) -> Any:
    """One market; ``sigma`` is relative to the price, ``position`` to the limit."""
    market = np.zeros(1, MARKET)
    ticks = 0 if isnan(price) or price in (0.0, inf) else round(price / float(model["tick_usd"][0]))
    market["fair_usd"] = market["mark_usd"] = market["index_usd"] = price
    market["sigma_usd"] = sigma if isnan(price) or price == inf else sigma * max(price, 1.0)
    market["position_lots"] = round(position * float(model["max_position"][0] / model["lot_contracts"][0]))
    market["buy_capacity_lots"] = market["sell_capacity_lots"] = capacity
    market["signals"] = signal
    if book and ticks > book:
        market["bid_ticks"], market["ask_ticks"] = ticks - book, ticks + book
        market["bid_lots"] = market["ask_lots"] = 10
    return market


def shown(market: Any, model: Any) -> str:
    """One market of the grid in words."""
    return (
        f"at price {market['fair_usd']:g} USD (tick {model['tick_usd']:g}), sigma {market['sigma_usd']:.3g}, "
        f"position {market['position_lots']} lots, capacity {market['buy_capacity_lots']}, "
        f"best {market['bid_ticks']} / {market['ask_ticks']}, signals {market['signals'][0]:g}"
    )
