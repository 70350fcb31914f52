"""The compiled kernels against published and independent numbers, on the machine and the build that will trade.

``run(short=True)`` takes milliseconds; the long form adds the Monte Carlo of the 2008 paper's tables and takes seconds.
Both end with ``kernels.proof``, which alone goes before every connection: it calls the code that trades. A failed check
is returned, not raised. Deterministic: the random numbers come from a fixed-seed generator of its own.
"""

import math
from collections.abc import Iterable, Iterator

import numba
import numpy as np
import numpy.typing as npt

from kernels import avellaneda, compiled, glft, kept, ladder, proof, quote, resolve, sizing, volatility
from kernels import position as fifo
from kernels.kernel import Record, f8, i8, kernel, position_record
from kernels.proof import RELATIVE, Check
from kernels.records import MARKET, MODEL, POSITION, SETTINGS, TARGET, VOLATILITY

Array = npt.NDArray[np.void]

PATHS = 200_000
SEED = 20080408


@kernel(f8(i8, i8))
def uniform(seed: int, index: int) -> float:
    """The index-th number in [0, 1) of a stream (SplitMix64's finaliser on a counter, wrapping 64-bit)."""
    z = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(index) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.float64(z >> np.uint64(11)) / 9007199254740992.0


@kernel(f8(i8, i8))
def normal(seed: int, index: int) -> float:
    """The index-th standard normal of a stream (Box-Muller)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(seed, 2 * index)))
    return radius * math.cos(2.0 * math.pi * uniform(seed, 2 * index + 1))


@kernel("UniTuple(float64, 6)(float64, boolean, int64, int64)")
def simulate(gamma: float, symmetric: bool, paths: int, seed: int) -> tuple[float, float, float, float, float, float]:
    """The paper's simulation: (average spread, mean profit, std profit, mean q, std q, paths), with compiled quotes.

    s = 100, T = 1, sigma = 2, dt = 0.005, k = 1.5, A = 140; a quote at distance d fills in a step with probability A
    exp(-k d) dt, capped at 1. ``symmetric`` quotes the time average of the same spread about the mid, whatever the
    inventory.
    """
    steps = 200
    sigma = 2.0
    dt = 1.0 / steps
    move = sigma * math.sqrt(dt)
    average = 0.0
    for step in range(steps):
        average += avellaneda.total_spread(gamma, 1.5, sigma, 1.0 - step * dt) / steps
    profit = profit_squares = end = end_squares = 0.0
    for path in range(paths):
        mid = 100.0
        cash = 0.0
        inventory = 0.0
        for step in range(steps):
            draw = 3 * (path * steps + step)
            bid = ask = 0.5 * average
            if not symmetric:
                bid, ask = avellaneda.distances(inventory, gamma, 1.5, sigma, 1.0 - step * dt)
            bought = uniform(seed, draw) < 140.0 * math.exp(-1.5 * bid) * dt
            sold = uniform(seed, draw + 1) < 140.0 * math.exp(-1.5 * ask) * dt
            if bought:
                inventory += 1.0
                cash -= mid - bid
            if sold:
                inventory -= 1.0
                cash += mid + ask
            mid += move if uniform(seed, draw + 2) < 0.5 else -move
        gain = cash + inventory * mid
        profit += gain / paths
        profit_squares += gain * gain / paths
        end += inventory / paths
        end_squares += inventory * inventory / paths
    return (
        average,
        profit,
        math.sqrt(profit_squares - profit * profit),
        end,
        math.sqrt(end_squares - end * end),
        float(paths),
    )


def example_settings() -> Record:
    """Relative settings for a contract near 60,000 USD: four levels a side, stationary quotes."""
    settings = np.zeros(1, SETTINGS)[0]
    for name in SETTINGS.names or ():
        if SETTINGS[name].base == np.dtype("f8"):
            settings[name] = math.nan
    for name, value in {"tick_usd": 0.5, **RELATIVE}.items():
        settings[name] = value
    return settings


def example_market(fair_usd: float, sigma_usd: float, position_lots: int) -> Record:
    """A market without a book, so that no clamp applies, and with ample capacity."""
    market = np.zeros(1, MARKET)[0]
    market["fair_usd"] = fair_usd
    market["sigma_usd"] = sigma_usd
    market["position_lots"] = position_lots
    market["buy_capacity_lots"] = market["sell_capacity_lots"] = 20_000
    return market


def published_simulation() -> Iterator[Check]:
    """The simulation tables of the 2008 paper: 200,000-path values of the journal's convention, and its printed
    figures.
    """
    # gamma, symmetric, spread; profit, its std, std of q: 200,000 paths, then as printed (1,000 paths)
    table = (
        (0.1, False, 1.49, (64.91, 6.54, 2.93), (65.0, 6.6, 2.9)),
        (0.1, True, 1.49, (68.30, 13.43, 8.39), (68.4, 12.7, 8.4)),
        (0.01, False, 1.35, (68.42, 8.94, 5.21), (68.6, 8.7, 5.1)),
        (0.01, True, 1.35, (68.72, 13.64, 8.70), (68.8, 12.8, 8.7)),
    )
    for gamma, symmetric, spread, independent, printed in table:
        average, profit, profit_std, _, end_std, _ = simulate(gamma, symmetric, PATHS, SEED)
        name = f"gamma {gamma} {'symmetric' if symmetric else 'inventory'}"
        paper = "Avellaneda & Stoikov 2008, pp. 222-223"
        yield Check(f"{name} spread", spread, average, 0.0051, paper)
        for label, got, expected, share in (
            ("profit", profit, independent[0], 0.01),
            ("std(profit)", profit_std, independent[1], 0.02),
            ("std(q)", end_std, independent[2], 0.02),
        ):
            yield Check(f"{name} {label}", expected, got, share * expected, "independent Monte Carlo, 200,000 paths")
        error = profit_std / math.sqrt(1000.0)
        yield Check(f"{name} profit as printed", printed[0], profit, 3.0 * error + 0.05, paper)
        relative = 1.0 / math.sqrt(2000.0)
        yield Check(f"{name} std(profit) as printed", printed[1], profit_std, 3.0 * relative * printed[1] + 0.05, paper)
        yield Check(f"{name} std(q) as printed", printed[2], end_std, 3.0 * relative * printed[2] + 0.05, paper)


def published_distances() -> Iterator[Check]:
    """The 2013 paper's parameters: closed form and bounded solution to the last printed digit, and their symmetry."""
    paper = "Gueant, Lehalle & Fernandez-Tapia, arXiv 1105.3115, figures' parameters"
    for sigma, closed, exact in ((0.3, 3.312915, 3.313045), (0.4, 3.324226, 3.324458)):
        bid, ask = glft.distances(0.0, 0.01, 0.3, 0.9, sigma, 0.0, 0.0, 1.0)
        yield Check(f"GLFT closed form, sigma {sigma}", closed, bid, 5.1e-7, paper)
        yield Check(f"GLFT closed form, sigma {sigma}, ask", closed, ask, 5.1e-7, paper)
        quotes = glft.exact(0.01, 0.3, 0.9, sigma, 30)
        yield Check(f"GLFT with |q| <= 30, sigma {sigma}", exact, float(quotes.bid_usd[30]), 5.1e-7, paper)
        mirrored = float(np.abs(quotes.bid_usd[:-1] - quotes.ask_usd[:0:-1]).max())
        yield Check(f"GLFT bid(q) - ask(-q), sigma {sigma}", 0.0, mirrored, 1e-9, "symmetry")
    gaps = [
        abs(
            glft.distances(3.0, gamma, 0.3, 0.9, 0.3, 0.0, 0.0, 1.0)[0]
            - float(glft.exact(gamma, 0.3, 0.9, 0.3, 60).bid_usd[63])
        )
        for gamma in (0.04, 0.01, 0.0025)
    ]
    falls = float(gaps[0] > gaps[1] > gaps[2])
    yield Check("closed form nears the exact one as gamma falls", 1.0, falls, 0.0, "theorem 2's approximation")
    spread = avellaneda.total_spread(0.1, 1.5, 2.0, 0.0)
    yield Check("spread with no time left", 2.0 / 0.1 * math.log(1.0 + 0.1 / 1.5), spread, 1e-12, "paper, section 3.2")


