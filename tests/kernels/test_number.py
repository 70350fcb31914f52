"""Numbers are exact or refused: compared with ``decimal`` and ``float``."""

import math
import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernels.number import (
    double_from_text,
    e8_from_text,
    e8_to_text,
    ticks_from_e8,
    uint64_from_text,
    uint64_to_text,
    units_from_e8,
)

INT64_MAX = 2**63 - 1
JSON_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")

NOT_NUMBERS = [
    b"", b"-", b"+1", b"01", b"-01", b"00", b".5", b"5.", b"-.5", b"1e", b"1e+", b"1.e3", b"1.5.2", b"NaN",
    b"-Infinity", b"Infinity", b"0x10", b"1_000", b" 1", b"1 ", b"--1", b"1e1.5", b"1,5", b"nan", b"inf", b"e5",
    b"1\x00", b"\xd9\xa1",
]  # fmt: skip

plain_texts = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True).map(
    str.encode
)


def expected_e8(text: bytes) -> int | type[Exception]:
    scaled = Decimal(text.decode()).scaleb(8)
    if scaled != scaled.to_integral_value():
        return ValueError
    return int(scaled) if abs(scaled) <= INT64_MAX else OverflowError


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_refuses_what_json_refuses(text: bytes) -> None:
    for read in (e8_from_text, double_from_text, uint64_from_text):
        with pytest.raises(ValueError):
            read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"0", 0), (b"-0", 0), (b"-0.0", 0), (b"0e999", 0), (b"78003.5", 7_800_350_000_000), (b"1e-05", 1000),
        (b"1.5E3", 150_000_000_000), (b"0.000000010000000000000000000000", 1), (b"1e-8", 1), (b"100e-10", 1),
        (b"92233720368.54775807", INT64_MAX), (b"-92233720368.54775807", -INT64_MAX),
        (b"9.2E10", 9_200_000_000_000_000_000),
        (b"0." + b"0" * 40 + b"e30", 0), (b"0.00000000000000000001e12", 1), (b"1" + b"0" * 30 + b"e-30", 100_000_000),
    ],
)  # fmt: skip
def test_reads_fixed_point_exactly(text: bytes, value: int) -> None:
    assert e8_from_text(text) == value


@pytest.mark.parametrize(
    "text", [b"1e-9", b"0.000000001", b"3.0999999999999999", b"1e-999", b"0.123456789", b"1e-999999999999"]
)
def test_refuses_more_than_eight_decimals(text: bytes) -> None:
    with pytest.raises(ValueError, match="8 decimals"):
        e8_from_text(text)


@pytest.mark.parametrize(
    "text",
    [
        b"92233720368.54775808",
        b"-92233720368.54775808",
        b"1e11",
        b"1e999",
        b"9" * 400,
        b"18446744073709551616",
        b"1e99999999999",
    ],
)
def test_refuses_what_does_not_fit(text: bytes) -> None:
    with pytest.raises(OverflowError):
        e8_from_text(text)


@given(plain_texts)
def test_fixed_point_agrees_with_decimal(text: bytes) -> None:
    expected = expected_e8(text)
    if isinstance(expected, int):
        assert e8_from_text(text) == expected
    else:
        with pytest.raises((ValueError, OverflowError)):
            e8_from_text(text)


