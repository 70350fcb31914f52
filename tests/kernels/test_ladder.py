"""Integer ladders: spread limits after skew, rounding and clamp; never crossing; what wins in a contradiction."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels import ladder
from kernels.records import MODEL, TARGET
from tests.reference import quoting

# Sixteenths of a tick: exact in binary, so that the twin's rational arithmetic meets the same ties.
sixteenths = st.integers(16, 16_000)
halves = st.integers(0, 16 * 60)
books = st.tuples(st.integers(1, 999), st.integers(1, 30), st.booleans(), st.booleans())


def quotes(centre: int, half: int, least: int, most: int, book: tuple[int, int, bool, bool], post_only: bool = True):  # type: ignore[no-untyped-def]
    bid, width, has_bid, has_ask = book
    best_bid, best_ask = bid if has_bid else 0, bid + width if has_ask else 0
    found = ladder.best_quotes(centre / 16, half / 16, half / 16, least, most, best_bid, best_ask, int(post_only))
    return found, best_bid, best_ask


@settings(max_examples=400)
@given(sixteenths, halves, st.integers(1, 20), st.integers(0, 20), books, st.booleans())
def test_against_the_slow_twin(
    centre: int, half: int, least: int, extra: int, book: tuple[int, int, bool, bool], post_only: bool
) -> None:
    found, best_bid, best_ask = quotes(centre, half, least, least + extra, book, post_only)
    middle, width = Fraction(centre, 16), Fraction(half, 16)
    expected = quoting.best(
        middle - width, middle + width, least, least + extra, best_bid or None, best_ask or None, post_only
    )
    assert found == expected


@settings(max_examples=400)
@given(sixteenths, halves, st.integers(1, 20), st.integers(0, 20), books)
def test_promises(centre: int, half: int, least: int, extra: int, book: tuple[int, int, bool, bool]) -> None:
    most = least + extra
    (bid, ask), best_bid, best_ask = quotes(centre, half, least, most, book)
    assert ask - bid >= least
    assert not best_ask or bid < best_ask
    assert not best_bid or ask > best_bid
    plain = ladder.round_out((centre - half) / 16, (centre + half) / 16, least, most)
    assert least <= plain[1] - plain[0] <= most
    reservation = centre / 16
    clamped = (bid, ask) != plain
    if not clamped:
        assert ask - bid <= most
    elif ask - bid > most:
        # Only the reservation price, or the book itself, keeps the other side from following.
        follower_stopped = ask == math.ceil(reservation) or bid == math.floor(reservation)
        between = best_bid and best_ask and (ask == best_bid + 1 or bid == best_ask - 1)
        assert follower_stopped or between


@settings(max_examples=300)
@given(sixteenths, halves, st.integers(1, 20), st.integers(0, 20), books)
def test_mirrored_input_gives_mirrored_quotes(
    centre: int, half: int, least: int, extra: int, book: tuple[int, int, bool, bool]
) -> None:
    assume(extra > 0)  # with one allowed width there is no symmetric answer to a tie
    axis = 4000
    (bid, ask), best_bid, best_ask = quotes(centre, half, least, least + extra, book)
    mirrored = ladder.best_quotes(
        axis - centre / 16,
        half / 16,
        half / 16,
        least,
        least + extra,
        axis - best_ask if best_ask else 0,
        axis - best_bid if best_bid else 0,
        1,
    )
    assert mirrored == (axis - ask, axis - bid)


def test_bids_floor_and_asks_ceil() -> None:
    assert ladder.round_out(99.9, 103.1, 1, 100) == (99, 104)
    assert ladder.round_out(100.0, 103.0, 1, 100) == (100, 103)
    # A whole price that went through floating-point arithmetic stays the same price.
    assert ladder.round_out(100.0 - 1e-9, 103.0 + 1e-9, 1, 100) == (100, 103)


def test_the_minimum_wins_over_the_maximum() -> None:
    assert ladder.best_quotes(100.0, 1.0, 1.0, 8, 4, 0, 0, 1) == (96, 104)


def test_the_clamp_wins_over_the_maximum_and_nothing_sells_below_the_reservation_price() -> None:
    assert ladder.best_quotes(120.0, 2.0, 2.0, 1, 6, 99, 101, 1) == (100, 120)
    assert ladder.best_quotes(80.0, 2.0, 2.0, 1, 6, 99, 101, 1) == (80, 100)
    assert ladder.best_quotes(102.0, 2.5, 2.5, 1, 6, 99, 100, 1) == (99, 105)
    assert ladder.best_quotes(120.0, 2.0, 2.0, 1, 6, 99, 101, 0) == (118, 122)


def written(
    best: int, side: str, lots: list[int], factor: float, capacity: int, least: int, spacing: int
) -> list[tuple[int, int]]:
    model, target = np.zeros(1, MODEL)[0], np.zeros(1, TARGET)[0]
    model["levels"], model["min_lots"], model["spacing_ticks"] = len(lots), least, spacing
    model["level_lots"][: len(lots)] = lots
    write = ladder.write_bids if side == "bid" else ladder.write_asks
    count = write(target, model, best, factor, capacity)
    assert target[f"{side}_count"] == count
    return list(zip(target[f"{side}_ticks"][:count].tolist(), target[f"{side}_lots"][:count].tolist(), strict=True))


@given(
    st.integers(-20, 2000),
    st.lists(st.integers(0, 50), min_size=1, max_size=10),
    st.integers(0, 16),
    st.integers(0, 300),
    st.integers(1, 9),
    st.integers(1, 30),
)
def test_levels(best: int, lots: list[int], factor: int, capacity: int, least: int, spacing: int) -> None:
    for side, sign in (("bid", -1), ("ask", 1)):
        left, expected = capacity, []
        for i, wanted in enumerate(lots):
            price = best + sign * i * spacing
            (size,) = quoting.sizes([wanted], Fraction(factor, 16), left, least)
            if size and price > 0:
                expected.append((price, size))
                left -= size
        assert written(best, side, lots, factor / 16, capacity, least, spacing) == expected


def test_no_price_below_one_tick() -> None:
    assert written(10, "bid", [5, 5, 5], 1.0, 100, 1, 6) == [(10, 5), (4, 5)]
    assert written(0, "bid", [5, 5], 1.0, 100, 1, 6) == []
    assert written(0, "ask", [5, 5], 1.0, 100, 1, 6) == [(6, 5)]
    assert written(-6, "ask", [5, 5], 1.0, 100, 1, 6) == []