def scale_equivariance() -> Iterator[Check]:
    """Ten times the price and sigma, with relative settings, gives ten times the quotes; the mirrored position
    mirrored quotes.
    """
    settings = example_settings()
    answers = []
    for scale, lots in ((1.0, 4000), (10.0, 4000), (1.0, -4000)):
        settings["tick_usd"] = 0.5 * scale
        model, target = np.zeros(1, MODEL)[0], np.zeros(1, TARGET)[0]
        code = resolve.resolve(settings, 60_000.0 * scale, model)
        code += quote.quote(example_market(60_000.0 * scale, 6.0 * scale, lots), model, target)
        yield Check(f"codes at scale {scale}, {lots} lots", 0.0, code, 0.0, "kernels.quote")
        answers.append(target)
    one, ten, mirrored = answers
    yield Check("ticks at ten times the price and tick", 0.0, _difference(one, ten), 0.0, "dimensional analysis")
    yield Check("half-spread at ten times the price", 10.0 * one["half_bid_usd"], ten["half_bid_usd"], 1e-9, "the same")
    middle = 2 * 120_000
    reflected = float(np.abs(middle - one["bid_ticks"][:4] - mirrored["ask_ticks"][:4]).max())
    reflected += float(np.abs(one["bid_lots"] - mirrored["ask_lots"]).max())
    yield Check("mirrored position, mirrored ladder", 0.0, reflected, 0.0, "symmetry of the model")


