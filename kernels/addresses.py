"""Where the compiled kernels are: one C function pointer each, with the C types that ``records.pxd`` gives them."""

from ctypes import CFUNCTYPE, c_double, c_int32, c_int64, c_void_p
from dataclasses import dataclass

RESOLVE = CFUNCTYPE(c_int32, c_void_p, c_double, c_void_p)
HOLD = CFUNCTYPE(c_int32, c_void_p, c_double)
QUOTE = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)
VOLATILITY = CFUNCTYPE(c_double, c_void_p, c_double, c_int64)
FILL = CFUNCTYPE(c_int32, c_void_p, c_int64, c_int64, c_double)
TRADE = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_int64, c_int64)
REFRESH = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_void_p)
FORECAST = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_double)
CLOSE_DUE = CFUNCTYPE(c_int32, c_void_p, c_int64)


@dataclass(frozen=True, slots=True)
class Addresses:
    """C function pointers as integers; the types are those of ``records.pxd``."""

    resolve: int  # resolve_fn
    hold: int  # hold_fn
    quote: int  # quote_fn
    volatility: int  # volatility_fn
    fill: int  # fill_fn
    trade: int  # trade_fn
    refresh: int  # refresh_fn
    forecast: int  # forecast_fn
    close_due: int  # close_due_fn
