"""The fast decoder accepts only what the slow one accepts, and reads it the same."""

import json
from itertools import combinations, permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feed.decode import Decoder
from feed.decode_slow import decode
from feed.messages import Malformed
from feed.symbols import SymbolTable
from tests.feed.codec import CHANNELS, differ, new_decoder
from tests.feed.generate import NASTY, damage, damaged, frames
from tests.shared import SAMPLES, needs_samples

DECODER = new_decoder()
SLOW, TICKER, LWT, BOOK, TRADES, ORDERS, PORTFOLIO, INDEX, REPLY = range(9)

# Replies with more members in one object than the fast decoder compares; all of them are answers to cold requests.
LARGE_REPLIES = ("open_orders", "required_margin_breakdown", "trade_history", "public_ticker")

PRICE = 78_003 * 10**8


def samples() -> list[str]:
    return (
        sorted(path.name for path in SAMPLES.glob("*.json") if not path.name.startswith("req_"))
        if SAMPLES.is_dir()
        else []
    )


@needs_samples
@pytest.mark.parametrize("name", samples())
def test_samples(name: str) -> None:
    frame = (SAMPLES / name).read_bytes().strip()
    kind, accepted = differ(DECODER, frame)
    assert accepted
    message = json.loads(frame)
    if "id" in message:
        hot = message["id"] is not None and not any(name.endswith(f"{large}.json") for large in LARGE_REPLIES)
        assert kind == (REPLY if hot else SLOW)
    else:
        assert bool(kind) == (message["channel_name"] in CHANNELS)


@given(frames(odd=False))
def test_usual_messages_in_any_order_are_decoded_fast(frame: bytes) -> None:
    kind, accepted = differ(DECODER, frame)
    assert accepted, frame
    # A result whose first member does not show what it is goes the slow way.
    order_or_counts = frame.startswith(b'{"id"') and (b'"order_id"' in frame or b'"n_success"' in frame)
    assert kind or order_or_counts, frame


@given(frames(odd=True))
@example(b'{"id":1,"result":{"a":1,"a":2}}')
@example(b'{"id":1,"result":{"a":{"b":1,"b":2}}}')
@example(b'{"id":1,"id":2,"result":null}')
@example(b'{"id":1,"result":null,"error":{"code":1,"message":""}}')
@example(b'{"id":1,"result":' + b"[" * 60 + b"]" * 60 + b"}")
@example(b'{"id":1,"result":1e99999999999999999999}')
@example(b'{"id":1,"result":"\xed\xa0\x80"}')
@example(b'{"id":1,"error":{"code":-1,"message":""}}')
@example(b'{"id":1,"result":{}}')
@example(b'{"id":-0,"result":1}')
@example(b'{"id":1,"result":null,}')
@example(b'{"channel_name":"session.orders","notification":[],"snapshot":true,"snapshot":true}')
@example(b'{"channel_name":"session.orders","notification":[],"notification":[]}')
@example(b'{"channel_name":"session.orders","notification":[],}')
def test_odd_messages_are_never_read_otherwise(frame: bytes) -> None:
    differ(DECODER, frame)


@given(damaged)
def test_damaged_frames_are_never_read_otherwise(case: tuple[bytes, list[tuple[int, int, int]]]) -> None:
    frame, damages = case
    for kind, at, byte in damages:
        frame = damage(frame, kind, at, byte)
    differ(DECODER, frame)


TICKER_FRAME = (
    b'{"channel_name":"ticker.BTC-PERPETUAL.raw","notification":{"mark_price":78003.41,"mark_timestamp":1783423200.5,'
    b'"best_bid_price":78003,"best_bid_amount":0.412,"best_ask_price":78004.5,"best_ask_amount":1.25,"last_price":78003,'
    b'"delta":1,"index":78000.28}}'
)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize(
    "member", [b'"mark_price":78003.41', b'"best_ask_price":78004.5', b'"best_bid_amount":0.412', b'"delta":1']
)
def test_nasty_numbers_in_a_ticker(member: bytes, text: str) -> None:
    name = member.partition(b":")[0]
    differ(DECODER, TICKER_FRAME.replace(member, name + b":" + text.encode()))


def test_every_cut_of_a_frame_is_refused() -> None:
    for size in range(len(TICKER_FRAME)):
        assert differ(DECODER, TICKER_FRAME[:size]) == (SLOW, False)


