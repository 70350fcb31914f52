"""The kernels that will trade against published and independent numbers, called by address as the core calls them.

Needs neither Numba nor a compiler, so it goes before every connection, some tens of milliseconds, on whatever code was
found. A failed check is returned, not raised: the caller decides, and the only sane decision is not to trade.
Deterministic. ``kernels.selftest`` does the same, and more, for the functions that Python calls.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.addresses import CLOSE_DUE, FILL, FORECAST, HOLD, QUOTE, REFRESH, RESOLVE, TRADE, VOLATILITY, Addresses
from kernels.records import CANDLES, FLOW, MARKET, MODEL, POSITION, SETTINGS, TARGET
from kernels.records import FORECAST as FORECAST_STATE
from kernels.records import VOLATILITY as VOLATILITY_STATE

Array = npt.NDArray[Any]

LADDERS = 300
FILLS = 1_500
SAMPLES = 4_000
STEP_NS = 1_000_000_000
FIFO_MAX = len(np.zeros(1, POSITION)["fifo_lots"][0])
MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Check:
    """One number compared: passed means |got - expected| <= tolerance."""

    name: str
    expected: float
    got: float
    tolerance: float
    source: str

    @property
    def passed(self) -> bool:
        """Whether the number is within its tolerance; NaN never is."""
        return abs(self.got - self.expected) <= self.tolerance


def uniforms(seed: int, n: int) -> Array:
    """``n`` numbers in [0, 1): the finaliser of SplitMix64 on a counter."""
    state = np.uint64(seed * 0xD1342543DE82EF95 & MASK) + np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / 9007199254740992.0


class ByAddress:
    """The kernels for Python: records are arrays of one element. Slow beside C, quick enough for a check."""

    def __init__(self, addresses: Addresses) -> None:
        self._resolve = RESOLVE(addresses.resolve)
        self._hold = HOLD(addresses.hold)
        self._quote = QUOTE(addresses.quote)
        self._volatility = VOLATILITY(addresses.volatility)
        self._fill = FILL(addresses.fill)
        self._trade = TRADE(addresses.trade)
        self._refresh = REFRESH(addresses.refresh)
        self._forecast = FORECAST(addresses.forecast)
        self._close_due = CLOSE_DUE(addresses.close_due)

    def resolved(self, price_usd: float, **settings: float) -> tuple[int, Array]:
        """(code, model) of settings that are otherwise not given."""
        given, model = np.zeros(1, SETTINGS), np.zeros(1, MODEL)
        for name in SETTINGS.names or ():
            if SETTINGS[name].base == np.dtype("f8"):
                given[name] = math.nan
        for name, value in settings.items():
            given[name] = value
        return self._resolve(given.ctypes.data, price_usd, model.ctypes.data), model

    def held(self, model: Array, sigma_usd: float) -> int:
        """Code of solving gamma for the model's skew at this volatility."""
        return int(self._hold(model.ctypes.data, sigma_usd))

    def quoted(self, model: Array, **market: float) -> tuple[int, Array]:
        """(code, target) of a market that is otherwise empty."""
        seen, target = np.zeros(1, MARKET), np.zeros(1, TARGET)
        for name, value in market.items():
            seen[name] = value
        return self._quote(seen.ctypes.data, model.ctypes.data, target.ctypes.data), target

    def sigmas(self, state: Array, prices: Array) -> list[float]:
        """sigma in USD behind each price, one a second."""
        at, update = state.ctypes.data, self._volatility
        return [update(at, price, STEP_NS * n) for n, price in enumerate(prices.tolist(), 1)]

    def filled(self, position: Array, lots: list[int], ticks: list[int]) -> list[int]:
        """The code of each fill."""
        at, fill = position.ctypes.data, self._fill
        return [fill(at, n, price, 0.25) for n, price in zip(lots, ticks, strict=True)]

    def learnt(self, draws: Array, follow: float) -> tuple[Array, ...]:
        """Flow, candles, forecast and market after a trade and a sample a second, by four draws each: the aggressor
        moves the price by ``follow`` ticks a second for three seconds, and so does noise.
        """
        flow, candles, state, market = (np.zeros(1, kind) for kind in (FLOW, CANDLES, FORECAST_STATE, MARKET))
        for record, values in ((flow, FLOW_SET), (candles, CANDLES_SET), (state, FORECAST_SET)):
            for name, value in values.items():
                record[name] = value
        at = [record.ctypes.data for record in (flow, candles, state, market)]
        market["sigma_usd"], state["given_bps"] = 1.0, math.nan
        ticks, pushes = 10_000.0, [0, 0, 0]
        for second, (side, size, noise, book) in enumerate(draws.tolist(), 1):
            now = second * STEP_NS
            market["now_ns"] = now
            aggressor = 1 if side < 0.5 else -1
            market["bid_ticks"], market["ask_ticks"] = int(ticks), int(ticks) + 1
            market["bid_lots"], market["ask_lots"] = 1 + int(20 * book), 11
            market["fair_usd"] = int(ticks) + 0.5
            self._trade(*at, aggressor, int(ticks), 1 + int(9 * size), now, 1)
            self._refresh(*at)
            self._forecast(at[2], at[3], 1.0)
            pushes = [aggressor, *pushes[:2]]
            ticks += follow * sum(pushes) + (1.0 if noise < 0.5 else -1.0)
        self._close_due(at[1], 2 * len(draws) * STEP_NS)
        return flow, candles, state, market


