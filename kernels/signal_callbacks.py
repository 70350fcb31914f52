"""The kernels behind the signals as C callbacks: trades, candles, what the signals say and what is believed of it."""

from typing import Any

from numba import carray  # type: ignore[attr-defined]

from kernels import candles as candle_kernels
from kernels import forecast as forecast_kernels
from kernels.kernel import (
    callback,
    candles_record,
    f8,
    flow_record,
    forecast_record,
    i4,
    i8,
    market_record,
    pointer,
)


@callback(
    i4(pointer(flow_record), pointer(candles_record), pointer(forecast_record), pointer(market_record), *([i8] * 5))
)
def trade(
    flow: Any,
    candles: Any,
    state: Any,
    market: Any,
    aggressor: int,
    price_ticks: int,
    lots: int,
    t_ns: int,
    begins: int,
) -> int:
    """``kernels.forecast.trade`` of records by pointer."""
    return forecast_kernels.trade(
        carray(flow, 1)[0],
        carray(candles, 1)[0],
        carray(state, 1)[0],
        carray(market, 1)[0],
        aggressor,
        price_ticks,
        lots,
        t_ns,
        begins,
    )


@callback(i4(pointer(flow_record), pointer(candles_record), pointer(forecast_record), pointer(market_record)))
def refresh(flow: Any, candles: Any, state: Any, market: Any) -> int:
    """``kernels.forecast.refresh`` of records by pointer."""
    return forecast_kernels.refresh(
        carray(flow, 1)[0], carray(candles, 1)[0], carray(state, 1)[0], carray(market, 1)[0]
    )


@callback(i4(pointer(forecast_record), pointer(market_record), f8))
def forecast(state: Any, market: Any, tick_usd: float) -> int:
    """``kernels.forecast.forecast`` of records by pointer."""
    return forecast_kernels.forecast(carray(state, 1)[0], carray(market, 1)[0], tick_usd)


@callback(i4(pointer(candles_record), i8))
def close_due(candles: Any, now_ns: int) -> int:
    """``kernels.candles.close_due`` of records by pointer."""
    return candle_kernels.close_due(carray(candles, 1)[0], now_ns)
