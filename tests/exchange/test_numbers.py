"""Numbers of requests, against exact decimals."""

from decimal import ROUND_HALF_EVEN, Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.exchange.numbers import LIMIT, as_float, parse_e8, plain


@given(st.decimals(-(10**6), 10**6, places=8))
def test_decimals_survive_text_float_and_back(number):
    exact = int(number.scaleb(8))
    assert parse_e8(str(number)) == exact
    assert parse_e8(float(number)) == exact
    assert Decimal(orjson.dumps(plain(exact)).decode()) == number
    assert Decimal(orjson.dumps(as_float(exact)).decode()) == number


@given(st.decimals(-1000, 1000, places=12))
def test_text_is_rounded_half_to_even(number):
    assert parse_e8(str(number)) == int(number.scaleb(8).to_integral_value(ROUND_HALF_EVEN))


@given(st.integers(-LIMIT, LIMIT))
def test_integers_are_exact_and_printed_without_a_fraction(number):
    assert parse_e8(number) == number * 10**8
    assert orjson.dumps(plain(number * 10**8)) == str(number).encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [],
        {},
        "",
        "x",
        "nan",
        "inf",
        "1" * 41,
        float("inf"),
        float("nan"),
        1e13,
        -1e13,
        10**13,
        "1e13",
        b"1",
    ],
)
def test_what_is_no_number_or_too_large_is_refused(value):
    with pytest.raises(ValueError, match="number"):
        parse_e8(value)
