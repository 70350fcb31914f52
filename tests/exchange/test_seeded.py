"""The seeded market: determinism, scale, the law of its takers, and books fit to quote in."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.instruments import E8, Instrument
from feed.exchange.listing import default_instruments
from feed.exchange.market import NEVER_NS
from feed.exchange.path import CALM_NORMAL_WILD, Regime
from feed.exchange.seeded import SeededMarket, SeededOptions, TakerOptions
from tests.exchange.floor import BookFloor, Trade

START_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000
PERPETUAL = "BTC-PERPETUAL"
STEADY = (Regime("steady", 0.5, activity=1.0, spread=1.0, dwell_s=1e9, weight=1.0),)


def coin(price_factor: int = 1) -> Instrument:
    return Instrument("COIN-PERPETUAL", "COINUSD", "perpetual", E8 // 10_000 * price_factor, E8, 1)


def played(
    seconds: int, seed: int = 1, options: SeededOptions | None = None, instruments: tuple[Instrument, ...] | None = None
) -> tuple[SeededMarket, BookFloor]:
    floor = BookFloor()
    market = SeededMarket(instruments or default_instruments(START_NS), seed, options)
    market.start(floor, START_NS)
    market.advance(START_NS + seconds * SECOND_NS)
    return market, floor


def tape(trades: list[Trade]) -> list[tuple[str, int, int, bool]]:
    return [(t.instrument, t.price_ticks, t.lots, t.taker_buys) for t in trades]


def test_a_seed_is_one_market_and_another_seed_another() -> None:
    _, one = played(60, seed=7)
    _, same = played(60, seed=7)
    _, other = played(60, seed=8)
    assert len(one.trades) > 100
    assert tape(one.trades) == tape(same.trades)
    assert one.index_usd == same.index_usd
    assert tape(one.trades) != tape(other.trades)


def test_how_far_each_call_advances_changes_nothing() -> None:
    _, at_once = played(60)
    floor = BookFloor()
    market = SeededMarket(default_instruments(START_NS), 1)
    market.start(floor, START_NS)
    while market.next_ns() <= START_NS + 60 * SECOND_NS:
        market.advance(market.next_ns())
    assert tape(at_once.trades) == tape(floor.trades)


def test_a_further_instrument_leaves_the_others_alone() -> None:
    both = default_instruments(START_NS)
    _, alone = played(60, instruments=both[:1])
    _, together = played(60, instruments=both)
    assert tape(alone.trades) == tape([t for t in together.trades if t.instrument == both[0].name])


def test_a_client_changes_neither_the_price_path_nor_the_arrivals() -> None:
    def run(with_client: bool) -> tuple[list[float], list[int], int]:
        floor = BookFloor()
        market = SeededMarket(default_instruments(START_NS)[:1], 5)
        market.start(floor, START_NS)
        fairs, acts = [], []
        while market.next_ns() <= START_NS + 120 * SECOND_NS:
            acts.append(market.next_ns())
            market.advance(market.next_ns())
            fairs.append(market.fair_usd(PERPETUAL))
            if with_client and len(acts) % 5 == 0:
                floor.client_insert(PERPETUAL, True, math.floor(fairs[-1] * 0.99985), 20)
        return fairs, acts, len(floor.client_fills())

    fairs, acts, fills = run(True)
    assert fills > 0
    assert (fairs, acts) == run(False)[:2]


def test_a_price_ten_times_as_high_with_ten_times_the_tick_is_the_same_market() -> None:
    """Mistake 4 of the trade: dollar terms among relative ones."""
    tapes = []
    for factor in (1, 10):
        # Lots of one tenth keep the notional of a lot.
        lot_e8 = E8 if factor == 1 else E8 // 10
        instrument = replace(coin(factor), lot_e8=lot_e8)
        options = SeededOptions(start_usd={"COINUSD": 1.2 * factor})
        _, floor = played(120, seed=3, options=options, instruments=(instrument,))
        tapes.append(tape(floor.trades))
    assert len(tapes[0]) > 100
    # Rounding at the last bit of a float may tip a price or size once in a long while.
    pairs = list(zip(*tapes, strict=True))
    assert sum(a != b for a, b in pairs) <= len(pairs) // 100


@pytest.mark.parametrize(
    "instrument, start_usd",
    [(default_instruments(START_NS)[0], 60_000.0), (default_instruments(START_NS)[2], 3_000.0), (coin(), 1.2)],
    ids=["BTC", "ETH", "coin"],
)
def test_the_touch_is_a_few_basis_points_and_the_book_deep_and_never_crossed(
    instrument: Instrument, start_usd: float
) -> None:
    options = SeededOptions(start_usd={instrument.underlying: start_usd})
    floor = BookFloor(keep_trades=False)
    market = SeededMarket([instrument], 11, options)
    market.start(floor, START_NS)
    half_bps, levels, empty, empty_run = [], [], 0, 0
    now_ns = START_NS
    while now_ns < START_NS + 900 * SECOND_NS:
        now_ns = market.next_ns()
        market.advance(now_ns)
        bid, ask = floor.best(instrument.name, True), floor.best(instrument.name, False)
        if bid is None or ask is None:
            empty_run += 1
            empty = max(empty, empty_run)
            continue
        empty_run = 0
        assert bid[0] < ask[0]
        half_bps.append((ask[0] - bid[0]) * instrument.tick_usd / 2 / market.fair_usd(instrument.name) * 1e4)
        levels.append(min(len(floor.depth(instrument.name, side)) for side in (True, False)))
    half_bps.sort()
    assert 1.5 <= half_bps[len(half_bps) // 2] <= 4.0
    assert half_bps[len(half_bps) // 10] >= 1.0
    assert half_bps[-len(half_bps) // 10] <= 6.0
    assert sorted(levels)[len(levels) // 2] >= 8
    assert empty <= 20, "a side without any order lasts a couple of seconds at most"


def probe_hits(
    deltas_bps: list[float], seconds: int, takers: TakerOptions
) -> tuple[Counter[float], dict[float, float]]:
    """Hits of one-lot quotes that follow the fair price at each distance, and the mean distance they really had."""
    instrument = default_instruments(START_NS)[0]
    floor = BookFloor(keep_trades=False)
    options = SeededOptions(regimes=STEADY, takers=takers, jumps_per_hour=0.0)
    market = SeededMarket([instrument], 2, options)
    market.start(floor, START_NS)
    hits: Counter[float] = Counter()
    orders: dict[tuple[float, bool], int] = {}
    prices: dict[tuple[float, bool], int] = {}
    distance: dict[float, list[float]] = {d: [] for d in deltas_bps}
    fair_usd = 0.0
    end_ns = START_NS + seconds * SECOND_NS
    while market.next_ns() <= end_ns:
        market.advance(market.next_ns())
        moved = market.fair_usd(PERPETUAL) != fair_usd
        fair_usd = market.fair_usd(PERPETUAL)
        for delta_bps in deltas_bps:
            for buy in (True, False):
                key = (delta_bps, buy)
                gone = floor.remaining(orders.get(key, 0)) == 0
                hits[delta_bps] += gone and key in orders
                sign = -1 if buy else 1
                price = round(fair_usd * (1 + sign * delta_bps * 1e-4))
                if gone or (moved and price != prices[key]):
                    floor.reduce(orders.get(key, 0), 0)
                    orders[key] = floor.client_insert(PERPETUAL, buy, price, 1)
                    prices[key] = price
                if moved:
                    distance[delta_bps].append(sign * (prices[key] / fair_usd - 1) * 1e4)
    return hits, {d: sum(v) / len(v) for d, v in distance.items()}


def test_a_passive_probe_is_hit_at_the_rate_that_the_parameters_state() -> None:
    """λ(δ) = A·e^{−kδ} at several distances, inside and behind the crowd's touch, informed takers among them."""
    takers = TakerOptions(rate_per_s=0.8, decay_per_bp=0.4, informed_share=0.3)
    seconds = 3_600
    hits, distance = probe_hits([1.0, 2.0, 4.0, 6.0, 8.0], seconds, takers)
    for delta_bps, count in hits.items():
        expected = 2 * seconds * takers.rate_per_s * math.exp(-takers.decay_per_bp * distance[delta_bps])
        assert abs(count - expected) < 4 * math.sqrt(expected), (
            f"{delta_bps} bps: {count} hits, {expected:.0f} expected"
        )
    slope, intercept = fitted(hits, distance, seconds)
    assert slope == pytest.approx(takers.decay_per_bp, rel=0.06)
    assert math.exp(intercept) == pytest.approx(takers.rate_per_s, rel=0.10)