@given(st.integers(-INT64_MAX - 1, INT64_MAX))
@example(-INT64_MAX - 1)
@example(0)
@example(10)
@example(-1)
def test_writes_the_shortest_exact_text(value: int) -> None:
    text = e8_to_text(value)
    assert JSON_NUMBER.match(text)
    assert Decimal(text.decode()).scaleb(8) == value
    assert b"." not in text or not text.endswith((b"0", b"."))
    assert len(text) <= 24
    if abs(value) <= INT64_MAX:
        assert e8_from_text(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
@example(0.1 + 0.2)
@example(1776715497.7188172)
@example(0.36920014956066893)
@example(9007199254740993.0)
def test_doubles_survive_their_shortest_text(value: float) -> None:
    text = repr(value).encode()
    assert math.copysign(1, double_from_text(text)) == math.copysign(1, value)
    assert double_from_text(text) == value


@given(plain_texts)
@example(b"9007199254740993")
@example(b"9007199254740992.5")
@example(b"0.1000000000000000055")
@example(b"18446744073709551615")
@example(b"1.0000000000000001110")
def test_doubles_are_correctly_rounded(text: bytes) -> None:
    expected = float(text)
    if (
        len(text) > 32
        or math.isinf(expected)
        or (Decimal(text.decode()) != 0 and abs(expected) < 2.2250738585072014e-308)
    ):
        with pytest.raises(OverflowError):
            double_from_text(text)
    else:
        assert double_from_text(text) == expected


@given(st.integers(2**52, 2**53 - 1), st.integers(0, 10), st.integers(-1, 1))
def test_ties_between_doubles(mantissa: int, decimals: int, nudge: int) -> None:
    # Half way between two neighbours, scaled so that the text has 19 digits at most.
    digits = str((2 * mantissa + 1) * 5 * 10 + nudge)
    if len(digits) > 19:
        return
    cut = len(digits) - 2 - min(decimals, len(digits) - 3)
    text = f"{digits[:cut]}.{digits[cut:]}".encode()
    assert double_from_text(text) == float(text)


@given(st.integers(-5, 2**64 + 5))
def test_unsigned_integers(value: int) -> None:
    text = str(value).encode()
    if 0 <= value < 2**64:
        assert uint64_from_text(text) == value
        assert uint64_to_text(value) == text
    else:
        with pytest.raises((ValueError, OverflowError)):
            uint64_from_text(text)


@pytest.mark.parametrize("text", [b"1.0", b"1e3", b"1.", b"-1", b"1E0"])
def test_integers_have_no_point_and_no_exponent(text: bytes) -> None:
    with pytest.raises(ValueError):
        uint64_from_text(text)


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9))
def test_ticks_are_exact_or_refused(ticks: int, tick_e8: int) -> None:
    assert ticks_from_e8(ticks * tick_e8, tick_e8) == ticks
    if tick_e8 > 1:
        with pytest.raises(ValueError, match="not a multiple"):
            ticks_from_e8(ticks * tick_e8 + 1, tick_e8)


@pytest.mark.parametrize("tick_e8", [0, -1])
def test_a_tick_is_positive(tick_e8: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        ticks_from_e8(1, tick_e8)


@pytest.mark.parametrize("digits", range(1, 21))
def test_writes_integers_of_every_length(digits: int) -> None:
    low, high = 10 ** (digits - 1) - (digits == 1), min(10**digits, 2**64) - 1
    for value in {low, low + 1, high, high - 1, (low + high) // 2, low + (high - low) // 7}:
        assert uint64_to_text(value) == str(value).encode()


@given(st.integers(0, 92233720367), st.integers(0, 10**8 - 1), st.integers(0, 8), st.booleans())
def test_writes_fixed_point_without_superfluous_zeros(whole: int, fraction: int, zeros: int, negative: bool) -> None:
    value = whole * 10**8 + fraction // 10**zeros * 10**zeros
    text = f"{whole}.{value % 10**8:08d}".rstrip("0").rstrip(".")
    expected = f"-{text}" if negative and value else text
    assert e8_to_text(-value if negative else value) == expected.encode()


UNITS = st.integers(1, 10**14) | st.sampled_from([10**n for n in range(15)] + [5 * 10**n for n in range(14)])


@given(units=st.integers(0, INT64_MAX), unit_e8=UNITS, off=st.integers(-2, 2))
@example(units=2**53, unit_e8=1, off=0)
@example(units=2**53 - 1, unit_e8=1, off=0)
@example(units=INT64_MAX, unit_e8=1, off=0)
@example(units=60_000, unit_e8=10**8, off=1)
def test_units_are_whole_or_refused(units: int, unit_e8: int, off: int) -> None:
    value = min(max(units % (INT64_MAX // unit_e8) * unit_e8 + off, 0), INT64_MAX)
    assert units_from_e8(value, unit_e8) == (-1 if value % unit_e8 else value // unit_e8)


@given(value=st.integers(0, INT64_MAX), unit_e8=UNITS)
def test_units_of_any_value(value: int, unit_e8: int) -> None:
    assert units_from_e8(value, unit_e8) == (-1 if value % unit_e8 else value // unit_e8)


def test_units_of_nothing_are_refused() -> None:
    for value, unit_e8 in ((-1, 1), (1, 0), (1, -5)):
        with pytest.raises(ValueError, match="no units"):
            units_from_e8(value, unit_e8)
