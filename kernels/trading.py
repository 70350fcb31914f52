"""The kernels that trade: those that the core calls by address, by their names in ``Addresses``."""

from typing import Any

from kernels import candles, forecast, position, quote, resolve, volatility

KERNELS: dict[str, Any] = {
    "resolve": resolve.resolve,
    "hold": resolve.hold,
    "quote": quote.quote,
    "volatility": volatility.update,
    "fill": position.fill,
    "trade": forecast.trade,
    "refresh": forecast.refresh,
    "forecast": forecast.forecast,
    "close_due": candles.close_due,
}