PAPER: dict[str, float] = {"tick_usd": 0.01, "lot_contracts": 1.0, "base_size": 1.0, "max_position": 100.0, "levels": 1}
RELATIVE: dict[str, float] = {
    "lot_contracts": 0.001,
    "risk": 0.05,
    "kappa_per_bp": 0.6,
    "intensity": 0.8,
    "horizon_s": math.inf,
    "min_spread_ticks": 3.0,
    "max_spread_bps": 40.0,
    "base_size": 0.3,
    "max_position": 20.0,
    "level_spacing_bps": 1.0,
    "levels": 4,
    "min_lots": 1,
    "post_only": 1,
}
FLOW_SET = {
    "decay_s": 60.0,
    "order_decay_s": 15.0,
    "window": 5.0,
    "fast_window": 2.0,
    "impact_window": 9.0,
    "min_events": 3,
    "stale_ns": 10**12,
}
CANDLES_SET = {"threshold_lots": 40, "max_age_ns": 10**11, "capacity": 30, "min_candles": 8, "stale_ns": 10**12}
FORECAST_SET = {
    "enabled": 1,
    "interval_ns": STEP_NS,
    "steps": 3,
    "update_ns": 10 * STEP_NS,
    "span": 1e6,
    "z": 2.576,
    "min_samples": 30.0,
    "prior": 1.0,
    "cap_ticks": math.inf,
    "cap_bps": 100.0,
    "toxic_weight": 1.0,
    "toxic_cap_bps": 100.0,
    "adjust_most": 1.5,
    "widen_at": 2.5,
    "widen_by": 1.5,
    "pull_at": 6.0,
    "one_side_at": 2.0,
    "calm": 0.7,
    "hold_ns": STEP_NS,
}
AMPLE: dict[str, float] = {"buy_capacity_lots": 20_000, "sell_capacity_lots": 20_000}


