"""The venue's facts: names go together and apart, codes and words are complete."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed import as_record, venue
from feed.venue import Action, Delay, ErrorCode, Kind
from tests.shared import ROOT, SAMPLES, needs_samples

EVENTS = (ROOT / "feed" / "events.pxd").read_text()


def enum_of_events(name: str) -> dict[str, int]:
    """An enum of events.pxd, by the names behind the common prefix."""
    body = re.search(rf"cdef enum {name}:\n((?:    .*\n)+)", EVENTS)
    assert body
    return {
        word.split("_", 1)[1]: int(value) for word, value in re.findall(r"^    (\w+) = (\d+)", body[1], re.MULTILINE)
    }


@pytest.mark.parametrize(
    ("enum", "words", "others"),
    [
        ("OrderStatusCode", venue.STATUSES, {"UNKNOWN": 0}),
        ("ChangeReason", venue.CHANGE_REASONS, {"UNKNOWN": 0}),
        ("DeleteReason", venue.DELETE_REASONS, {"NONE": 0, "UNKNOWN": 1}),
    ],
)
def test_words_have_the_codes_of_the_records(enum: str, words: dict[str, int], others: dict[str, int]) -> None:
    assert enum_of_events(enum) == {word.upper(): code for word, code in words.items()} | others


@pytest.mark.parametrize(
    ("enum", "flags"),
    [
        ("Kind", Kind),
        ("TickerHas", as_record.TickerHas),
        ("LwtHas", as_record.LwtHas),
        ("OrderHas", as_record.OrderHas),
        ("ReplyKind", as_record.ReplyKind),
    ],
)
def test_enums_equal_those_of_the_records(enum: str, flags: type) -> None:
    assert enum_of_events(enum) == {flag.name: flag.value for flag in flags}  # type: ignore[attr-defined]


names = st.sampled_from(
    ["BTC-PERPETUAL", "BTC-25DEC26", "ETH-2JAN27", "BTC-25DEC26-120000-C", "BTC-25DEC26-PERPETUAL", "[A:1,B:-1]"]
)


@given(names, st.sampled_from(Delay), st.sampled_from(["none", "1", "0.5", "25"]), st.sampled_from(["all", "5"]))
def test_channel_names_go_together_and_apart(name: str, delay: Delay, grouping: str, levels: str) -> None:
    ticker = venue.parse_channel(venue.ticker(name, delay))
    assert (ticker.kind, ticker.target, ticker.parameters) == (Kind.TICKER, name, (delay.value,))
    lwt = venue.parse_channel(venue.lwt(name, delay))
    assert (lwt.kind, lwt.target) == (Kind.LWT, name)
    book = venue.parse_channel(venue.book(name, delay, grouping, levels))
    assert (book.kind, book.target, book.parameters) == (Kind.BOOK, name, (grouping, levels, delay.value))
    trades = venue.parse_channel(venue.recent_trades(name))
    assert (trades.kind, trades.target, trades.parameters) == (Kind.TRADES, name, ("single",))
    index = venue.parse_channel(venue.price_index("BTCUSD"))
    assert (index.kind, index.target) == (Kind.INDEX, "BTCUSD")


@pytest.mark.parametrize(
    ("name", "kind", "family", "target"),
    [
        ("session.orders", Kind.ORDERS, "session.orders", ""),
        ("account.portfolio", Kind.PORTFOLIO, "account.portfolio", ""),
        ("account.orders", Kind.SLOW, "account.orders", ""),
        ("instruments", Kind.SLOW, "instruments", ""),
        ("instruments.options.BTCUSD.all", Kind.SLOW, "instruments", ""),
        ("lwt_options.BTCUSD.all.1000ms", Kind.SLOW, "lwt_options", "BTCUSD"),
        ("system", Kind.SLOW, "system", ""),
        ("ticker.BTC-PERPETUAL.50ms", Kind.SLOW, "ticker.BTC-PERPETUAL.50ms", ""),
        ("ticker..raw", Kind.SLOW, "ticker..raw", ""),
        ("Ticker.BTC-PERPETUAL.raw", Kind.SLOW, "Ticker.BTC-PERPETUAL.raw", ""),
        ("book.BTC-PERPETUAL.none.raw", Kind.SLOW, "book.BTC-PERPETUAL.none.raw", ""),
        ("recent_trades.BTCUSD.some", Kind.SLOW, "recent_trades.BTCUSD.some", ""),
        ("price_index.", Kind.SLOW, "price_index.", ""),
        ("", Kind.SLOW, "", ""),
    ],
)
def test_channels_of_other_forms(name: str, kind: Kind, family: str, target: str) -> None:
    channel = venue.parse_channel(name)
    assert (channel.name, channel.kind, channel.family, channel.target) == (name, kind, family, target)


@given(st.text(max_size=60))
def test_any_text_is_some_channel(name: str) -> None:
    assert venue.parse_channel(name).name == name


def test_private_channels() -> None:
    assert venue.parse_channel("session.orders").private
    assert venue.parse_channel("mm.rfqs").private
    assert not venue.parse_channel("ticker.BTC-PERPETUAL.raw").private


@pytest.mark.parametrize(
    ("name", "outright", "option"),
    [
        ("BTC-PERPETUAL", True, False),
        ("ETH-2JAN27", True, False),
        ("BTC-25DEC26", True, False),
        ("BTC-25DEC26-PERPETUAL", False, False),
        ("BTC-25DEC26-25SEP26", False, False),
        ("BTC-21APR26-75000-P", False, True),
        ("BTC-21APR26-0.5-C", False, True),
        ("btc-perpetual", False, False),
        ("", False, False),
    ],
)
def test_forms_of_instruments(name: str, outright: bool, option: bool) -> None:
    assert (venue.is_outright(name), venue.is_option(name)) == (outright, option)


def test_error_codes_are_the_protocol_s_and_each_has_an_action() -> None:
    assert sorted(ErrorCode) == list(range(1, 59))
    assert set(venue.ACTIONS) == set(ErrorCode)


@pytest.mark.parametrize(
    ("expected", "codes"),
    [
        (Action.RESYNC, [1, 2, 12]),
        (Action.BACK_OFF, [3, 4, 58]),
        (Action.RETRY_LATER, [10, 20, 37]),
        (Action.RECONNECT, [7, 11, 36, 52]),
        (Action.DROP, [8, 9, 13, 41, 43, 45, 56]),
        (Action.RELOAD, [5, 14, 15]),
        (Action.REARM, [22, 23, 44]),
        (Action.REDUCE, [24, 27, 48, 49, 50, 57]),
        (Action.HALT, [6, 16, 17, 18, 19, 21, 25, 26, 28, *range(29, 36), 38, 39, 40, 42, 46, 47, 51, 53, 54, 55]),
        (Action.HALT, [0, -1, 59, 10**9]),
    ],
)
def test_what_to_do_about_an_error(expected: Action, codes: list[int]) -> None:
    assert {code: venue.action(code) for code in codes} == dict.fromkeys(codes, expected)


def test_labels() -> None:
    assert venue.LABEL_PATTERN.match("A-z_<9>|")
    for label in ("", "two words", "x" * 33, "é", 'a"', "a\n"):
        assert not venue.LABEL_PATTERN.match(label)


def method_names() -> set[str]:
    return {value for name, value in vars(venue.Method).items() if name.isupper()}


@needs_samples
def test_every_sampled_request_has_a_name() -> None:
    text = "".join(path.read_text() for path in Path(SAMPLES).glob("req_*.json"))
    assert set(re.findall(r'"method":"([^"]+)"', text)) <= method_names()