def fitted(hits: Counter[float], distance: dict[float, float], seconds: int) -> tuple[float, float]:
    """k and ln A by weighted least squares of ln(hits per second and side) on the distance; weights are the counts."""
    rows = [(distance[d], math.log(n / (2 * seconds)), n) for d, n in hits.items()]
    weight = sum(n for _, _, n in rows)
    x_mean = sum(n * x for x, _, n in rows) / weight
    y_mean = sum(n * y for _, y, n in rows) / weight
    slope = sum(n * (x - x_mean) * (y - y_mean) for x, y, n in rows) / sum(n * (x - x_mean) ** 2 for x, _, n in rows)
    return -slope, y_mean - slope * x_mean


def markout_bps(informed_share: float, horizon_ns: int = 45 * SECOND_NS) -> float:
    """Mean move of the fair price in the taker's direction after each trade."""
    floor = BookFloor()
    options = SeededOptions(regimes=STEADY, takers=TakerOptions(informed_share=informed_share))
    market = SeededMarket(default_instruments(START_NS)[:1], 4, options)
    market.start(floor, START_NS)
    fairs, signs = [], []
    for k in range(1, 5 * 3_600):
        before = len(floor.trades)
        market.advance(START_NS + k * options.step_ns)
        fairs.append(market.fair_usd(PERPETUAL))
        signs.append(sum(1 if t.taker_buys else -1 for t in floor.trades[before:]))
    ahead = horizon_ns // options.step_ns
    moves = [(s, fairs[i + ahead] / fairs[i] - 1) for i, s in enumerate(signs[:-ahead]) if s]
    return 1e4 * sum(math.copysign(1, s) * move for s, move in moves) / len(moves)


