"""What the engine is compared with: the same tick answered by plain, well-written Python, in the same run.

Both handlers take a ticker frame and return the text of the mass quote that answers it: parse, estimate volatility,
evaluate the model, write the request. They keep no book, no orders, no limits and no message budget, so they do less
than the core does. Times are ns, prices USD, amounts contracts.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from numba import types

from kernels.kernel import (
    Record,
    f8,
    i4,
    i8,
    kernel,
    market_record,
    model_record,
    target_record,
    volatility_record,
)
from kernels.limits import LEVELS_MAX
from kernels.quote import quote
from kernels.volatility import update

Handler = Callable[[bytes, int], bytes]
"""(frame, now_ns) to the text of a request."""


def _array(item: Any) -> Any:
    return types.Array(item, 1, "C")


@kernel(i4(*map(_array, (market_record, model_record, target_record, volatility_record, i8)), f8, f8, f8, i8))
def answer(
    markets: Record, models: Record, targets: Record, states: Record, ladder: Record,
    bid_usd: float, ask_usd: float, mark_usd: float, now_ns: int,
) -> int:  # fmt: skip
    """One tick through the engine's own kernels. Each of the first four is an array of one record.

    ``ladder`` [2 + 4 * LEVELS_MAX]: both counts, then ticks and lots of the bids, ticks and lots of the asks.
    """
    market, model, target = markets[0], models[0], targets[0]
    market.now_ns = now_ns
    market.bid_ticks = int(bid_usd / model.tick_usd + 0.5)
    market.ask_ticks = int(ask_usd / model.tick_usd + 0.5)
    market.fair_usd = 0.5 * (bid_usd + ask_usd)
    market.mark_usd = mark_usd
    market.sigma_usd = update(states[0], market.fair_usd, now_ns)
    code = quote(market, model, target)
    ladder[0], ladder[1] = target.bid_count, target.ask_count
    for i in range(LEVELS_MAX):
        ladder[2 + i] = target.bid_ticks[i]
        ladder[2 + LEVELS_MAX + i] = target.bid_lots[i]
        ladder[2 + 2 * LEVELS_MAX + i] = target.ask_ticks[i]
        ladder[2 + 3 * LEVELS_MAX + i] = target.ask_lots[i]
    return int(code)


def _request(name: str, bids: list[list[float]], asks: list[list[float]], request_id: int) -> dict[str, Any]:
    return {
        "method": "private/mass_quote",
        "params": {
            "quotes": [{"i": name, "b": bids, "a": asks}],
            "label": "as",
            "post_only": True,
            "reject_post_only": True,
        },
        "id": request_id,
    }


class OrjsonNjit:
    """orjson in and out, the model by one call of an ``njit`` function. ``records``: a live instrument's."""

    def __init__(self, name: str, records: dict[str, Any]) -> None:
        self._name = name
        parts = ("market", "model", "target", "volatility")
        self._answer: Callable[..., int] = answer
        self._ladder = np.zeros(2 + 4 * LEVELS_MAX, np.int64)
        self._arguments: tuple[Any, ...] = (*(np.array([records[part]]) for part in parts), self._ladder)
        self._tick_usd = float(records["model"]["tick_usd"])
        self._lots = round(1.0 / float(records["model"]["lot_contracts"]))
        self._id = 0

    def __call__(self, frame: bytes, now_ns: int) -> bytes:
        """Answer one ticker. Raises ValueError when the model refuses."""
        ticker = orjson.loads(frame)["notification"]
        bid, ask = ticker["best_bid_price"], ticker["best_ask_price"]
        code = self._answer(*self._arguments, bid, ask, ticker["mark_price"], now_ns)
        if code:
            raise ValueError(f"the model refuses: code {code}")
        ladder = self._ladder.tolist()
        bids = self._side(ladder, ladder[0], 2)
        asks = self._side(ladder, ladder[1], 2 + 2 * LEVELS_MAX)
        self._id += 1
        return orjson.dumps(_request(self._name, bids, asks, self._id))

    def _side(self, ladder: list[int], count: int, at: int) -> list[list[float]]:
        tick, lots = self._tick_usd, self._lots
        return [[ladder[i] * tick, ladder[i + LEVELS_MAX] / lots] for i in range(at, at + count)]


class PlainPython:
    """json and the model in plain Python: GLFT spread, skew, a ladder (arXiv 1105.3115), sizes by volatility."""

    def __init__(self, name: str, records: dict[str, Any]) -> None:
        model = records["model"]
        self._name = name
        self._tick_usd, self._lot = float(model["tick_usd"]), float(model["lot_contracts"])
        self._liquidity_usd, self._skew = float(model["liquidity_usd"]), float(model["skew_per_sigma"])
        self._half_usd = (float(model["half_min_usd"]), float(model["half_max_usd"]))
        self._multiple = float(model["volatility_multiple"])
        self._lots = [int(lots) for lots in model["level_lots"][: model["levels"]]]
        self._calm_usd = float(model["calm_sigma_usd"])
        self._spacing_ticks = int(model["spacing_ticks"])
        self._sigma_usd = float(records["market"]["sigma_usd"])
        self._position = 0.0
        self._last: tuple[float, int] | None = None
        self._id = 0

    def __call__(self, frame: bytes, now_ns: int) -> bytes:
        """Answer one ticker."""
        ticker = json.loads(frame)["notification"]
        bids, asks = self.ladder(ticker["best_bid_price"], ticker["best_ask_price"], now_ns)
        self._id += 1
        return json.dumps(_request(self._name, bids, asks, self._id)).encode()

    def ladder(self, bid_usd: float, ask_usd: float, now_ns: int) -> tuple[list[list[float]], list[list[float]]]:
        """The model alone: (price, amount) of each level of both sides, best first."""
        fair_usd = 0.5 * (bid_usd + ask_usd)
        if self._last is not None and now_ns > self._last[1]:
            rate = (fair_usd - self._last[0]) ** 2 / ((now_ns - self._last[1]) * 1e-9)
            self._sigma_usd = math.sqrt(0.98 * self._sigma_usd**2 + 0.02 * rate)
        self._last = (fair_usd, now_ns)
        unit_usd = self._skew * self._sigma_usd
        reservation_usd = fair_usd - self._position * unit_usd
        half_usd = max(self._liquidity_usd + 0.5 * unit_usd, self._multiple * self._sigma_usd)
        half_usd = min(max(half_usd, self._half_usd[0]), self._half_usd[1])
        bid = min(math.floor((reservation_usd - half_usd) / self._tick_usd), ask_usd - self._tick_usd)
        ask = max(math.ceil((reservation_usd + half_usd) / self._tick_usd), bid_usd + self._tick_usd)
        step = self._spacing_ticks
        full = 1.0 if self._sigma_usd <= self._calm_usd else self._calm_usd / self._sigma_usd
        sizes = [round(math.floor(lots * full) * self._lot, 8) for lots in self._lots]
        bids = [[(bid - i * step) * self._tick_usd, size] for i, size in enumerate(sizes)]
        asks = [[(ask + i * step) * self._tick_usd, size] for i, size in enumerate(sizes)]
        return bids, asks


@dataclass(frozen=True, slots=True)
class Tick:
    """A ticker frame and when it came."""

    frame: bytes
    now_ns: int


def time_handler(handler: Handler, ticks: Sequence[Tick]) -> npt.NDArray[np.int64]:
    """ns that each tick took."""
    took = np.zeros(len(ticks), np.int64)
    clock = time.perf_counter_ns
    for i, tick in enumerate(ticks):
        begin = clock()
        handler(tick.frame, tick.now_ns)
        took[i] = clock() - begin
    return took