def _difference(first: Record, second: Record) -> float:
    names = ("bid_count", "ask_count", "bid_ticks", "bid_lots", "ask_ticks", "ask_lots")
    return float(max(np.abs(np.subtract(first[name], second[name])).max() for name in names))


@kernel(i8(i8, i8))
def ladder_faults(cases: int, seed: int) -> int:
    """Random quotes around random books that break a promise of kernels.ladder or kernels.sizing; must be 0."""
    faults = 0
    for case in range(cases):
        draw = 10 * case
        centre = 1000.0 + 100.0 * uniform(seed, draw)
        half = 0.1 + 20.0 * uniform(seed, draw + 1)
        least = 1 + int(10 * uniform(seed, draw + 2))
        most = least + int(20 * uniform(seed, draw + 3))
        best_bid = int(centre - 5.0 + 10.0 * uniform(seed, draw + 4))
        best_ask = best_bid + 1 + int(5 * uniform(seed, draw + 5))
        bid, ask = ladder.best_quotes(centre, half, half, least, most, best_bid, best_ask, 1)
        free = best_bid < centre < best_ask
        if not (0 < bid < ask and ask - bid >= least and bid < best_ask and ask > best_bid):
            faults += 1
        if free and ask - bid > most:
            faults += 1
        capacity = int(100 * uniform(seed, draw + 6))
        factor = sizing.size_factor(uniform(seed, draw + 7), 1.0, 1, 1.0)
        lots = sizing.level_lots(50, factor, capacity, 3)
        if lots > min(capacity, 50) or 0 < lots < 3 or lots > sizing.level_lots(50, factor, capacity + 1, 3):
            faults += 1
    return faults


@kernel(numba.types.UniTuple(i8, 3)(position_record, i8, i8))  # type: ignore[no-untyped-call]
def random_fills(position: Record, fills: int, seed: int) -> tuple[int, int, int]:
    """Book random fills that pile up long, then short; (cash, lots, answers other than the expected code) by plain
    sums.
    """
    cash = lots = wrong = 0
    for n in range(fills):
        size = int(200 * uniform(seed, 2 * n)) - (80 if n % 900 < 700 else 140)
        price = 60_000 + int(2000 * uniform(seed, 2 * n + 1))
        if fifo.fill(position, size, price, 0.01) != (fifo.NO_LOTS if size == 0 else fifo.OK):
            wrong += 1
        cash -= size * price
        lots += size
    return cash, lots, wrong


def accounting_identity(fills: int) -> Iterator[Check]:
    """After random fills, enough to merge open lots, realised + unrealised equals cash + position at a price, as
    integers.
    """
    position = np.zeros(1, POSITION)[0]
    cash, lots, refused = random_fills(position, fills, SEED)
    yield Check("fills refused", 0.0, refused, 0.0, "kernels.position")
    own = cash + lots * 61_000
    booked = int(position["realised_ticklots"]) + int(fifo.unrealised_ticklots(position, 61_000))
    yield Check("accounting identity, ticklots", 0.0, booked - own, 0.0, "cash-flow identity")
    open_cost = int(position["cash_ticklots"]) - int(position["realised_ticklots"])
    ring = (int(position["head"]) + np.arange(int(position["count"]))) % fifo.FIFO_MAX
    cost = int((position["fifo_lots"][ring] * position["fifo_ticks"][ring]).sum())
    cost += int(position["head_remainder_ticklots"])
    side = 1 if lots > 0 else -1
    yield Check("cost of the open lots, ticklots", 0.0, open_cost + side * cost, 0.0, "cash-flow identity")


