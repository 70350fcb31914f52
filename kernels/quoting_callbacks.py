"""The kernels behind a quote as C callbacks: settings resolved, a ladder, volatility, accounting."""

from typing import Any

from numba import carray  # type: ignore[attr-defined]

from kernels import position as position_kernels
from kernels import quote as quote_kernels
from kernels import resolve as resolve_kernels
from kernels import volatility as volatility_kernels
from kernels.kernel import (
    QUOTE_SIGNATURE,
    callback,
    f8,
    i4,
    i8,
    model_record,
    pointer,
    position_record,
    settings_record,
    volatility_record,
)


@callback(i4(pointer(settings_record), f8, pointer(model_record)))
def resolve(settings: Any, price_usd: float, model: Any) -> int:
    """``kernels.resolve.resolve`` of records by pointer."""
    return resolve_kernels.resolve(carray(settings, 1)[0], price_usd, carray(model, 1)[0])


@callback(i4(pointer(model_record), f8))
def hold(model: Any, sigma_usd: float) -> int:
    """``kernels.resolve.hold`` of records by pointer."""
    return resolve_kernels.hold(carray(model, 1)[0], sigma_usd)


@callback(QUOTE_SIGNATURE)
def quote(market: Any, model: Any, target: Any) -> int:
    """``kernels.quote.quote`` of records by pointer."""
    return quote_kernels.quote(carray(market, 1)[0], carray(model, 1)[0], carray(target, 1)[0])


@callback(f8(pointer(volatility_record), f8, i8))
def volatility(state: Any, price_usd: float, t_ns: int) -> float:
    """``kernels.volatility.update`` of records by pointer."""
    return volatility_kernels.update(carray(state, 1)[0], price_usd, t_ns)


@callback(i4(pointer(position_record), i8, i8, f8))
def fill(position: Any, signed_lots: int, price_ticks: int, fee_usd: float) -> int:
    """``kernels.position.fill`` of records by pointer."""
    return position_kernels.fill(carray(position, 1)[0], signed_lots, price_ticks, fee_usd)