def published_quotes(kernels: ByAddress) -> Iterator[Check]:
    """Half-spreads and skew of the two papers, to the last printed digit or by their equations."""
    paper = "Gueant, Lehalle & Fernandez-Tapia, arXiv 1105.3115, figures' parameters"
    for sigma, closed in ((0.3, 3.312915), (0.4, 3.324226)):
        code, model = kernels.resolved(100.0, **PAPER, gamma=0.01, kappa=0.3, intensity=0.9, horizon_s=math.inf)
        refused, target = kernels.quoted(model, **AMPLE, fair_usd=100.0, sigma_usd=sigma)
        yield Check(f"codes, sigma {sigma}", 0.0, code + refused, 0.0, "kernels.quote")
        for side in ("half_bid_usd", "half_ask_usd"):
            yield Check(f"GLFT closed form, sigma {sigma}, {side}", closed, float(target[side][0]), 5.1e-7, paper)
    paper = "Avellaneda & Stoikov 2008, section 3.2"
    for gamma, left_s, lots in ((0.1, 1.0, 3), (0.01, 0.25, -2)):
        code, model = kernels.resolved(100.0, **PAPER, gamma=gamma, kappa=1.5, intensity=140.0, horizon_s=left_s)
        refused, target = kernels.quoted(model, **AMPLE, fair_usd=100.0, sigma_usd=2.0, position_lots=lots)
        risk = gamma * 4.0 * left_s
        spread = risk + 2.0 / gamma * math.log(1.0 + gamma / 1.5)
        got = float(target["half_bid_usd"][0] + target["half_ask_usd"][0])
        yield Check(f"codes, gamma {gamma}", 0.0, code + refused, 0.0, "kernels.quote")
        yield Check(f"spread, gamma {gamma}", spread, got, 1e-9, paper)
        yield Check(f"reservation price, gamma {gamma}", 100.0 - lots * risk, target["reservation_usd"][0], 1e-9, paper)