LIVE_ORDER = (
    b'"mark_price":78003.41',
    b'"mark_timestamp":1783423200.5123',
    b'"best_bid_price":78003',
    b'"best_bid_amount":0.412',
    b'"best_ask_price":78004.5',
    b'"best_ask_amount":1.25',
    b'"last_price":78003',
    b'"iv":0.36920014956066893',
    b'"delta":-0.10629456689577088',
    b'"volume_24h":312.402',
    b'"value_24h":24391822.51',
    b'"low_price_24h":77120',
    b'"high_price_24h":78910',
    b'"change_24h":-410',
    b'"index":78000.2833333',
    b'"forward":78010.25',
    b'"collar_low":76443.34',
    b'"collar_high":79563.48',
    b'"open_interest":98.331',
    b'"funding_rate":0.0',
    b'"funding_mark":-0.11307163',
    b'"realised_funding_24h":-1.20421',
    b'"average_funding_rate_24h":5.1e-06',
)


def live(members: list[bytes] | tuple[bytes, ...], tail: bytes = b"") -> bytes:
    return b'{"channel_name":"ticker.BTC-PERPETUAL.raw","notification":{' + b",".join(members) + b"}" + tail + b"}"


def test_the_live_order_and_every_departure_from_it() -> None:
    assert differ(DECODER, live(LIVE_ORDER)) == (TICKER, True)
    for i, member in enumerate(LIVE_ORDER):
        name = member.partition(b":")[0]
        before, after = list(LIVE_ORDER[:i]), list(LIVE_ORDER[i + 1 :])
        # Cut short, without the member, with it at either end, twice, null, or with an unknown one in front.
        for members in (before, before + after, before + after + [member], [member, *before, *after]):
            differ(DECODER, live(members))
        assert differ(DECODER, live([*LIVE_ORDER, member])) == (SLOW, False)
        assert differ(DECODER, live([*before, member, member, *after])) == (SLOW, False)
        assert differ(DECODER, live([*before, b'"note":[1,{"a":2}]', member, *after])) == (TICKER, True)
        for value in (b"null", b"-0.0", b"0", b"-1", b"12345678.12345678", b"0.123456789012345678", b"99999999999.5"):
            differ(DECODER, live([*before, name + b":" + value, *after]))
            differ(DECODER, live([*before, name + b":" + value]))


@pytest.mark.parametrize("tail", [b"", b',"account_number":"A123456789012345678901234567890"'])
def test_every_byte_of_the_live_order_may_be_wrong(tail: bytes) -> None:
    """With and without room behind the payload, which decides how a name is compared."""
    frame = live(LIVE_ORDER, tail)
    for at in range(len(frame)):
        for byte in b'"0.,}e':
            differ(DECODER, frame[:at] + bytes([byte]) + frame[at + 1 :])
        differ(DECODER, frame[:at] + frame[at + 1 :])
        assert differ(DECODER, frame[:at]) == (SLOW, False)


def test_names_of_members_that_differ_in_one_byte_are_unknown() -> None:
    for member in LIVE_ORDER:
        name = member.partition(b":")[0]
        for at in range(1, len(name) - 1):
            other = name[:at] + b"~" + name[at + 1 :]
            differ(DECODER, live([other + b":1" if each == member else each for each in LIVE_ORDER]))


def test_a_ticker() -> None:
    assert DECODER.decode(TICKER_FRAME) == TICKER
    record = DECODER.record(TICKER)
    assert record["best_bid_e8"] == PRICE
    assert record["best_ask_amount_e8"] == 125_000_000
    assert (record["mark_price"], record["index"], record["delta"]) == (78003.41, 78000.28, 1.0)
    assert record["has"] == 1 | 2 | 4
    assert record["funding_rate"] == 0.0


def test_a_side_needs_price_and_amount() -> None:
    assert DECODER.decode(TICKER_FRAME.replace(b'"best_bid_amount":0.412', b'"best_bid_amount":null')) == TICKER
    assert DECODER.record(TICKER)["has"] == 2 | 4


@pytest.mark.parametrize(
    "change",
    [
        (b'{"channel_name":"', b'{ "channel_name":"'),
        (b'"delta":1,', b'"delta":1, '),
        (b'"delta":1', b'"delta" :1'),
        (b'"delta":1', b'"d\\u0065lta":1'),
        (b'"last_price":78003,', b'"last_price":78003,"note":"caf\xc3\xa9",'),
        (b"}}", b"}}\n"),
    ],
)
def test_odd_but_valid_frames_reach_the_record_through_the_slow_decoder(change: tuple[bytes, bytes]) -> None:
    frame = TICKER_FRAME.replace(*change)
    assert frame != TICKER_FRAME
    assert DECODER.decode(frame) == SLOW
    assert DECODER.load(decode(frame)) == TICKER
    loaded = DECODER.record(TICKER)
    assert DECODER.decode(TICKER_FRAME) == TICKER
    assert DECODER.record(TICKER) == loaded


