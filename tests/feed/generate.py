"""Messages of the hot channels as Hypothesis strategies: usual ones, odd ones, and damaged bytes.

A message is a tree of ``Members`` (pairs in order, so that a name may come twice), lists and ``Text`` (JSON text as
it is).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.feed.codec import INSTRUMENTS


@dataclass(frozen=True)
class Text:
    """A JSON value as text."""

    text: str


@dataclass
class Members:
    """An object."""

    pairs: list[tuple[str, Any]]


def write(value: Any, space: str = "") -> str:
    """The JSON text of a tree."""
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Members):
        return "{" + f",{space}".join(f'"{name}":{space}{write(item, space)}' for name, item in value.pairs) + "}"
    return "[" + f",{space}".join(write(item, space) for item in value) + "]"


def quoted(text: str) -> Text:
    return Text(f'"{text}"')


NASTY = [
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "1e-320", "9" * 400, "0." + "0" * 400 + "1",
    "9007199254740993", "18446744073709551615", "18446744073709551616", "92233720368.54775807",
    "92233720368.54775808", "null", '"1.5"', "true", "false", "[]", "{}", "-0", "-0.0", "0", "0.0", "0e5", "01",
    "+1", ".5", "5.", "1.0", "1e2", "1E+2", "1e-05", "1.5E3", "-1", "-1e-8", "0." + "3" * 30, "1." + "0" * 30,
    "0.00000001", "0.000000001", "0.1234567891", "1e", "1e5.5", "0x1", "1_0", "", " 1", "1783423200000",
    "99999999999", "100000000000", '"\\u0031"', "1.", "--1", "Na", "tru", "nul", "1" * 19, "1" * 20,
    "0.1234567890123456789",
]  # fmt: skip

nasty = st.sampled_from(NASTY).map(Text)
decimals = st.tuples(st.integers(0, 10**10 - 1), st.integers(0, 8), st.booleans())
positive = decimals.map(
    lambda d: Text(f"{d[0] + 1}" if not d[1] else f"{d[0] // 10 ** d[1]}.{d[0] % 10 ** d[1] + 1:0{d[1]}d}")
)
amounts = st.one_of(positive, st.sampled_from(["0", "0.001", "1", "1.25", "0.0"]).map(Text))
# The fast decoder skips no number with a longer exponent.
reals = st.floats(-1e9, 1e9).map(lambda value: Text(repr(value if abs(value) > 1e-90 else 0.0)))
positive_reals = st.floats(1e-9, 1e9).map(lambda value: Text(repr(value)))
times = st.floats(0, 4e9, allow_subnormal=False).map(lambda value: Text(repr(value)))
words = st.sampled_from(
    ["", "x", "mm", "Something new", "caf\u00e9", "a\\\\b", '\\"', "\\u00e9", "\\ud800", "tab\\t"]
).map(quoted)
instruments = st.sampled_from([*INSTRUMENTS, "ETH-PERPETUAL", "BTC-\\u0041", ""]).map(quoted)
sides = st.sampled_from(["buy", "sell"]).map(quoted)
booleans = st.sampled_from(["true", "false"]).map(Text)
identifiers = st.sampled_from(["001BF14D00000003", "1728379719872", "I" * 40, "I" * 41, "", "caf\u00e9"]).map(quoted)


def one_of_words(*known: str) -> st.SearchStrategy[Text]:
    return st.sampled_from([*known, *known, "something_new"]).map(quoted)


def record(required: dict[str, Any], optional: dict[str, Any], odd: bool) -> st.SearchStrategy[Members]:
    """An object; ``odd``: values of wrong types, missing, doubled and unknown members, any order."""

    @st.composite
    def draw_record(draw: Callable[[Any], Any]) -> Members:
        pairs = [(name, draw(value)) for name, value in required.items()]
        for name, value in optional.items():
            if draw(st.booleans()):
                pairs.append((name, draw(st.just(Text("null")) | value)))
        if draw(st.booleans()):
            pairs = draw(st.permutations(pairs))
        for i in range(draw(st.integers(0, 2))):
            pairs.insert(draw(st.integers(0, len(pairs))), (f"unknown{i}", draw(unknowns(odd))))
        if odd and pairs and draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, len(pairs) - 1))
            change = draw(st.integers(0, 3))
            if change == 0:
                pairs[at] = (pairs[at][0], draw(nasty))
            elif change == 1:
                del pairs[at]
            elif change == 2:
                pairs.append(pairs[at])
            else:
                pairs[at] = (draw(st.sampled_from(["", "pric\\u0065", "caf\u00e9", "price", "time"])), pairs[at][1])
        return Members(list(pairs))

    return draw_record()


def unknowns(odd: bool) -> st.SearchStrategy[Any]:
    """A value of a member that nobody knows; ``odd``: with escapes and doubled names."""
    texts = ["", "text", "x\\n"] if odd else ["", "text", "a: [b, {c"]
    names = st.sampled_from("abc") if odd else st.text("abcdefgh", min_size=1)
    unique = None if odd else lambda pair: pair[0]
    return st.recursive(
        st.one_of(reals, positive, booleans, st.just(Text("null")), st.sampled_from(texts).map(quoted)),
        lambda inner: (
            st.lists(inner, max_size=3) | st.lists(st.tuples(names, inner), max_size=3, unique_by=unique).map(Members)
        ),
        max_leaves=5,
    )


def array(*parts: Any, odd: bool = False) -> st.SearchStrategy[Any]:
    """An array of fixed arity; ``odd``: now and then one element more, less or nasty."""

    @st.composite
    def draw_array(draw: Callable[[Any], Any]) -> list[Any]:
        items = [draw(part) for part in parts]
        if odd and draw(st.integers(0, 9)) == 0:
            change = draw(st.integers(0, 2))
            if change == 0:
                items.pop()
            elif change == 1:
                items.append(Text("1"))
            else:
                items[draw(st.integers(0, len(items) - 1))] = draw(nasty)
        return items

    return draw_array()


def tickers(odd: bool) -> st.SearchStrategy[Any]:
    names = (
        "iv",
        "volume_24h",
        "value_24h",
        "low_price_24h",
        "high_price_24h",
        "change_24h",
        "forward",
        "collar_low",
        "collar_high",
    )
    rates = ("open_interest", "funding_rate", "funding_mark", "realised_funding_24h", "average_funding_rate_24h")
    return record(
        {"mark_price": positive_reals, "mark_timestamp": times, "delta": reals, "index": positive_reals},
        {
            "best_bid_price": positive,
            "best_bid_amount": amounts,
            "best_ask_price": positive,
            "best_ask_amount": amounts,
            "last_price": positive,
        }
        | dict.fromkeys(names + rates, reals),
        odd,
    )


def lwts(odd: bool) -> st.SearchStrategy[Any]:
    level = array(positive, amounts, amounts, odd=odd)
    return record({"m": positive_reals}, {"b": level, "a": level, "l": positive, "v": reals}, odd)


def books(odd: bool) -> st.SearchStrategy[Any]:
    prices = st.integers(1, 60).map(lambda price: Text(str(price)))
    levels = st.lists(
        array(prices, amounts, amounts, odd=odd), max_size=4, unique_by=None if odd else lambda level: level[0].text
    )
    trade = array(positive, amounts, sides, times, booleans, odd=odd)
    return record(
        {"time": times},
        {
            "trades": st.lists(trade, max_size=2),
            "bid_changes": levels,
            "ask_changes": levels,
            "total_bid_amount": amounts,
            "total_ask_amount": amounts,
        },
        odd,
    )


def public_trades(odd: bool) -> st.SearchStrategy[Any]:
    names = instruments if odd else st.sampled_from(INSTRUMENTS).map(quoted)
    return st.lists(array(positive, amounts, sides, times, names, booleans, odd=odd), max_size=3)


def orders(odd: bool) -> st.SearchStrategy[Any]:
    ids = identifiers if odd else st.sampled_from(["001BF14D00000003", "17", "I" * 40]).map(quoted)
    fill = record(
        {
            "trade_id": ids,
            "price": positive,
            "amount": positive,
            "maker_taker": st.sampled_from(["maker", "taker"]).map(quoted),
            "leg_index": st.sampled_from("012").map(Text),
        },
        {"time": times},
        odd,
    )
    return record(
        {
            "order_id": ids,
            "order_type": one_of_words("limit", "market"),
            "time_in_force": one_of_words("good_till_cancelled", "immediate_or_cancel"),
            "direction": sides,
            "amount": st.just(Text("20000000000")),
            "filled_amount": amounts,
            "remaining_amount": amounts,
            "status": one_of_words("open", "partially_filled", "cancelled", "cancelled_partially_filled", "filled"),
            "fills": st.lists(fill, max_size=2),
            "change_reason": one_of_words("existing", "insert", "amend", "cancel", "fill"),
            "insert_reason": one_of_words("client_request", "conditional_order", "bot", "liquidation"),
            "create_time": times,
            "persistent": booleans,
        },
        {
            "instrument_name": instruments if odd else st.sampled_from(INSTRUMENTS).map(quoted),
            "price": positive,
            "label": words if odd else st.just(quoted("mm")),
            "client_order_id": st.integers(0, 2**64 - 1).map(lambda number: Text(str(number))),
            "delete_reason": one_of_words("client_cancel", "session_end", "mm_protection", "filled", "replaced"),
            "close_time": times,
            "reduce_only": booleans,
        },
        odd,
    )


def positions(odd: bool) -> st.SearchStrategy[Any]:
    names = instruments if odd else st.sampled_from(INSTRUMENTS).map(quoted)
    marks = (
        "start_price",
        "average_price",
        "unrealised_pnl",
        "realised_pnl",
        "unrealised_perpetual_funding",
        "entry_value",
    )
    line = record(
        {
            "instrument_name": names,
            "position": st.sampled_from(["1", "-0.5", "0", "-2e-3"]).map(Text),
            "mark_price": reals,
        },
        dict.fromkeys(marks, reals),
        odd,
    )
    return st.lists(line, max_size=3)


def indices(odd: bool) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["BTCUSD", "BTCUSD", "ETHUSD"] if odd else ["BTCUSD"]).map(quoted)
    extra = (
        "expiration_print_average",
        "expiration_progress",
        "expected_expiration_price",
        "previous_settlement_price",
    )
    return record(
        {"index_name": names, "price": positive_reals, "timestamp": times}, dict.fromkeys(extra, positive), odd
    )


def replies(odd: bool) -> st.SearchStrategy[Any]:
    codes = st.integers(0, 60).map(lambda code: Text(str(code)))
    message = words if odd else st.just(quoted("price not aligned with tick"))
    error = record({"code": codes, "message": message}, {"side": st.just(quoted("buy")), "price": positive}, odd)
    counts = record({"n_success": codes, "n_fail": codes, "errors": st.lists(error, max_size=2)}, {}, odd)
    ids = st.integers(0, 2**64 - 1).map(lambda number: Text(str(number)))
    result = st.one_of(orders(odd), counts, unknowns(odd))
    body = st.one_of(result.map(lambda value: ("result", value)), error.map(lambda value: ("error", value)))
    return st.tuples(nasty | ids if odd else ids, body).map(lambda parts: Members([("id", parts[0]), parts[1]]))


PAYLOADS: dict[str, Callable[[bool], st.SearchStrategy[Any]]] = {
    "ticker.BTC-PERPETUAL.raw": tickers,
    "ticker.BTC-21APR26-75000-P.1000ms": tickers,
    "lwt.BTC-25DEC26-PERPETUAL.raw": lwts,
    "lwt.BTC-PERPETUAL.100ms": lwts,
    "book.BTC-PERPETUAL.none.all.raw": books,
    "book.BTC-25DEC26-PERPETUAL.none.all.raw": books,
    "recent_trades.BTC-PERPETUAL.single": public_trades,
    "recent_trades.BTCUSD.all": public_trades,
    "session.orders": lambda odd: st.lists(orders(odd), max_size=2),
    "account.portfolio": positions,
    "price_index.BTCUSD": indices,
}
WITH_SNAPSHOT = ("book", "recent_trades", "session.orders", "account.portfolio")


@st.composite
def frames(draw: Callable[[Any], Any], odd: bool) -> bytes:
    """A frame; not ``odd``: the fast decoder's business, though with members in any order and unknown ones among
    them.
    """
    if draw(st.integers(0, 4)) == 0:
        message = draw(replies(odd))
    else:
        channel = draw(st.sampled_from(sorted(PAYLOADS)))
        message = Members([("channel_name", quoted(channel)), ("notification", draw(PAYLOADS[channel](odd)))])
        if channel.startswith(WITH_SNAPSHOT) and draw(st.booleans()):
            message.pairs.append(("snapshot", Text("true")))
        if draw(st.integers(0, 9)) == 0:
            message.pairs.append(("account_number", quoted("A123456789")))
    if odd and draw(st.integers(0, 9)) == 0:
        message.pairs = draw(st.permutations([*message.pairs, ("id", Text("1"))]))
    text = write(message, draw(st.sampled_from(["", "", "", " ", "\n"])) if odd else "")
    return text.encode("utf-8", "surrogatepass")


def damage(frame: bytes, kind: int, at: int, byte: int) -> bytes:
    """One small damage: flip, cut, duplicate, insert or append."""
    at %= max(len(frame), 1)
    if kind == 0 and frame:
        return frame[:at] + bytes([frame[at] ^ (byte or 1)]) + frame[at + 1 :]
    if kind == 1:
        return frame[:at]
    if kind == 2:
        return frame[:at] + frame[at : at + byte] + frame[at:]
    if kind == 3:
        return frame[:at] + bytes([byte]) + frame[at:]
    if kind == 4:
        return frame[:at] + frame[at + byte :]
    return frame + bytes([byte])


damaged = st.tuples(
    frames(odd=False), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4000), st.integers(0, 255)), max_size=3)
)
