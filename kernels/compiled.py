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
from numba import carray, types  # type: ignore[attr-defined]

from kernels import position as position_kernels
from kernels import quote as quote_kernels
from kernels import resolve as resolve_kernels
from kernels import volatility as volatility_kernels
from kernels.addresses import Addresses
from kernels.kernel import (
    COMPILES,
    OPTIONS,
    f8,
    i4,
    i8,
    market_record,
    model_record,
    position_record,
    settings_record,
    target_record,
    volatility_record,
)
from kernels.records import MARKET, MODEL, POSITION, SETTINGS, TARGET, VOLATILITY

CALLBACK_OPTIONS: dict[str, Any] = {name: value for name, value in OPTIONS.items() if name != "nogil"}
QUOTE_SIGNATURE = i4(*map(types.CPointer, (market_record, model_record, target_record)))


def pointer(record: Any) -> Any:
    """Numba type of a C pointer to a record type."""
    return types.CPointer(record)  # type: ignore[no-untyped-call]


def callback(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a C callback now, for this one Numba signature, or load it from the cache."""

    def decorate(function: Callable[..., Any]) -> Any:
        return numba.cfunc(signature, **CALLBACK_OPTIONS)(function)

    return decorate


@callback(i4(pointer(settings_record), f8, pointer(model_record)))
def _resolve(settings: Any, price_usd: float, model: Any) -> int:
    return resolve_kernels.resolve(carray(settings, 1)[0], price_usd, carray(model, 1)[0])


@callback(QUOTE_SIGNATURE)
def _quote(market: Any, model: Any, target: Any) -> int:
    return quote_kernels.quote(carray(market, 1)[0], carray(model, 1)[0], carray(target, 1)[0])


@callback(f8(pointer(volatility_record), f8, i8))
def _volatility(state: Any, price_usd: float, t_ns: int) -> float:
    return volatility_kernels.update(carray(state, 1)[0], price_usd, t_ns)


@callback(i4(pointer(position_record), i8, i8, f8))
def _fill(position: Any, signed_lots: int, price_ticks: int, fee_usd: float) -> int:
    return position_kernels.fill(carray(position, 1)[0], signed_lots, price_ticks, fee_usd)


class Callables(NamedTuple):
    """The same four functions for Python, through ctypes; records as the integer addresses of their memory."""

    resolve: Callable[[int, float, int], int]
    quote: Callable[[int, int, int], int]
    volatility: Callable[[int, float, int], float]
    fill: Callable[[int, int, int, float], int]


_strategies: list[Any] = []


def addresses() -> Addresses:
    """The four C function pointers."""
    return Addresses(_resolve.address, _quote.address, _volatility.address, _fill.address)


def callables() -> Callables:
    """The four C functions for checks from Python; slow beside their twins, and as unguarded as any C function."""
    return Callables(_resolve.ctypes, _quote.ctypes, _volatility.ctypes, _fill.ctypes)


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
    records = [np.zeros(1, dtype) for dtype in (SETTINGS, MODEL, MARKET, TARGET, VOLATILITY, POSITION)]
    settings, model, market, target, state, position = (record.ctypes.data for record in records)
    call = callables()
    refused = (
        call.resolve(settings, 0.0, model) != resolve_kernels.OK,
        call.quote(market, model, target) != quote_kernels.OK,
        call.volatility(state, 0.0, 0) == 0.0,
        call.fill(position, 0, 0, 0.0) != position_kernels.OK,
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