def test_a_spread_below_zero_is_for_the_slow_decoder_and_a_future_below_zero_for_nobody() -> None:
    frame = b'{"channel_name":"lwt.BTC-25DEC26-PERPETUAL.raw","notification":{"b":[-3.5,1,1],"m":-2.5}}'
    assert DECODER.decode(frame) == SLOW
    assert DECODER.load(decode(frame)) == LWT
    assert DECODER.record(LWT)["bid_e8"] == -350_000_000
    with pytest.raises(Malformed, match="not positive"):
        decode(frame.replace(b"BTC-25DEC26-PERPETUAL", b"BTC-PERPETUAL"))


def levels(count: int) -> str:
    return ",".join(f"[{price},1,1]" for price in range(1, count + 1))


def book_frame(bids: str, asks: str = "") -> bytes:
    payload = f'{{"bid_changes":[{bids}],"ask_changes":[{asks}],"time":1}}'
    return f'{{"channel_name":"book.BTC-PERPETUAL.none.all.raw","notification":{payload}}}'.encode()


def test_a_book_up_to_its_bound_and_beyond() -> None:
    assert differ(DECODER, book_frame(levels(8192))) == (BOOK, True)
    frame = book_frame(levels(8193))
    assert DECODER.decode(frame) == SLOW
    with pytest.raises(Malformed, match="8193 bid changes, more than the bound of 8192"):
        DECODER.load(decode(frame))


def test_a_price_twice_is_refused_near_and_far() -> None:
    for bids in ("[1,1,1],[1,1,1]", "[2,1,1],[1,1,1],[2,0,0]", levels(40) + ",[7,1,1]"):
        assert differ(DECODER, book_frame(bids)) == (SLOW, False)
    shuffled = "[2,1,1],[3,1,1],[1,1,1]"
    assert differ(DECODER, book_frame(shuffled)) == (BOOK, True)
    # Many changes in no order are not compared with each other here.
    assert differ(DECODER, book_frame(levels(40) + ",[41,1,1],[0.5,1,1]")) == (SLOW, True)


USUAL_BOOK = (
    b'{"channel_name":"book.BTC-PERPETUAL.none.all.raw","notification":{"trades":[],"bid_changes":[[59981,0,0],'
    b'[59986.5,0.549,0.549]],"ask_changes":[[59997,12.25,12],[1234567.1234567,0.5,0.50]],"total_bid_amount":10.754,'
    b'"total_ask_amount":0.284,"time":1795000000.182345}'
)
BOOK_NUMBERS = (
    *(
        "0",
        "00",
        "01",
        "7",
        "10",
        "0.0",
        "0.",
        ".5",
        "-1",
        "-0",
        "+1",
        "5e-1",
        "5E1",
        "1e400",
        "0.5.5",
        "1,",
        "null",
        '"1"',
    ),
    *("1234567", "12345678", "123456789.5", "0.1234567", "0.12345678", "0.123456789", "99999999999", "1 ", "1:", "1/"),
    *("1795000000", "1795000000.5", "1795000000.1234567", "1795000000.12345678", "0795000000.1", "9999999999.99999"),
)


@pytest.mark.parametrize("tail", [b"}", b',"snapshot":true}'])
def test_every_byte_of_a_usual_book_may_be_wrong(tail: bytes) -> None:
    frame = USUAL_BOOK + tail
    assert differ(DECODER, frame) == (BOOK, True)
    for at in range(len(frame)):
        for byte in b'"0.,}]e/:':
            differ(DECODER, frame[:at] + bytes([byte]) + frame[at + 1 :])
        differ(DECODER, frame[:at] + frame[at + 1 :])
        differ(DECODER, frame[:at] + b"0" + frame[at:])
        assert differ(DECODER, frame[:at]) == (SLOW, False)


@pytest.mark.parametrize("text", [*NASTY, *BOOK_NUMBERS])
def test_nasty_numbers_in_a_book(text: str) -> None:
    for number in (
        b"59981,",
        b"59986.5,",
        b"0.549,",
        b"0.549]",
        b"12]",
        b"0.50]",
        b"10.754,",
        b"0.284,",
        b"1795000000.182345}",
    ):
        assert USUAL_BOOK.count(number) == 1
        differ(DECODER, USUAL_BOOK.replace(number, text.encode() + number[-1:]) + b"}")


def test_a_book_of_numbers_of_every_length() -> None:
    """Where a number ends decides how many of its bytes are read at once, and nothing else."""
    texts = [
        digits[:whole] + (f".{digits[:behind]}" if behind else "")
        for digits in ("1" * 11, "9" * 11, "10203040506")
        for whole in range(1, 11)
        for behind in range(10)
    ]
    for text in texts:
        for amounts in (f"{text},{text}", f"{text},1", f"1,{text}"):
            for level in (f"[{text},{amounts}]", f"[7,1,1],[{text},{amounts}]"):
                differ(DECODER, book_frame(level))
                differ(DECODER, book_frame("", level + ",[3,1,1],[2,0.25,0.25]"))