def scale_equivariance(kernels: ByAddress) -> Iterator[Check]:
    """Ten times the price and tick, with relative settings, gives the same ticks; the mirrored position mirrored
    quotes.
    """
    answers = []
    for scale, lots in ((1.0, 4000), (10.0, 4000), (1.0, -4000)):
        code, model = kernels.resolved(60_000.0 * scale, **RELATIVE, tick_usd=0.5 * scale)
        market = AMPLE | {"fair_usd": 60_000.0 * scale, "sigma_usd": 6.0 * scale, "position_lots": lots}
        refused, target = kernels.quoted(model, **market)
        yield Check(f"codes at scale {scale}, {lots} lots", 0.0, code + refused, 0.0, "kernels.quote")
        answers.append(target[0])
    one, ten, mirrored = answers
    gamma, kappa = RELATIVE["risk"] / (RELATIVE["max_position"] * 6.0), RELATIVE["kappa_per_bp"] / 6.0
    size, ratio = RELATIVE["base_size"], gamma * RELATIVE["base_size"] / kappa
    slope = math.sqrt(gamma / (2.0 * RELATIVE["intensity"] * size * kappa) * (1.0 + ratio) ** (1.0 + 1.0 / ratio))
    half = math.log1p(ratio) / (gamma * size) + 0.5 * size * 6.0 * slope
    yield Check("half-spread of relative settings", half, one["half_bid_usd"], 1e-9, "arXiv 1605.01862, 4.6 and 4.7")
    same = all((one[name] == ten[name]).all() for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots"))
    yield Check("ladder at ten times the price and tick", 1.0, float(same and one["bid_count"] == 4), 0.0, "dimensions")
    yield Check("half-spread at ten times the price", 10.0 * one["half_bid_usd"], ten["half_bid_usd"], 1e-9, "the same")
    reflected = float(np.abs(240_000 - one["bid_ticks"][:4] - mirrored["ask_ticks"][:4]).max())
    reflected += float(np.abs(one["bid_lots"] - mirrored["ask_lots"]).max())
    yield Check("mirrored position, mirrored ladder", 0.0, reflected, 0.0, "symmetry of the model")


def ladder_promises(kernels: ByAddress) -> Iterator[Check]:
    """Random books: post-only ladders stay on their side, rise or fall strictly, and keep within capacity."""
    draws = uniforms(1, 4 * LADDERS).reshape(LADDERS, 4).tolist()
    broken = 0
    _, model = kernels.resolved(60_000.0, **RELATIVE, tick_usd=0.5)
    for offset, width, room, position in draws:
        bid = 119_990 + int(20 * offset)
        ask, capacity = bid + 1 + int(5 * width), int(900 * room)
        market = {"bid_ticks": bid, "bid_lots": 5, "ask_ticks": ask, "ask_lots": 5, "fair_usd": 60_000.0}
        market |= {"sigma_usd": 6.0, "position_lots": int(40_000 * (position - 0.5))}
        code, target = kernels.quoted(model, **market, buy_capacity_lots=capacity, sell_capacity_lots=capacity)
        broken += code != 0 or not _keeps(target[0], bid, ask, capacity)
    yield Check("ladder promises broken", 0.0, broken, 0.0, "kernels.ladder")


def _keeps(target: Any, bid: int, ask: int, capacity: int) -> bool:
    bids = target["bid_ticks"][: target["bid_count"]].tolist()
    asks = target["ask_ticks"][: target["ask_count"]].tolist()
    lots = [target[f"{side}_lots"][: len(ticks)].tolist() for side, ticks in (("bid", bids), ("ask", asks))]
    ordered = bids == sorted(set(bids), reverse=True) and asks == sorted(set(asks))
    passive = all(0 < price < ask for price in bids) and all(price > bid for price in asks)
    return ordered and passive and all(sum(side) <= capacity and min(side, default=1) > 0 for side in lots)


def accounting_identity(kernels: ByAddress) -> Iterator[Check]:
    """After random fills, enough to merge open lots, realised + unrealised equals cash + position at a price, as
    integers.
    """
    draws = uniforms(2, 2 * FILLS)
    phase = np.where(np.arange(FILLS) % 900 < 700, 80, 140)
    lots = [int(n) for n in 200 * draws[::2] - phase]
    ticks = [60_000 + int(n) for n in 2000 * draws[1::2]]
    position = np.zeros(1, POSITION)
    codes = kernels.filled(position, lots, ticks)
    wrong = sum((code == 0) != (n != 0) for code, n in zip(codes, lots, strict=True))
    yield Check("fills answered wrongly", 0.0, wrong, 0.0, "kernels.position")
    cash = -sum(n * price for n, price in zip(lots, ticks, strict=True))
    booked = position[0]
    yield Check("lots, and cash in ticklots", 0.0, abs(int(booked["lots"]) - sum(lots)), 0.0, "cash-flow identity")
    yield Check("cash, ticklots", 0.0, int(booked["cash_ticklots"]) - cash, 0.0, "cash-flow identity")
    open_cost = int(booked["cash_ticklots"]) - int(booked["realised_ticklots"])
    ring = (int(booked["head"]) + np.arange(int(booked["count"]))) % FIFO_MAX
    cost = int((booked["fifo_lots"][ring] * booked["fifo_ticks"][ring]).sum()) + int(booked["head_remainder_ticklots"])
    side = 1 if sum(lots) > 0 else -1
    yield Check("cost of the open lots, ticklots", 0.0, open_cost + side * cost, 0.0, "cash-flow identity")


def known_volatility(kernels: ByAddress) -> Iterator[Check]:
    """A geometric walk of known sigma is recovered, also under bounce that makes a plain estimator three times too
    large.
    """
    rate, window, tolerance = 1e-5, 200, 12.0 / math.sqrt(SAMPLES)
    draws = uniforms(3, 3 * SAMPLES).reshape(3, SAMPLES)
    walk = rate * np.cumsum(np.sqrt(-2.0 * np.log(1.0 - draws[0])) * np.cos(2.0 * math.pi * draws[1]))
    for name, noise, slack in (("clean walk", 0.0, 0.0), ("bounce", 1e-5, 0.1)):
        prices = 60_000.0 * np.exp(walk + np.where(draws[2] < 0.5, noise, -noise))
        state = np.zeros(1, VOLATILITY_STATE)
        for member, value in (("ceiling_rate", 1.0), ("default_rate", rate), ("ewma_span", 60.0), ("min_samples", 5)):
            state[member] = value
        state["window"] = window
        sigmas = np.array(kernels.sigmas(state, prices))
        got = float(np.mean((sigmas / prices)[2 * window :] ** 2)) / rate**2
        yield Check(f"variance under {name} / true", 1.0, got, tolerance + slack, "known sigma, realised kernel")


def informed_flow(kernels: ByAddress) -> Iterator[Check]:
    """Aggressors who are right are given weight and widen both sides; those who are not are given none."""
    draws = uniforms(5, 4 * SAMPLES).reshape(SAMPLES, 4)
    for follow in (0.5, 0.0):
        _, candles, state, market = kernels.learnt(draws, follow)
        wrong = int((state["weight"][0, :2] > 0.0).any() != (follow > 0.0))
        wrong += sum(int((market[side][0] > 0.3) != (follow > 0.0)) for side in ("toxic_bid_usd", "toxic_ask_usd"))
        yield Check(f"verdicts on flow followed by {follow} ticks", 0.0, wrong, 0.0, "known weight, kernels.forecast")
        kept = int((candles["buy_lots"] + candles["sell_lots"]).sum() + candles["evicted_lots"][0])
        yield Check("candles' lots", float(candles["traded_lots"][0]), kept, 0.0, "conservation, kernels.candles")


def held_skew(kernels: ByAddress) -> Iterator[Check]:
    """Whatever the volatility, gamma is the one whose skew was asked for."""
    code, model = kernels.resolved(60_000.0, **RELATIVE, tick_usd=0.5, hold_within_usd=9_000.0, hold_skew=0.4)
    for sigma in (0.5, 6.0, 40.0):
        code += kernels.held(model, sigma)
        skew = float(model["skew_per_sigma"][0] * model["order_contracts"][0] * model["kappa"][0]) * sigma
        yield Check(f"skew held at sigma {sigma}", 0.4, skew, 1e-9, "arXiv 1605.01862 4.7, inverted")
    yield Check("codes of holding", 0.0, code, 0.0, "kernels.resolve")


def run(addresses: Addresses) -> list[Check]:
    """Every check, passed or not."""
    kernels = ByAddress(addresses)
    groups = (
        published_quotes,
        scale_equivariance,
        ladder_promises,
        accounting_identity,
        known_volatility,
        informed_flow,
        held_skew,
    )
    return [check for group in groups for check in group(kernels)]


def answers(addresses: Addresses) -> bytes:
    """What the kernels leave in every record of a fixed scenario: equal for two builds of the same kernels."""
    kernels, left = ByAddress(addresses), []
    for lots in (0, 4000, -900):
        _, model = kernels.resolved(60_000.0, **RELATIVE, tick_usd=0.5)
        _, target = kernels.quoted(model, **AMPLE, fair_usd=60_003.3, sigma_usd=6.0, position_lots=lots)
        _, holding = kernels.resolved(60_000.0, **RELATIVE, tick_usd=0.5, hold_within_usd=9_000.0, hold_skew=0.4)
        kernels.held(holding, 6.0 + lots)
        left += [model, target, holding]
    state, position = np.zeros(1, VOLATILITY_STATE), np.zeros(1, POSITION)
    state["ceiling_rate"], state["window"], state["ewma_span"] = 1.0, 20, 5.0
    draws = uniforms(4, 400)
    left.append(np.array(kernels.sigmas(state, 60_000.0 + 50.0 * draws[:200])))
    kernels.filled(position, [int(n) - 10 for n in 20.0 * draws[200:]], [int(n) for n in 60_000 + 50.0 * draws[:200]])
    left += kernels.learnt(uniforms(6, 4 * 900).reshape(900, 4), 0.5)
    return b"".join(array.tobytes() for array in (*left, state, position))
