"""The guard: every ladder the shipped quotes give passes, and each flaw is found by name."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import quote, resolve, selftest, strategy
from kernels.records import MODEL, TARGET


def quoted(fair: float = 60_000.0, position: int = 0) -> tuple[np.void, np.void, np.void]:
    model, target = np.zeros(1, MODEL)[0], np.zeros(1, TARGET)[0]
    assert resolve.resolve(selftest.example_settings(), fair, model) == resolve.OK
    market = selftest.example_market(fair, fair * 1e-4, position)
    assert quote.quote(market, model, target) == quote.OK
    return market, model, target


@settings(max_examples=60)
@given(st.floats(1_000.0, 1e6), st.integers(-20_000, 20_000), st.floats(1e-7, 1e-2), st.integers(0, 20_000))
def test_the_shipped_quotes_pass(fair: float, position: int, sigma: float, capacity: int) -> None:
    _, model, target = quoted(fair)
    market = selftest.example_market(fair, fair * sigma, position)
    market["buy_capacity_lots"] = market["sell_capacity_lots"] = capacity
    middle = int(fair / 0.5)
    market["bid_ticks"], market["ask_ticks"], market["bid_lots"], market["ask_lots"] = middle - 1, middle + 2, 5, 5
    if quote.quote(market, model, target) == quote.OK:
        assert strategy.flaw(market, model, target) == strategy.OK


FLAWED = [
    ("bid_count", None, 11, strategy.COUNT),
    ("ask_count", None, -1, strategy.COUNT),
    ("reservation_usd", None, math.nan, strategy.NOT_FINITE),
    ("skew_usd", None, math.inf, strategy.NOT_FINITE),
    ("bid_ticks", 0, 0, strategy.PRICE),
    ("bid_ticks", 3, -5, strategy.PRICE),
    ("ask_ticks", 3, 2**62, strategy.PRICE),
    ("ask_ticks", 0, 500_000, strategy.PRICE),
    ("bid_ticks", 1, 119_999, strategy.ORDER),
    ("ask_ticks", 3, 120_001, strategy.ORDER),
    ("bid_ticks", 0, 120_500, strategy.CROSSED),
    ("bid_lots", 2, 0, strategy.SIZE),
    ("ask_lots", 2, -1, strategy.SIZE),
    ("ask_lots", 2, 2**40, strategy.SIZE),
    ("bid_lots", 1, 2**20, strategy.CAPACITY),
    ("ask_lots", 1, 2**20, strategy.CAPACITY),
]


@pytest.mark.parametrize(("member", "level", "value", "code"), FLAWED)
def test_each_flaw_is_found(member: str, level: int | None, value: float, code: int) -> None:
    market, model, target = quoted()
    assert strategy.flaw(market, model, target) == strategy.OK
    if level is None:
        target[member] = value
    else:
        target[member][level] = value
    assert strategy.flaw(market, model, target) == code
    assert strategy.FLAWS[code]


def test_a_quote_that_takes_is_a_flaw_where_it_must_not() -> None:
    market, model, target = quoted()
    market["ask_ticks"], market["ask_lots"] = target["bid_ticks"][0], 5
    assert strategy.flaw(market, model, target) == strategy.CROSSED
    market["ask_lots"], market["bid_ticks"], market["bid_lots"] = 0, target["ask_ticks"][0], 5
    assert strategy.flaw(market, model, target) == strategy.CROSSED
    model["post_only"] = 0
    assert strategy.flaw(market, model, target) == strategy.OK


@pytest.mark.parametrize(("member", "value"), [("fair_usd", math.nan), ("fair_usd", 0.0), ("sigma_usd", math.inf)])
def test_mistake_7_no_price_no_quote(member: str, value: float) -> None:
    market, model, target = quoted()
    market[member] = value
    assert strategy.flaw(market, model, target) == strategy.NO_PRICE
    target["bid_count"] = target["ask_count"] = 0
    assert strategy.flaw(market, model, target) == strategy.OK