def test_a_book_without_members_or_in_another_order() -> None:
    members = (
        b'"trades":[]',
        b'"bid_changes":[[59981,0,0],[59986.5,0.549,0.549]]',
        b'"ask_changes":[[59997,12.25,12]]',
        b'"total_bid_amount":10.754',
        b'"total_ask_amount":0.284',
        b'"time":1795000000.182345',
    )
    head = b'{"channel_name":"book.BTC-PERPETUAL.none.all.raw","notification":{'
    for order in permutations(members):
        assert differ(DECODER, head + b",".join(order) + b"}}") == (BOOK, True)
    for left in range(len(members)):
        for some in combinations(members, left):
            differ(DECODER, head + b",".join(some) + b"}}")
            differ(DECODER, head + b",".join((*some, *some[:1])) + b"}}")


def test_orders_beyond_the_capacity_are_malformed_when_loaded() -> None:
    order = (
        '{"order_id":"1","order_type":"limit","time_in_force":"good_till_cancelled","direction":"buy","amount":1,'
        '"filled_amount":0,"remaining_amount":1,"status":"open","fills":[],"change_reason":"insert",'
        '"insert_reason":"client_request","create_time":1,"persistent":false}'
    )
    for count, kind in ((512, ORDERS), (513, SLOW)):
        frame = f'{{"channel_name":"session.orders","notification":[{",".join([order] * count)}]}}'.encode()
        assert DECODER.decode(frame) == kind
    with pytest.raises(Malformed, match="bound of 512"):
        DECODER.load(decode(frame))


def test_cold_messages_are_not_loaded() -> None:
    for frame in (
        b'{"id":null,"result":1}',
        b'{"id":"a","result":1}',
        b'{"channel_name":"system","notification":{"event":"reconnect"}}',
    ):
        assert DECODER.decode(frame) == SLOW
        assert DECODER.load(decode(frame)) == SLOW


def test_channels_must_be_hot_and_of_known_names() -> None:
    decoder = new_decoder()
    with pytest.raises(ValueError, match="not a channel of the fast decoder"):
        decoder.add_channel("instruments")
    with pytest.raises(ValueError, match="not in the decoder's table"):
        decoder.add_channel("ticker.XRP-PERPETUAL.raw")
    with pytest.raises(ValueError, match="not in the decoder's table"):
        decoder.add_channel("price_index.XRPUSD")
    with pytest.raises(ValueError, match="there already"):
        decoder.add_channel("session.orders")


def test_a_decoder_without_channels_decodes_replies_only() -> None:
    empty = Decoder(SymbolTable(1), SymbolTable(1), SymbolTable(1))
    assert empty.decode(TICKER_FRAME) == SLOW
    assert empty.decode(b'{"id":7,"result":null}') == REPLY
    assert empty.record(REPLY) == {"id": 7, "kind": 1, "error_code": 0, "n_success": 0, "n_fail": 0, "order": None}


def test_a_kind_without_record() -> None:
    for kind in (SLOW, 9, -1):
        with pytest.raises(ValueError, match="no record"):
            DECODER.record(kind)


def test_repeat_counts_what_was_fast() -> None:
    assert DECODER.repeat(TICKER_FRAME, 5) == 5
    assert DECODER.repeat(TICKER_FRAME[:-1], 5) == 0


@given(st.binary(max_size=60))
def test_any_bytes(frame: bytes) -> None:
    differ(DECODER, frame)


def test_a_kept_head_is_believed_byte_by_byte() -> None:
    """What a decoder has kept of a channel's last message never makes it take another channel's for that one's."""
    payload = b'{"trades":[],"total_bid_amount":0.5,"total_ask_amount":0.5,"time":1795000000.25}}'
    names = [name for name in CHANNELS if name.startswith("book.")]
    frames_ = [b'{"channel_name":"%b","notification":%b' % (name.encode(), payload) for name in names]
    kept = new_decoder()
    assert all(len(frame) - 17 > 116 for frame in frames_), "too short for a head to be kept"
    for _ in range(2):
        for frame in frames_:
            assert differ(kept, frame) == (BOOK, True)
    for frame in frames_:
        for at in range(17, frame.index(b":{") + 1):
            for other in (frame[at] ^ 1, frame[at] ^ 32, 0x22, 0x5C, 0x00):
                changed = frame[:at] + bytes([other]) + frame[at + 1 :]
                assert kept.decode(frame) == BOOK
                assert kept.decode(changed) == new_decoder().decode(changed), changed
        for size in range(17, len(frame)):
            assert kept.decode(frame[:size]) == new_decoder().decode(frame[:size])
