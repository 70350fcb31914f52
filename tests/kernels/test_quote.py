"""The entry kernel: the papers' quotes on a real market, symmetry, scaling, limits, and a code for everything else."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels import avellaneda, glft, quote, resolve
from kernels.records import MARKET, MODEL, TARGET
from tests.kernels.test_resolve import resolved
from tests.reference import quoting

WIDE: dict[str, float] = {"min_spread_ticks": 1, "max_spread_ticks": math.nan, "level_spacing_ticks": 3}

positions = st.integers(-25_000, 25_000)
sigmas = st.floats(0.5, 40.0)
fairs = st.floats(50_000.0, 70_000.0)


def market(fair: float = 60_000.0, sigma: float = 4.0, lots: int = 0, **values: float) -> np.void:
    record = np.zeros(1, MARKET)[0]
    record["fair_usd"], record["sigma_usd"], record["position_lots"] = fair, sigma, lots
    record["buy_capacity_lots"] = record["sell_capacity_lots"] = 10_000
    for name, value in values.items():
        record[name] = value
    return record


def quoted(market_record: np.void, model: np.void) -> np.void:
    target = np.zeros(1, TARGET)[0]
    assert quote.quote(market_record, model, target) == quote.OK
    return target


def sides(target: np.void) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    bids, asks = int(target["bid_count"]), int(target["ask_count"])
    return (
        list(zip(target["bid_ticks"][:bids].tolist(), target["bid_lots"][:bids].tolist(), strict=True)),
        list(zip(target["ask_ticks"][:asks].tolist(), target["ask_lots"][:asks].tolist(), strict=True)),
    )


@pytest.mark.parametrize("horizon", [1.0, 30.0, math.inf])
@given(st.integers(-10_000, 10_000), st.floats(0.5, 10.0), st.floats(-0.2, 0.2))
def test_distances_are_the_papers(horizon: float, lots: int, sigma: float, drift: float) -> None:
    model = resolved(horizon_s=horizon, inventory_weight=1.0, **WIDE)
    target = quoted(market(sigma=sigma, lots=lots, drift_usd_s=drift), model)
    q = lots * 0.001
    if math.isinf(horizon):
        bid, ask = glft.distances(q, 0.1, 1.5, 0.9, sigma, drift, 0.0, 0.3)
    else:
        bid, ask = avellaneda.distances(q, 0.1, 1.5, sigma, horizon)
        bid, ask = bid - drift * horizon, ask + drift * horizon
    assume(bid + ask > 0.5)  # wider than the floor of one tick
    found_bid = 60_000.0 - (target["reservation_usd"] - target["half_bid_usd"])
    found_ask = target["reservation_usd"] + target["half_ask_usd"] - 60_000.0
    assert found_bid == pytest.approx(bid, rel=1e-9, abs=1e-7)
    assert found_ask == pytest.approx(ask, rel=1e-9, abs=1e-7)
    assert target["bid_ticks"][0] == math.floor((60_000.0 - bid) / 0.5 + 1e-6)
    assert target["ask_ticks"][0] == math.ceil((60_000.0 + ask) / 0.5 - 1e-6)


@settings(max_examples=200)
@given(
    fairs,
    sigmas,
    positions,
    st.floats(0, 2),
    st.floats(-5, 5),
    st.integers(0, 12_000),
    st.integers(0, 12_000),
    st.integers(-30, 30),
    st.integers(1, 8),
    st.sampled_from([1.0, 20.0, math.inf]),
    st.sampled_from([0.3, 2.0, math.inf]),
    st.sampled_from([0.0, 150.0, 700.0]),
)
def test_against_the_slow_twin(
    fair: float,
    sigma: float,
    lots: int,
    weight: float,
    aim: float,
    buy: int,
    sell: int,
    shift: int,
    width: int,
    horizon: float,
    touch: float,
    age: float,
) -> None:
    skew = abs(lots * 0.001 - aim) * 0.1 * sigma**2 * horizon * weight
    assume(math.isinf(horizon) or skew < 0.9 * fair)  # beyond it there is no price left to quote around
    model = resolved(
        inventory_weight=weight,
        inventory_target=aim,
        horizon_s=horizon,
        volatility_multiple=0.5,
        touch_multiple=touch,
        fade_time_s=600.0,
        fade_halves=2.0,
        calm_rate=2e-4,
        min_size=0.05,
    )
    best_bid = round(fair / 0.5) + shift
    best_ask = best_bid + width
    target = quoted(
        market(
            fair,
            sigma,
            lots,
            buy_capacity_lots=buy,
            sell_capacity_lots=sell,
            bid_ticks=best_bid,
            bid_lots=5,
            ask_ticks=best_ask,
            ask_lots=5,
            position_age_s=age,
        ),
        model,
    )
    size = 0.3 if math.isinf(horizon) else 1.0
    root = sigma * math.sqrt(0.1 / (2 * 1.5 * 0.9 * size) * (1 + 0.1 * size / 1.5) ** (1 + 1.5 / (0.1 * size)))
    unit = root if math.isinf(horizon) else 0.1 * sigma**2 * horizon
    half = min(math.log(1 + 0.1 * size / 1.5) / (0.1 * size) + size * unit / 2, touch * 0.25 * width)
    half = min(max(half, 0.5 * sigma, 0.75), 5.0)
    centre = fair - weight * (lots * 0.001 - aim) * unit
    q, limit = Fraction(lots, 1000), quoting.room(Fraction(20), Fraction(age), Fraction(600))
    half_bid, half_ask = (min(half + 2 * half * float(quoting.share(side * q, limit)), 5.0) for side in (1, -1))
    low, high = Fraction(centre - half_bid) * 2, Fraction(centre + half_ask) * 2
    for edge in (low, high, (low + high) / 2, 2 * Fraction(centre), (low - math.floor(low)) - (math.ceil(high) - high)):
        assume(abs(edge - round(edge)) > 1e-5)
    bid, ask = quoting.best(low, high, 3, 20, best_bid, best_ask, True, 2 * Fraction(centre))
    full = min(Fraction(1), Fraction(2e-4 * 60_000.0) / Fraction(sigma))
    wanted = [300, 390, 540, 660, 840]
    expected = []
    for sign, best, capacity in ((-1, bid, buy), (1, ask, sell)):
        lots_by_level = quoting.sizes(wanted, quoting.factor(-sign * q, limit, full), capacity, 50)
        expected.append([(best + sign * 8 * i, n) for i, n in enumerate(lots_by_level) if n])
    found = sides(target)
    assert [[p for p, _ in side] for side in found] == [[p for p, _ in side] for side in expected]
    for side, other in zip(found, expected, strict=True):
        # A faded size that is whole in rationals may be a lot less in floating point.
        assert all(0 <= b - a <= 1 for (_, a), (_, b) in zip(side, other, strict=True))


@given(
    st.integers(-20_000, 20_000),
    sigmas,
    st.integers(-200, 200),
    st.floats(-0.1, 0.1),
    st.integers(0, 9000),
    st.integers(0, 9000),
)
def test_mirrored_input_gives_mirrored_quotes(
    lots: int, sigma: float, offset: int, drift: float, buy: int, sell: int
) -> None:
    model = resolved(horizon_s=5.0, max_spread_ticks=21, fade_time_s=600.0, fade_halves=1.5, calm_rate=2e-4)
    axis = 2 * 120_000
    book = {"bid_ticks": 119_998, "bid_lots": 3, "ask_ticks": 120_001, "ask_lots": 4}
    mirrored_book = {"bid_ticks": axis - 120_001, "bid_lots": 4, "ask_ticks": axis - 119_998, "ask_lots": 3}
    one = market(
        60_000.0 + offset / 64, sigma, lots, drift_usd_s=drift, buy_capacity_lots=buy, sell_capacity_lots=sell, **book
    )
    other = market(
        60_000.0 - offset / 64,
        sigma,
        -lots,
        drift_usd_s=-drift,
        buy_capacity_lots=sell,
        sell_capacity_lots=buy,
        **mirrored_book,
    )
    bids, asks = sides(quoted(one, model))
    assert sides(quoted(other, model)) == (
        [(axis - price, size) for price, size in asks],
        [(axis - price, size) for price, size in bids],
    )


@pytest.mark.parametrize("c", [0.01, 10.0])
@given(positions, sigmas, st.sampled_from([5.0, math.inf]))
def test_prices_scale(c: float, lots: int, sigma: float, horizon: float) -> None:
    ask = {"horizon_s": horizon, "intensity": 0.9, "touch_multiple": 0.4, "fade_halves": 1.0, "calm_rate": 1e-4}
    book = {"bid_ticks": 119_990, "bid_lots": 1, "ask_ticks": 120_010, "ask_lots": 1}
    one = quoted(market(60_000.0, sigma, lots, **book), resolved(**ask))
    other = quoted(
        market(60_000.0 * c, sigma * c, lots, **book),
        resolved(60_000.0 * c, gamma=0.1 / c, kappa=1.5 / c, tick_usd=0.5 * c, **ask),
    )
    assert other["reservation_usd"] == pytest.approx(c * one["reservation_usd"], rel=1e-12)
    assert other["half_bid_usd"] == pytest.approx(c * one["half_bid_usd"], rel=1e-9)
    assert sides(one) == sides(other)


@given(fairs, st.floats(0.1, 30.0), positions, st.integers(-300, 300), st.integers(1, 30), st.integers(0, 9000))
def test_limits_hold_on_every_market(
    fair: float, sigma: float, lots: int, shift: int, width: int, capacity: int
) -> None:
    model = resolved(horizon_s=2.0)
    best_bid = round(fair / 0.5) + shift
    book = {"bid_ticks": best_bid, "bid_lots": 1, "ask_ticks": best_bid + width, "ask_lots": 1}
    target = quoted(market(fair, sigma, lots, buy_capacity_lots=capacity, sell_capacity_lots=capacity, **book), model)
    bids, asks = sides(target)
    assert sum(size for _, size in bids) <= capacity
    assert sum(size for _, size in asks) <= capacity
    assert all(price < best_bid + width for price, _ in bids)
    assert all(price > best_bid for price, _ in asks)
    if lots >= 20_000:
        assert bids == []
    if lots <= -20_000:
        assert asks == []
    if bids and asks:
        assert asks[0][0] - bids[0][0] >= 3
        middle = target["reservation_usd"] / 0.5
        if best_bid < middle < best_bid + width:
            assert asks[0][0] - bids[0][0] <= max(20, width + 20)


@given(positions, st.integers(0, 5000), st.integers(0, 500))
def test_more_capacity_never_quotes_less(lots: int, capacity: int, more: int) -> None:
    model = resolved(min_size=0.02)
    before, after = (
        quoted(market(lots=lots, buy_capacity_lots=n, sell_capacity_lots=n), model) for n in (capacity, capacity + more)
    )
    for a, b in zip(sides(before), sides(after), strict=True):
        assert len(a) <= len(b)
        assert all(x[1] <= y[1] for x, y in zip(a, b, strict=False))


def test_the_side_that_adds_fades_to_nothing_and_the_other_does_not() -> None:
    model = resolved()
    totals = []
    for lots in range(0, 20_001, 50):
        bids, asks = sides(quoted(market(lots=lots), model))
        totals.append(sum(size for _, size in bids))
        assert sum(size for _, size in asks) == 2730
    assert totals == sorted(totals, reverse=True)
    assert (totals[0], totals[-1]) == (2730, 0)
    assert max(a - b for a, b in itertools.pairwise(totals)) <= 13


def test_the_side_that_adds_stands_further_out_in_proportion_and_the_other_where_it_stood() -> None:
    plain, faded = resolved(max_spread_ticks=math.nan), resolved(max_spread_ticks=math.nan, fade_halves=1.5)
    half = quoted(market(), plain)["half_bid_usd"]
    out = []
    for lots in range(-1000, 25_001, 50):
        target, same = quoted(market(lots=lots), faded), quoted(market(lots=lots), plain)
        assert target["reservation_usd"] == same["reservation_usd"]
        out.append(float(target["half_bid_usd"]))
        if lots >= 0:
            assert target["half_ask_usd"] == half
    assert out == sorted(out)
    assert (out[0], out[20]) == (half, half)
    assert out[-1] == out[420] == pytest.approx(2.5 * half)  # at the limit of 20 contracts, and beyond
    assert max(b - a for a, b in itertools.pairwise(out)) <= 1.5 * half * 0.0026
    assert quoted(market(lots=20_000), resolved(fade_halves=100.0))["half_bid_usd"] == 5.0  # the ceiling holds


def test_an_old_position_is_only_reduced() -> None:
    model = resolved(fade_time_s=3600.0)
    bids = [
        sum(n for _, n in sides(quoted(market(lots=2000, position_age_s=age), model))[0]) for age in range(0, 4000, 20)
    ]
    assert bids == sorted(bids, reverse=True)
    assert bids[0] == sum(n for _, n in sides(quoted(market(lots=2000), model))[0]) > 0
    assert bids[162] == bids[-1] == 0  # at nine tenths of the time 2 contracts are all that may be held
    assert max(a - b for a, b in itertools.pairwise(bids)) < 160
    old = quoted(market(lots=2000, position_age_s=1e6), model)
    assert sides(old)[1] == sides(quoted(market(lots=2000), model))[1]
    assert sides(quoted(market(position_age_s=1e6), model)) == sides(quoted(market(), model))


def test_sizes_shrink_in_wild_and_toxic_markets_but_not_those_that_reduce_a_full_position() -> None:
    model = resolved(calm_rate=1e-4)  # 6 USD

    def totals(lots: int = 0, **values: float) -> tuple[int, int]:
        bids, asks = sides(quoted(market(lots=lots, **values), model))
        return sum(n for _, n in bids), sum(n for _, n in asks)

    assert totals(sigma=6.0) == (2730, 2730)
    assert totals(sigma=12.0) == (1365, 1365)
    wilder = [totals(sigma=0.5 * n)[0] for n in range(1, 100)]
    assert wilder == sorted(wilder, reverse=True)
    assert totals(20_000, sigma=12.0) == (0, 2730)
    half = float(quoted(market(sigma=6.0), model)["half_bid_usd"])
    bids, asks = totals(sigma=6.0, toxic_bid_usd=half)
    assert (bids, asks) == (1365, 2730)
    poisoned = [totals(toxic_ask_usd=0.1 * n)[1] for n in range(50)]
    assert poisoned == sorted(poisoned, reverse=True)


def test_long_positions_lower_both_quotes_once() -> None:
    model = resolved(inventory_weight=0.5, inventory_target=2.0, **WIDE)
    flat, long = (quoted(market(lots=lots), model) for lots in (2000, 3000))
    assert flat["reservation_usd"] == 60_000.0
    unit = 4.0 * glft.coefficients(0.1, 0.1, 1.5, 0.9, 0.3)[1]
    assert long["skew_usd"] == pytest.approx(0.5 * unit, rel=1e-12)
    assert long["reservation_usd"] == pytest.approx(60_000.0 - 0.5 * unit, rel=1e-15)


def test_floors_and_ceilings_of_the_half_spread() -> None:
    assert quoted(market(sigma=9.0), resolved(volatility_multiple=0.5))["half_bid_usd"] == 4.5
    assert quoted(market(sigma=90.0), resolved(volatility_multiple=0.5))["half_bid_usd"] == 5.0
    assert quoted(market(sigma=0.01), resolved(kappa=50.0))["half_ask_usd"] == 0.75


def half_in(width: int, **settings: float) -> float:
    """The half-spread in USD that is quoted into a book so many ticks of 0.5 USD wide."""
    book = {"bid_ticks": 120_000 - width, "bid_lots": 1, "ask_ticks": 120_000, "ask_lots": 1}
    target = quoted(market(sigma=1.0, **book), resolved(max_spread_ticks=math.nan, **settings))
    assert target["half_bid_usd"] == target["half_ask_usd"]
    return float(target["half_bid_usd"])


def test_the_half_spread_follows_a_tight_book_down_to_its_floors() -> None:
    free = half_in(1)
    assert 0.6 < free < 1.5
    with_fees = {"maker_fee_rate": 1e-4, "min_edge_bps": 0.5, "touch_multiple": 4.0}  # 6 USD and 3 USD
    assert half_in(1, **with_fees) == half_in(9, **with_fees) == 9.0  # 4 x 2.25 USD
    assert half_in(1, volatility_multiple=1.25, touch_multiple=0.1) == 1.25
    widths = [half_in(n, kappa=0.05, touch_multiple=2.0) for n in range(3, 200)]
    assert widths == sorted(widths)
    assert widths[0] == 1.5
    assert widths[-1] == widths[-60] == half_in(1, kappa=0.05)
    # A continuous cut: a tick of the book moves it by the multiple of half a tick, never by more.
    assert max(b - a for a, b in itertools.pairwise(widths)) <= 0.5 + 1e-9


def test_without_both_sides_of_the_book_nothing_is_cut() -> None:
    model = resolved(touch_multiple=0.01, kappa=0.3)
    one_sided = quoted(market(bid_ticks=119_999, bid_lots=1, ask_ticks=120_000), model)
    assert one_sided["half_bid_usd"] == quoted(market(), model)["half_bid_usd"] > 1.0


def test_one_sided_and_empty_books_are_quoted_on() -> None:
    model = resolved()
    free = sides(quoted(market(), model))
    assert sides(quoted(market(bid_ticks=150_000), model)) == free  # no lots: not there
    clamped = sides(quoted(market(bid_ticks=120_010, bid_lots=1), model))
    assert clamped[1][0][0] == 120_011


@pytest.mark.parametrize(
    "code, values",
    [
        (quote.NO_FAIR_PRICE, {"fair_usd": 0.0}),
        (quote.NO_FAIR_PRICE, {"fair_usd": -1.0}),
        (quote.NO_FAIR_PRICE, {"fair_usd": math.nan}),
        (quote.NO_FAIR_PRICE, {"fair_usd": math.inf}),
        (quote.BAD_SIGMA, {"sigma_usd": 0.0}),
        (quote.BAD_SIGMA, {"sigma_usd": math.nan}),
        (quote.BAD_SIGMA, {"sigma_usd": math.inf}),
        (quote.NOT_FINITE, {"drift_usd_s": math.nan}),
        (quote.NOT_FINITE, {"drift_usd_s": math.inf}),
        (quote.NOT_FINITE, {"drift_usd_s": -math.inf}),
        (quote.NOT_FINITE, {"drift_usd_s": 1e308, "sigma_usd": 1e-300}),
        (quote.CROSSED_BOOK, {"bid_ticks": 10, "bid_lots": 1, "ask_ticks": 10, "ask_lots": 1}),
        (quote.OUT_OF_RANGE, {"fair_usd": 1e12}),
        (quote.OUT_OF_RANGE, {"fair_usd": 0.5 * quote.TICKS_MAX - 1.0, "sigma_usd": 50.0}),
        (quote.OUT_OF_RANGE, {"position_lots": 10**9, "sigma_usd": 100.0}),
    ],
)
def test_refusals_are_codes_with_an_empty_target(code: int, values: dict[str, float]) -> None:
    model, target = resolved(), np.zeros(1, TARGET)[0]
    assert quote.quote(market(), model, target) == quote.OK
    assert quote.quote(market(**values), model, target) == code
    assert (target["bid_count"], target["ask_count"], target["reservation_usd"]) == (0, 0, 0.0)
    assert len(quote.REASONS) > code


def test_an_unresolved_or_refused_model_is_refused() -> None:
    target = np.zeros(1, TARGET)[0]
    assert quote.quote(market(), np.zeros(1, MODEL)[0], target) == quote.NOT_RESOLVED
    for name, value in [("levels", -1), ("levels", 0), ("levels", 11), ("resolved_at_usd", 0.0), ("tick_usd", 0.0)]:
        model = resolved()
        model[name] = value
        assert quote.quote(market(), model, target) == quote.NOT_RESOLVED
    model = resolved()
    assert resolve.resolve(np.zeros(1, resolve.settings_record.dtype)[0], 1.0, model) != resolve.OK
    assert quote.quote(market(), model, target) == quote.NOT_RESOLVED


anything = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 1e-300, 1e300, math.nan]))
FLOATS = [n for n in MODEL.names or () if MODEL[n] == np.dtype("f8")]


@settings(max_examples=300)
@given(
    st.tuples(anything, anything, anything),
    st.integers(-(2**63), 2**63 - 1),
    st.dictionaries(st.sampled_from(FLOATS), anything, max_size=3),
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)),
)
def test_nothing_that_is_not_finite_reaches_a_target(
    numbers: tuple[float, float, float], lots: int, broken: dict[str, float], capacity: tuple[int, int]
) -> None:
    model, target = resolved(), np.zeros(1, TARGET)[0]
    for name, value in broken.items():
        model[name] = value
    fair, sigma, drift = numbers
    record = market(fair, sigma, lots, drift_usd_s=drift, buy_capacity_lots=capacity[0], sell_capacity_lots=capacity[1])
    code = quote.quote(record, model, target)
    assert 0 <= code < len(quote.REASONS)
    for name in ("reservation_usd", "half_bid_usd", "half_ask_usd", "skew_usd"):
        assert math.isfinite(target[name])
    bids, asks = sides(target)
    if code != quote.OK:
        assert bids == asks == []
    assert all(0 < price <= quote.TICKS_MAX + 200 for price, _ in bids + asks)
    assert all(size > 0 for _, size in bids + asks)
    assert sum(size for _, size in bids) <= max(capacity[0], 0)


def test_alpha_moves_both_quotes_and_toxicity_the_side_it_hurts() -> None:
    """Cartea and Wang 2020, first order: alpha up, both up; mirrored for alpha down; zero is the plain model."""
    model = resolved(**WIDE)
    plain, up, down = (quoted(market(alpha_usd=a), model) for a in (0.0, 3.0, -3.0))
    ticks = round(3.0 / float(model["tick_usd"]))
    for name in ("bid_ticks", "ask_ticks"):
        assert up[name][0] - plain[name][0] == ticks
        assert down[name][0] - plain[name][0] == -ticks
    wide = quoted(market(toxic_ask_usd=4.0), model)
    assert wide["bid_ticks"][0] == plain["bid_ticks"][0]
    assert wide["ask_ticks"][0] == plain["ask_ticks"][0] + round(4.0 / float(model["tick_usd"]))
    half = float(plain["half_bid_usd"])
    capped = quoted(market(alpha_usd=1e9), resolved(**WIDE, alpha_halves=0.5))
    assert capped["reservation_usd"] == pytest.approx(60_000.0 + 0.5 * half)


@pytest.mark.parametrize("name", ["alpha_usd", "toxic_bid_usd", "toxic_ask_usd"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_opinion_that_is_no_number_is_refused(name: str, value: float) -> None:
    target = np.zeros(1, TARGET)[0]
    assert quote.quote(market(**{name: value}), resolved(), target) == quote.NOT_FINITE
    assert target["bid_count"] == target["ask_count"] == 0