def test_the_informed_are_right_and_the_uninformed_are_not() -> None:
    none, some, every = markout_bps(0.0), markout_bps(0.3), markout_bps(1.0)
    assert abs(none) < 1.0
    assert 0.5 < some < every
    assert every > 3.0


def test_regimes_and_jumps_of_both_signs_happen() -> None:
    options = SeededOptions(jumps_per_hour=120.0, jump_bps=30.0)
    floor = BookFloor(keep_trades=False)
    market = SeededMarket(default_instruments(START_NS)[:1], 6, options)
    market.start(floor, START_NS)
    seen: Counter[str] = Counter()
    up = down = 0
    last = market.fair_usd(PERPETUAL)
    for k in range(1, 5 * 1_800):
        market.advance(START_NS + k * options.step_ns)
        seen[market.regime("BTCUSD").name] += 1
        move_bps = (market.fair_usd(PERPETUAL) / last - 1) * 1e4
        last = market.fair_usd(PERPETUAL)
        up, down = up + (move_bps > 10), down + (move_bps < -10)
    assert set(seen) == {r.name for r in CALM_NORMAL_WILD}
    # 60 expected, of which e^{-1/3} exceed 10 bps.
    assert 25 <= up + down <= 65
    assert up >= 8
    assert down >= 8


def test_volatility_is_what_the_regime_says() -> None:
    options = SeededOptions(regimes=STEADY, jumps_per_hour=0.0, premium_bps=0.0)
    market = SeededMarket(default_instruments(START_NS)[:1], 9, options)
    market.start(BookFloor(keep_trades=False), START_NS)
    logs = []
    for k in range(1, 20_000):
        market.advance(START_NS + k * options.step_ns)
        logs.append(math.log(market.fair_usd(PERPETUAL)))
    variance = sum((b - a) ** 2 for a, b in pairwise(logs)) / (len(logs) - 1)
    annual = math.sqrt(variance * 365 * 86_400 / 0.2)
    assert annual == pytest.approx(0.5, rel=4 / math.sqrt(2 * len(logs)))


