"""How a kernel is compiled: the decorator and the record types that every kernel module uses.

A kernel is a top-level function on scalars and records, compiled at import for one explicit signature: it can never
be compiled again while trading, and a wrong argument type is an error. ``fastmath`` is off because it removes NaN
checks; division by zero gives inf or NaN as in NumPy, so a kernel guards its inputs instead of raising.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar, cast

import numba
from numba import types
from numba.core import config, event

from kernels import cache
from kernels.records import CANDLES, FLOW, FORECAST, MARKET, MODEL, POSITION, SETTINGS, TARGET, VOLATILITY

# Locators read this when a kernel is decorated, hence before any kernel module's body.
config.CACHE_DIR = str(cache.directory())  # type: ignore[attr-defined]


class CompileCounter(event.Listener):
    """Counts the functions that Numba compiles in this process; a load from the cache is not a compile."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, event: Any) -> None:
        """Nothing: a compile counts when it is done."""

    def on_end(self, event: Any) -> None:
        """Count the one pass that every compiled function goes through exactly once."""
        self.count += event.data["name"].startswith("native_lowering ")


COMPILES = CompileCounter()
event.register("numba:run_pass", COMPILES)  # type: ignore[no-untyped-call]

Function = TypeVar("Function", bound=Callable[..., Any])
Record: TypeAlias = Any  # one element of an array of a kernels.records dtype, passed by reference

OPTIONS: dict[str, Any] = {"fastmath": False, "error_model": "numpy", "nogil": True}
Declare: TypeAlias = Callable[[Callable[..., Any], Any], Any]
_declare: list[Declare] = []


def declare(how: Declare) -> None:
    """Make ``how(function, signature)`` of every kernel whose module is imported from here on, and compile nothing."""
    _declare[:] = [how]


f8 = numba.float64
i8 = numba.int64
i4 = numba.int32
pair = types.UniTuple(numba.float64, 2)  # type: ignore[no-untyped-call]
int_pair = types.UniTuple(numba.int64, 2)  # type: ignore[no-untyped-call]

settings_record = numba.from_dtype(SETTINGS)
model_record = numba.from_dtype(MODEL)
market_record = numba.from_dtype(MARKET)
target_record = numba.from_dtype(TARGET)
volatility_record = numba.from_dtype(VOLATILITY)
position_record = numba.from_dtype(POSITION)
flow_record = numba.from_dtype(FLOW)
candles_record = numba.from_dtype(CANDLES)
forecast_record = numba.from_dtype(FORECAST)


def kernel(signature: Any) -> Callable[[Function], Function]:
    """Compile the function now, for this one Numba signature, or load it from the cache."""

    def decorate(function: Function) -> Function:
        if _declare:
            return cast(Function, _declare[0](function, signature))
        compiled: Function = numba.njit(signature, cache=True, **OPTIONS)(function)
        return compiled

    return decorate


def pointer(record: Any) -> Any:
    """Numba type of a C pointer to a record type."""
    return types.CPointer(record)  # type: ignore[no-untyped-call]


QUOTE_SIGNATURE = i4(*map(pointer, (market_record, model_record, target_record)))


class Callback:
    """The C function of a compiled kernel, which takes records by pointer; of the members of ``numba.cfunc``'s."""

    def __init__(self, kernel: Any) -> None:
        (compiled,) = kernel.overloads.values()
        self._library, described = attrgetter("library", "fndesc")(compiled)
        self.native_name: str = described.llvm_cfunc_wrapper_name
        self.address: int = self._library.get_pointer_to_function(self.native_name)
