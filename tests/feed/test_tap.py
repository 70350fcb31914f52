"""The tap and the joiner: what goes in comes out, cut into slots; nothing of a token; a refusal is told."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sim.tape import Act
from feed.frames import ListSink, MessageHandler
from feed.journal import Kind
from feed.tap import SLOT_BYTES, AnswerSink, Joiner, Tap, TapSink
from kernels.ring import RingReader, RingWriter


class Listening(MessageHandler):
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None:
        self.heard.append((message, now_ns, last_in_batch))

    def on_connected(self, now_ns: int) -> None:
        self.heard.append(("connected", now_ns))

    def on_disconnected(self, now_ns: int, reason: str) -> None:
        self.heard.append((reason, now_ns))


class Rig:
    def __init__(self, slots: int = 4096) -> None:
        self.ring = RingWriter("test.tap", "records", slots, SLOT_BYTES)
        self.reader = RingReader(self.ring.name, SLOT_BYTES, oldest=True)
        self.handler = Listening()
        self.tap = Tap(self.handler, self.ring)

    def records(self, joiner: Joiner | None = None) -> list[tuple[int, int, int, bool, bytes]]:
        _, slots = self.reader.read(100_000)
        return (joiner or Joiner()).join(slots.view(np.uint8))


@pytest.fixture
def rig() -> Any:
    made = Rig()
    yield made
    made.ring.close()


def test_kinds_are_the_acts_of_a_tape() -> None:
    assert {act.name: act.value for act in Act}.items() <= {kind.name: kind.value for kind in Kind}.items()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(-(2**63), 2**63 - 1), st.booleans()), max_size=20))
def test_messages_of_any_size_come_out_as_they_went_in(messages: list[tuple[int, int, bool]]) -> None:
    rig = Rig()
    try:
        sent = [(bytes(i % 251 for i in range(size)), now_ns, last) for size, now_ns, last in messages]
        for message in sent:
            rig.tap.on_message(*message)
        assert rig.handler.heard == sent
        got = rig.records()
        assert [(data, now_ns, last) for _, _, now_ns, last, data in got] == sent
        assert [(kind, sequence) for kind, sequence, *_ in got] == [(Kind.MESSAGE, i) for i in range(len(sent))]
    finally:
        rig.ring.close()


def test_an_input_is_recorded_before_the_handler_acts(rig: Rig) -> None:
    seen = []
    rig.handler.on_message = lambda *_: seen.append(rig.ring.published)  # type: ignore[method-assign]
    rig.tap.on_message(b"{}", 5, True)
    assert seen == [1]


def test_connections_outputs_and_refusals(rig: Rig) -> None:
    inner = ListSink()
    sink = TapSink(rig.tap, inner)
    rig.tap.on_connected(7)
    write(sink, b"first")
    inner.blocked = True
    write(sink, b"second")
    rig.tap.on_disconnected(9, "gone \N{SNOWMAN}")
    got = [(Kind(kind), now_ns, data) for kind, _, now_ns, _, data in rig.records()]
    assert got == [
        (Kind.CONNECTED, 7, b""),
        (Kind.OUTPUT, 7, b"first"),
        (Kind.OUTPUT, 7, b"second"),
        (Kind.REFUSED, 7, b""),
        (Kind.DISCONNECTED, 9, "gone \N{SNOWMAN}".encode()),
    ]
    assert inner.sent == [b"first"]
    assert rig.handler.heard == [("connected", 7), ("gone \N{SNOWMAN}", 9)]


def test_a_token_leaves_but_is_not_recorded(rig: Rig) -> None:
    inner = ListSink()
    sink = TapSink(rig.tap, inner)
    rig.tap.token("CANARY.secret.token", 3)
    write(sink, b'{"query":"before"}')
    inner.blocked = True
    write(sink, b'{"token":"CANARY.secret.token"}')
    inner.blocked = False
    write(sink, b'{"token":"CANARY.secret.token"}')
    assert inner.sent == [b'{"query":"before"}', b'{"token":"CANARY.secret.token"}']
    data = [row[4] for row in rig.records()]
    assert b"CANARY" not in b"".join(data)
    assert data[-1] == b'{"token":"(token)"}'


def test_a_joiner_passes_over_what_was_seen_and_stops_at_a_loss(rig: Rig) -> None:
    for i in range(10):
        rig.tap.put(Kind.TIMER, i, b"x" * 700)
    _, slots = rig.reader.read(1000)
    flat = slots.view(np.uint8)
    assert [row[1] for row in Joiner(4).join(flat)] == [4, 5, 6, 7, 8, 9]
    whole = Joiner()
    assert [row[1] for row in whole.join(flat[: 7 * SLOT_BYTES])] == [0, 1, 2]
    assert [row[1] for row in whole.join(flat[7 * SLOT_BYTES :])] == [3, 4, 5, 6, 7, 8, 9]
    assert whole.lost == 0
    torn = Joiner()
    torn.join(flat[: 5 * SLOT_BYTES])
    assert torn.join(flat[8 * SLOT_BYTES :]) == []
    assert torn.lost


def test_a_replayed_sink_refuses_as_the_recorded_one_did(rig: Rig) -> None:
    sink = AnswerSink()
    through = TapSink(rig.tap, sink)
    sink.expect({1})
    for text in (b"a", b"b", b"c"):
        write(through, text)
    assert sink.sent == [b"a", b"b", b"c"]
    assert [Kind(row[0]) for row in rig.records()] == [Kind.OUTPUT, Kind.OUTPUT, Kind.REFUSED, Kind.OUTPUT]


def test_what_does_not_fit_is_refused(rig: Rig) -> None:
    with pytest.raises(ValueError, match="at most"):
        rig.tap.put(Kind.START, 0, bytes(5_000_000))
    other = RingWriter("test.tap", "small", 4, 64)
    with other, pytest.raises(ValueError, match="504"):
        Tap(Listening(), other)


def write(sink: Any, text: bytes) -> None:
    from feed.outbox import Outbox

    outbox = Outbox(sink)
    outbox.submit(0, text, 1)