@kernel("UniTuple(float64, 2)(float64, float64, int64, int64, int64)")
def volatility_estimate(rate: float, noise: float, samples: int, window: int, seed: int) -> tuple[float, float]:
    """(estimator's, plain) mean variance over the true one, for a geometric walk with bounce of relative size
    ``noise``.
    """
    state = np.zeros(1, VOLATILITY)[0]
    state.ceiling_rate = 1.0
    state.default_rate = rate
    state.ewma_span = 60.0
    state.min_samples = 5
    state.window = window
    true = 0.0
    last = 0.0
    estimated = plain = 0.0
    for n in range(samples):
        true += rate * normal(seed, 2 * n)
        seen = true + (noise if uniform(seed + 1, n) < 0.5 else -noise)
        sigma = volatility.update(state, 60_000.0 * math.exp(seen), 1_000_000_000 * (n + 1))
        if n > 0:
            plain += (seen - last) ** 2 / (samples - 1)
        last = seen
        if n >= 2 * window:
            estimated += (sigma / (60_000.0 * math.exp(seen))) ** 2 / (samples - 2 * window)
    return estimated / rate**2, plain / rate**2


def known_volatility(samples: int) -> Iterator[Check]:
    """A geometric walk of known sigma is recovered, also under bounce that makes the plain estimator several times
    too large.
    """
    tolerance = 12.0 / math.sqrt(samples)
    estimated, plain = volatility_estimate(1e-5, 0.0, samples, 200, SEED)
    yield Check("variance of a clean walk / true", 1.0, estimated, tolerance, "known sigma")
    estimated, plain = volatility_estimate(1e-5, 1e-5, samples, 200, SEED)
    yield Check("variance under bounce / true", 1.0, estimated, tolerance + 0.1, "known sigma, realised kernel")
    yield Check("plain variance under bounce / true", 3.0, plain, tolerance, "1 + 2 noise / sigma^2 dt")


def c_pointers() -> Iterator[Check]:
    """The four functions the core calls by address leave the same bytes as the twins that the other checks exercise."""
    call = compiled.callables()
    records = []
    for by_pointer in (False, True):
        settings, model, market, target = (
            _alone(example_settings()),
            np.zeros(1, MODEL),
            np.zeros(1, MARKET),
            np.zeros(1, TARGET),
        )
        state, position = np.zeros(1, VOLATILITY), np.zeros(1, POSITION)
        market[0] = example_market(60_000.0, 6.0, 4000)
        state["ceiling_rate"], state["window"], state["ewma_span"] = 1.0, 20, 5.0
        for n in range(30):
            price = 60_000.0 + 50.0 * uniform(SEED, n)
            lots = int(20.0 * uniform(SEED, 100 + n)) - 10
            if by_pointer:
                call.volatility(state.ctypes.data, price, n * 10**9)
                call.fill(position.ctypes.data, lots, int(price), 0.25)
            else:
                volatility.update(state[0], price, n * 10**9)
                fifo.fill(position[0], lots, int(price), 0.25)
        if by_pointer:
            call.resolve(settings.ctypes.data, 60_000.0, model.ctypes.data)
            call.quote(market.ctypes.data, model.ctypes.data, target.ctypes.data)
        else:
            resolve.resolve(settings[0], 60_000.0, model[0])
            quote.quote(market[0], model[0], target[0])
        records.append((model, target, state, position))
    for name, twin, pointed in zip(("resolve", "quote", "volatility", "fill"), *records, strict=True):
        same = twin.tobytes() == pointed.tobytes() and any(twin.tobytes())
        yield Check(f"{name} by address equals its twin", 1.0, float(same), 0.0, "kernels.compiled")


def _alone(record: Record) -> Array:
    """The record as the one element of an array of its own, which has an address."""
    array = np.zeros(1, record.dtype)
    array[0] = record
    return array


def run(short: bool) -> list[Check]:
    """Every check, passed or not, those of the kernels that trade last; about 20 ms warm in the short form, a few
    seconds in the long one.
    """
    groups: list[Iterable[Check]] = [
        published_distances(),
        scale_equivariance(),
        [
            Check(
                "ladder promises broken", 0.0, ladder_faults(2_000 if short else 1_000_000, SEED), 0.0, "kernels.ladder"
            )
        ],
        accounting_identity(2_000 if short else 50_000),
        known_volatility(6_000 if short else 400_000),
        c_pointers(),
        proof.run(kept.addresses()),
    ]
    if not short:
        groups.append(published_simulation())
    return [check for group in groups for check in group]