def test_the_future_carries_the_basis_and_the_perpetual_a_premium() -> None:
    market, floor = played(5, options=SeededOptions(carry=2.0))
    perpetual, future = market.instruments[:2]
    years = (future.expiry_ns - START_NS) / SECOND_NS / (365 * 86_400)
    ratio = market.fair_usd(future.name) / market.fair_usd(perpetual.name)
    assert 2.0 * years > 100e-4
    assert ratio == pytest.approx(math.exp(2.0 * years), abs=15e-4)
    assert market.fair_usd(perpetual.name) != floor.index_usd["BTCUSD"]
    assert market.fair_usd(perpetual.name) == pytest.approx(floor.index_usd["BTCUSD"], rel=15e-4)


def test_a_future_converges_and_leaves_at_expiry() -> None:
    expiry_ns = START_NS + 30 * SECOND_NS
    future = Instrument("BTC-25SEP26", "BTCUSD", "future", E8, E8 // 1000, 1, expiry_ns)
    options = SeededOptions(premium_bps=0.0)
    market, floor = played(29, options=options, instruments=(future,))
    assert floor.best(future.name, True) is not None
    assert market.fair_usd(future.name) == pytest.approx(floor.index_usd["BTCUSD"], rel=5e-4)
    market.advance(expiry_ns + 60 * SECOND_NS)
    assert floor.best(future.name, True) is None
    assert floor.best(future.name, False) is None
    assert floor.index_count >= 85, "the index goes on"


def test_an_order_left_beyond_the_fair_price_is_arbitraged_and_one_at_a_fair_distance_is_not() -> None:
    floor = BookFloor()
    # Takers who hardly ever come.
    options = SeededOptions(regimes=STEADY, takers=TakerOptions(rate_per_s=1e-9), jumps_per_hour=0.0)
    market = SeededMarket(default_instruments(START_NS)[:1], 1, options)
    market.start(floor, START_NS)
    fair_usd = market.fair_usd(PERPETUAL)
    # The crowd steps aside for a bid ten basis points too high only by being traded with first.
    stale = floor.client_insert(PERPETUAL, True, round(fair_usd * 1.0010), 20_000)
    fair_bid = floor.client_insert(PERPETUAL, True, round(fair_usd * 0.9995), 10)
    rest = floor.remaining(stale)
    assert rest > 0
    market.advance(START_NS + 2 * SECOND_NS)
    assert floor.remaining(stale) == 0
    assert floor.remaining(fair_bid) == 10


@dataclass
class Outcome:
    """What a lone symmetric quoter got: fills a minute, and volume-weighted edge a minute later in bps, before fees."""

    fills_a_minute: float
    edge_bps: float


def symmetric_quoter(half_spread_bps: float, seed: int, minutes: int = 20) -> Outcome:
    """Requotes every half second around the book's mid, 0.02 BTC a side, never taking, whatever its position."""
    floor = BookFloor()
    market = SeededMarket(default_instruments(START_NS)[:1], seed)
    market.start(floor, START_NS)
    ids: list[int] = []
    fairs: list[float] = []
    fills: list[tuple[int, Trade]] = []
    seen = 0
    for tick in range(1, minutes * 120):
        market.advance(START_NS + tick * SECOND_NS // 2)
        fairs.append(market.fair_usd(PERPETUAL))
        fills += [(tick - 1, t) for t in floor.trades[seen:] if t.maker_is_client]
        seen = len(floor.trades)
        for order in ids:
            floor.reduce(order, 0)
        bid, ask = floor.best(PERPETUAL, True), floor.best(PERPETUAL, False)
        if bid is None or ask is None:
            ids = []
            continue
        mid = (bid[0] + ask[0]) / 2
        low, high = mid * (1 - half_spread_bps * 1e-4), mid * (1 + half_spread_bps * 1e-4)
        ids = [
            floor.client_insert(PERPETUAL, True, min(math.floor(low), ask[0] - 1), 20),
            floor.client_insert(PERPETUAL, False, max(math.ceil(high), bid[0] + 1), 20),
        ]
    later = [(t, fairs[i + 120], -1 if t.taker_buys else 1) for i, t in fills if i + 120 < len(fairs)]
    edge = sum(sign * (fair / t.price_ticks - 1) * 1e4 * t.lots for t, fair, sign in later)
    return Outcome(len(fills) / minutes, edge / sum(t.lots for t, _, _ in later))


def test_the_default_market_rewards_distance_and_not_the_touch() -> None:
    """A few fills a minute at 4 to 8 bps; at the touch, flow that knows more leaves less than the maker fee of 1 bp."""
    outcomes = {h: [symmetric_quoter(h, seed) for seed in range(6)] for h in (2.0, 4.0, 8.0)}
    fills = {h: sum(o.fills_a_minute for o in rows) / len(rows) for h, rows in outcomes.items()}
    edge_bps = {h: sum(o.edge_bps for o in rows) / len(rows) for h, rows in outcomes.items()}
    assert 10 < fills[4.0] < 25
    assert 2 < fills[8.0] < 8
    assert fills[2.0] > 1.5 * fills[4.0]
    assert edge_bps[2.0] < 1.0
    assert 1.0 < edge_bps[4.0] < 3.5
    assert 4.0 < edge_bps[8.0] < 7.5


def test_lots_are_conserved() -> None:
    _, floor = played(120)
    resting = sum(o.lots for o in floor.orders.values())
    # Each traded lot was inserted twice: by its maker and by its taker.
    assert floor.inserted_lots == resting + floor.removed_lots + 2 * floor.traded_lots


def test_the_default_flow_is_modest_and_the_switch_raises_it() -> None:
    def acts(activity: float) -> int:
        options = SeededOptions(regimes=CALM_NORMAL_WILD[:1], activity=activity)
        floor = BookFloor(keep_trades=False)
        market = SeededMarket(default_instruments(START_NS), 1, options)
        market.start(floor, START_NS)
        count = 0
        while market.next_ns() <= START_NS + 60 * SECOND_NS:
            market.advance(market.next_ns())
            count += 1
        return count

    calm = acts(1.0)
    assert calm <= 20 * 60 * 4
    assert acts(5.0) > 2.5 * calm


@given(seed=st.integers(0, 2**32), activity=st.sampled_from([0.5, 1.0, 8.0]), tick_e8=st.sampled_from([E8, 50 * E8]))
@settings(max_examples=10, deadline=None)
def test_any_market_is_uncrossed_and_publishes_its_index_once_a_second(
    seed: int, activity: float, tick_e8: int
) -> None:
    instruments = [replace(i, tick_e8=tick_e8) for i in default_instruments(START_NS)[:2]]
    market, floor = played(20, seed, SeededOptions(activity=activity), tuple(instruments))
    assert 20 <= floor.index_count <= 21
    for instrument in instruments:
        bid, ask = floor.best(instrument.name, True), floor.best(instrument.name, False)
        assert bid is None or ask is None or bid[0] < ask[0]
    assert market.next_ns() > START_NS + 20 * SECOND_NS


def test_wrong_set_ups_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no start price for COINUSD"):
        SeededMarket([coin()], 1)
    with pytest.raises(ValueError, match="at least one"):
        SeededMarket([], 1)
    with pytest.raises(ValueError, match="informed_share"):
        SeededMarket(default_instruments(START_NS), 1, SeededOptions(takers=TakerOptions(informed_share=1.5)))
    with pytest.raises(ValueError, match="step_ns"):
        SeededMarket(default_instruments(START_NS), 1, SeededOptions(step_ns=0))
    market = SeededMarket(default_instruments(START_NS), 1)
    assert market.next_ns() == NEVER_NS
    with pytest.raises(RuntimeError, match="before start"):
        market.advance(START_NS)
