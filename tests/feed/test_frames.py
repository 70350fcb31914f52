"""The frame rules as tables: what picows leaves unchecked, and what the handler then sees."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.frames import FrameRules, ListSink, MessageHandler, Sink, valid_utf8

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OK, PEER_CLOSED, VIOLATION, DROPPED = 0, 1, -1, -2


class Recorder(MessageHandler):
    def __init__(self, fail_on: bytes | None = None) -> None:
        self.seen: list[tuple[bytes, int, bool]] = []
        self.ends: list[int] = []
        self.fail_on = fail_on

    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None:
        self.seen.append((message, now_ns, last_in_batch))
        if message == self.fail_on:
            raise RuntimeError("a bug")

    def on_batch_end(self, now_ns: int) -> None:
        self.ends.append(now_ns)

    @property
    def texts(self) -> list[bytes]:
        return [message for message, _, _ in self.seen]


def run(frames, **options):
    recorder = Recorder(options.pop("fail_on", None))
    rules = FrameRules(recorder, **options)
    results = [rules.on_frame(*frame) for frame in frames]
    return recorder, rules, results


EURO = "κόσμε €𐍈".encode()

# (name, frames, close code or 0, messages delivered)
TABLE = [
    ("1.1.1 empty text", [(TEXT, 1, 0, b"")], 0, [b""]),
    ("1.1.6 65535 bytes", [(TEXT, 1, 0, b"*" * 65535)], 0, [b"*" * 65535]),
    ("1.2.5 binary is taken as text", [(BINARY, 1, 0, b'{"id":1}')], 0, [b'{"id":1}']),
    ("2.1 ping", [(PING, 1, 0, b"")], 0, []),
    ("2.4 ping of 125 bytes", [(PING, 1, 0, b"\xfe" * 125)], 0, []),
    ("2.5 ping of 126 bytes", [(PING, 1, 0, b"\xfe" * 126)], 1002, []),
    ("2.7 unsolicited pong", [(PONG, 1, 0, b"x")], 0, []),
    ("3.1 RSV3", [(TEXT, 1, 1, b"a")], 1002, []),
    ("3.2 RSV2 after a good one", [(TEXT, 1, 0, b"a"), (TEXT, 1, 2, b"b")], 1002, [b"a"]),
    ("3.4 RSV1 as compression would", [(TEXT, 1, 4, b"b")], 1002, []),
    ("3.5 RSV on binary", [(BINARY, 1, 5, b"b")], 1002, []),
    ("3.6 RSV on ping", [(PING, 1, 6, b"b")], 1002, []),
    ("3.7 RSV on close", [(CLOSE, 1, 7, b"")], 1002, []),
    *[(f"4.1 opcode {o}", [(TEXT, 1, 0, b"a"), (o, 1, 0, b"b")], 1002, [b"a"]) for o in (3, 4, 5, 6, 7)],
    *[(f"4.2 opcode {o}", [(o, 1, 0, b"b")], 1002, []) for o in (11, 12, 13, 14, 15)],
    ("5.1 fragmented ping", [(PING, 0, 0, b"a")], 1002, []),
    ("5.2 fragmented pong", [(PONG, 0, 0, b"a")], 1002, []),
    ("5.3 two fragments", [(TEXT, 0, 0, b"ab"), (CONT, 1, 0, b"cd")], 0, [b"abcd"]),
    ("5.6 ping between", [(TEXT, 0, 0, b"ab"), (PING, 1, 0, b"p"), (CONT, 1, 0, b"cd")], 0, [b"abcd"]),
    ("5.9 continuation first", [(CONT, 1, 0, b"cd")], 1002, []),
    ("5.11 open continuation first", [(CONT, 0, 0, b"cd"), (TEXT, 1, 0, b"x")], 1002, []),
    ("5.15 continuation after the end", [(TEXT, 0, 0, b"a"), (CONT, 1, 0, b"b"), (CONT, 0, 0, b"c")], 1002, [b"ab"]),
    ("5.18 text inside", [(TEXT, 0, 0, b"a"), (TEXT, 1, 0, b"b")], 1002, []),
    ("5.18 binary inside", [(TEXT, 0, 0, b"a"), (BINARY, 1, 0, b"b")], 1002, []),
    ("6.1.2 empty fragments", [(TEXT, 0, 0, b""), (CONT, 0, 0, b""), (CONT, 1, 0, b"")], 0, [b""]),
    ("6.2.1 valid", [(TEXT, 1, 0, EURO)], 0, [EURO]),
    ("6.2.3 valid, a byte a fragment",
     [(TEXT, 0, 0, EURO[:1]), *[(CONT, 0, 0, EURO[i : i + 1]) for i in range(1, len(EURO))], (CONT, 1, 0, b"")],
     0, [EURO]),
    ("6.3.1 surrogate", [(TEXT, 1, 0, EURO + b"\xed\xa0\x80edited")], 1007, []),
    ("6.3.2 surrogate over fragments", [(TEXT, 0, 0, b"\xed"), (CONT, 1, 0, b"\xa0\x80")], 1007, []),
    ("6.4.1 beyond U+10FFFF", [(TEXT, 0, 0, EURO), (CONT, 1, 0, b"\xf4\x90\x80\x80edited")], 1007, []),
    ("6.6 cut at the end", [(TEXT, 1, 0, b"a" * 16 + b"\xce")], 1007, []),
    ("6.21 overlong", [(TEXT, 1, 0, b"\xc0\xaf")], 1007, []),
    ("7.1.1 text then close", [(TEXT, 1, 0, b"a"), (CLOSE, 1, 0, b"\x03\xe8")], 0, [b"a"]),
    ("7.1.2 two closes", [(CLOSE, 1, 0, b"\x03\xe8"), (CLOSE, 1, 0, b"\x03\xe8")], 1002, []),
    ("7.1.3 ping after close", [(CLOSE, 1, 0, b""), (PING, 1, 0, b"")], 0, []),
    ("7.1.4 text after close", [(CLOSE, 1, 0, b"\x03\xe8"), (TEXT, 1, 0, b"a")], 1002, []),
    ("7.1.5 close inside a message", [(TEXT, 0, 0, b"a"), (CLOSE, 1, 0, b""), (CONT, 1, 0, b"b")], 1002, []),
    ("7.3.1 empty close", [(CLOSE, 1, 0, b"")], 0, []),
    ("7.3.2 half a code", [(CLOSE, 1, 0, b"\x03")], 1002, []),
    ("7.3.5 close of 125 bytes", [(CLOSE, 1, 0, b"\x03\xe8" + b"*" * 123)], 0, []),
    ("7.3.6 close of 126 bytes", [(CLOSE, 1, 0, b"\x03\xe8" + b"*" * 124)], 1002, []),
    ("7.5.1 reason not UTF-8", [(CLOSE, 1, 0, b"\x03\xe8\xce\xba\xe1\xbd")], 1007, []),
    *[(f"7.7 code {c}", [(CLOSE, 1, 0, c.to_bytes(2, "big"))], 0, [])
      for c in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)],
    *[(f"7.9 code {c}", [(CLOSE, 1, 0, c.to_bytes(2, "big"))], 1002, [])
      for c in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)],
]  # fmt: skip


@pytest.mark.parametrize(("frames", "close_code", "texts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_conformance(frames, close_code, texts):
    recorder, rules, results = run(frames)
    assert recorder.texts == texts
    assert rules.close_code == close_code
    assert rules.poisoned == (close_code != 0)
    assert (results[-1] == VIOLATION or VIOLATION in results) == (close_code != 0)


@pytest.mark.parametrize(
    ("frames", "close_code"), [row[1:3] for row in TABLE if row[2]], ids=[r[0] for r in TABLE if r[2]]
)
def test_nothing_is_delivered_after_the_first_violation(frames, close_code):
    recorder, rules, _ = run(frames)
    before = len(recorder.seen)
    reason = rules.reason
    for later in [(TEXT, 1, 0, b"late"), (CONT, 1, 0, b"late"), (PING, 1, 0, b""), (CLOSE, 1, 0, b"\x03\xe8")]:
        assert rules.on_frame(*later) == DROPPED
    assert len(recorder.seen) == before
    assert (rules.close_code, rules.reason) == (close_code, reason)


def test_an_exception_of_the_handler_poisons():
    frames = [(TEXT, 1, 0, b"good"), (TEXT, 1, 0, b"bad"), (TEXT, 1, 0, b"more")]
    recorder, rules, results = run(frames, fail_on=b"bad")
    assert recorder.texts == [b"good", b"bad"]
    assert results == [OK, VIOLATION, DROPPED]
    assert rules.close_code == 1011
    assert isinstance(rules.error, RuntimeError)


def test_close_tells_code_and_reason():
    _, rules, results = run([(CLOSE, 1, 0, (1012).to_bytes(2, "big") + b"restart")])
    assert results == [PEER_CLOSED]
    assert (rules.peer_code, rules.reason) == (1012, "restart")


@pytest.mark.parametrize(("size", "code"), [(64, 0), (65, 1009)])
@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_message_is_bounded_however_it_is_cut(size, code, pieces):
    text = b"x" * size
    cuts = [text[size * i // pieces : size * (i + 1) // pieces] for i in range(pieces)]
    frames = [(CONT if i else TEXT, i == pieces - 1, 0, cut) for i, cut in enumerate(cuts)]
    recorder, rules, _ = run(frames, message_bytes_max=64)
    assert rules.close_code == code
    assert recorder.texts == ([] if code else [text])


def test_the_bound_holds_for_each_message_anew():
    frames = [(TEXT, 0, 0, b"x" * 60), (CONT, 1, 0, b"")] * 3
    recorder, rules, _ = run(frames, message_bytes_max=64)
    assert len(recorder.seen) == 3 and not rules.poisoned


def test_a_flood_of_empty_continuations_ends():
    frames = [(TEXT, 0, 0, b"")] + [(CONT, 0, 0, b"")] * 99
    recorder, rules, _ = run(frames, fragments_max=10)
    assert rules.close_code == 1009
    assert rules.dropped == 100 - 11
    assert recorder.seen == []


def test_the_end_of_a_batch_is_told_once():
    """A read that ends in a ping or in half a message must still lead to a decision."""
    recorder, rules, _ = run([])
    rules.on_frame(TEXT, True, 0, b"a", 1, False)
    rules.on_frame(PING, True, 0, b"", 1, True)
    assert recorder.ends == [1]
    rules.on_frame(TEXT, True, 0, b"b", 2, False)
    rules.on_frame(TEXT, False, 0, b"c", 2, True)
    assert recorder.ends == [1, 2]
    rules.on_frame(CONT, True, 0, b"d", 3, False)
    rules.on_frame(TEXT, True, 0, b"e", 3, True)
    rules.on_frame(PING, True, 0, b"", 4, True)
    assert recorder.ends == [1, 2]
    assert recorder.seen[-1] == (b"e", 3, True)


def test_an_exception_at_the_end_of_a_batch_poisons():
    class Fails(Recorder):
        def on_batch_end(self, now_ns: int) -> None:
            raise ValueError("a bug")

    rules = FrameRules(Fails())
    rules.on_frame(TEXT, True, 0, b"a", 1, False)
    assert rules.on_frame(PING, True, 0, b"", 1, True) == VIOLATION
    assert rules.close_code == 1011


@given(st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_utf8_agrees_with_the_standard_library_on_bytes(data):
    assert valid_utf8(data) == _decodes(data)


@given(st.text(max_size=20), st.integers(0, 80), st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_utf8_agrees_with_the_standard_library_near_valid_text(text, position, byte):
    data = bytearray(text.encode())
    assert valid_utf8(bytes(data))
    if position < len(data):
        data[position] = byte
    assert valid_utf8(bytes(data)) == _decodes(bytes(data))


def test_utf8_every_two_and_three_byte_head():
    for first in range(0x80, 0x100):
        for second in range(256):
            for tail in (b"", b"\x80", b"\x80\x80", b"\xbf\xbfA"):
                data = bytes((first, second)) + tail
                assert valid_utf8(data) == _decodes(data)


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


frames_strategy = st.lists(
    st.tuples(
        st.sampled_from([CONT, TEXT, BINARY, CLOSE, PING, PONG, 3, 11]),
        st.booleans(),
        st.sampled_from([0, 0, 0, 0, 0, 1, 4]),
        st.one_of(st.just(b""), st.just(b"abc"), st.just(b"\xce"), st.just(b"\xba"), st.just(b"\x03\xe8")),
    ),
    max_size=12,
)


@given(frames_strategy)
@settings(max_examples=400, deadline=None)
def test_against_the_slow_twin(frames):
    recorder, rules, _ = run(frames)
    texts, code = slow_twin(frames)
    assert recorder.texts == texts
    assert rules.close_code == code


def slow_twin(frames) -> tuple[list[bytes], int]:
    """RFC 6455, said plainly."""
    texts: list[bytes] = []
    parts: list[bytes] | None = None
    closed = False
    for opcode, fin, rsv, payload in frames:
        if rsv or opcode not in (CONT, TEXT, BINARY, CLOSE, PING, PONG):
            return texts, 1002
        if opcode >= CLOSE:
            if not fin or len(payload) > 125:
                return texts, 1002
            if opcode == CLOSE:
                if closed or len(payload) == 1:
                    return texts, 1002
                if payload:
                    code = int.from_bytes(payload[:2], "big")
                    if code not in range(3000, 5000) and code not in {*range(1000, 1004), *range(1007, 1015)}:
                        return texts, 1002
                closed = True
            continue
        if closed or (opcode == CONT) != (parts is not None):
            return texts, 1002
        parts = [*(parts or []), payload]
        if fin:
            if not _decodes(b"".join(parts)):
                return texts, 1007
            texts.append(b"".join(parts))
            parts = None
    return texts, 0


def test_sinks():
    sink = ListSink()
    assert sink.sent == [] and not sink.blocked
    sink.close("done")
    assert sink.closed == ["done"] and sink.blocked
    Sink().close("never connected")


def test_the_default_handler_refuses_messages():
    rules = FrameRules(MessageHandler())
    assert rules.on_frame(TEXT, True, 0, b"a") == VIOLATION
    assert isinstance(rules.error, NotImplementedError)
