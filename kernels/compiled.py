"""The kernels as C pointers: what the Cython core binds once at start.

Each address is a C function with the signature that the end of ``records.pxd`` states; it takes pointers to records,
runs without the GIL and without allocation. The objects that own the code live in this module, so an address is valid
as long as the process. Importing compiles everything, or loads it from the cache directory (kernels.cache); nothing
is compiled after that, which ``compile_count`` lets the caller show.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import carray  # type: ignore[attr-defined]

from kernels import addresses as prototypes
from kernels import position as position_kernels
from kernels import quote as quote_kernels
from kernels import resolve as resolve_kernels
from kernels.addresses import Addresses
from kernels.kernel import COMPILES, QUOTE_SIGNATURE, Callback, i4, market_record, model_record, target_record
from kernels.records import CANDLES, FLOW, FORECAST, MARKET, MODEL, POSITION, SETTINGS, TARGET, VOLATILITY
from kernels.trading import KERNELS


class Callables(NamedTuple):
    """The same functions for Python, through ctypes; records as the integer addresses of their memory."""

    resolve: Callable[[int, float, int], int]
    hold: Callable[[int, float], int]
    quote: Callable[[int, int, int], int]
    volatility: Callable[[int, float, int], float]
    fill: Callable[[int, int, int, float], int]
    trade: Callable[..., int]
    refresh: Callable[[int, int, int, int], int]
    forecast: Callable[[int, int, float], int]
    close_due: Callable[[int, int], int]


_RECORDS = (SETTINGS, MODEL, MARKET, TARGET, VOLATILITY, POSITION, FLOW, CANDLES, FORECAST)
_CALLBACKS = {name: Callback(each) for name, each in KERNELS.items()}
_strategies: list[Any] = []


def callbacks() -> dict[str, Any]:
    """Numba's C callbacks, by the names of ``Addresses``."""
    return dict(_CALLBACKS)


def addresses() -> Addresses:
    """The C function pointers."""
    return Addresses(**{name: function.address for name, function in _CALLBACKS.items()})


def callables() -> Callables:
    """The C functions for checks from Python; slow beside their twins, and as unguarded as any C function."""
    return Callables(**{name: getattr(prototypes, name.upper())(each.address) for name, each in _CALLBACKS.items()})


def compile_count() -> int:
    """Functions compiled in this process so far (loads from the cache do not count); constant while trading."""
    return COMPILES.count


def warm_up() -> int:
    """Call every kernel that runs while trading once, by its C pointer, on records of its own; returns
    ``compile_count()``.

    Touches the code and its pages before the first tick does. Raises RuntimeError if anything had to be compiled, or
    if a kernel accepted empty records.
    """
    before = compile_count()
    records = [np.zeros(1, dtype) for dtype in _RECORDS]
    settings, model, market, target, state, position, flow, candles, forecast = (r.ctypes.data for r in records)
    call = callables()
    refused = (
        call.resolve(settings, 0.0, model) != resolve_kernels.OK,
        call.hold(model, 0.0) != resolve_kernels.OK,
        call.quote(market, model, target) != quote_kernels.OK,
        call.volatility(state, 0.0, 0) == 0.0,
        call.fill(position, 0, 0, 0.0) != position_kernels.OK,
        call.trade(flow, candles, forecast, market, 0, 0, 0, 0, 1) != 0,
        call.refresh(flow, candles, forecast, market) == 0,
        call.forecast(forecast, market, 0.0) == 0,
        call.close_due(candles, 0) == 0,
    )
    if not all(refused):
        raise RuntimeError(f"a kernel accepted an empty record: {refused}")
    if compile_count() != before:
        raise RuntimeError("a kernel was compiled after the start")
    return before


def compile_strategy(function: Callable[[Any, Any, Any], int]) -> int:
    """Address of a user's own ``quote(market, model, target) -> code``, a function of three records that Numba can
    compile.

    The signature and the contract are those of ``kernels.quote.quote``: 0 and a ladder, or a positive code. It may
    call any kernel. An exception inside it, an index out of range too, becomes code -1 and an empty target; a ladder
    that is none (kernels.strategy.flaw) becomes code -1 - flaw and an empty target. Raises TypeError with Numba's
    explanation if it does not compile.
    """
    from kernels import strategy as strategy_kernels

    options: dict[str, Any] = {"error_model": "numpy", "fastmath": False}
    try:
        inner = numba.njit(i4(market_record, model_record, target_record), boundscheck=True, **options)(
            getattr(function, "py_func", function)
        )

        def strategy(market: Any, model: Any, target: Any) -> int:
            try:
                code = inner(carray(market, 1)[0], carray(model, 1)[0], carray(target, 1)[0])
            except Exception:
                return quote_kernels.empty(carray(target, 1)[0], -1)
            if code == quote_kernels.OK:
                flaw = strategy_kernels.flaw(carray(market, 1)[0], carray(model, 1)[0], carray(target, 1)[0])
                if flaw != strategy_kernels.OK:
                    return quote_kernels.empty(carray(target, 1)[0], -1 - flaw)
                return 0
            return quote_kernels.empty(carray(target, 1)[0], code)

        compiled = numba.cfunc(QUOTE_SIGNATURE, **options)(strategy)
    except Exception as error:
        raise TypeError(f"strategy {getattr(function, '__name__', function)!s} does not compile: {error!r}") from error
    _strategies.append(compiled)
    return int(compiled.address or 0)
