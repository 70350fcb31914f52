"""The bench measures what it says: every tick answered, the references' answers right, nothing allocated."""

import json
import re
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from engine.bench import flood, in_process, loopback, machine, sdk, sharing, suite, tapes
from engine.bench.allocations import allocator_calls
from engine.bench.figures import Rounds, Row, ratio, table
from engine.bench.flood_sender import Flood
from engine.bench.harness import CountingSink, Player, clock_cost_ns
from engine.bench.mover import RANGE_TICKS
from engine.bench.numbered import Numbered, tail
from engine.bench.reference import OrjsonNjit, PlainPython, time_handler
from engine.cli.bench import command
from engine.sim.tape import Act, Tape
from feed.frames import FrameRules, ListSink, MessageHandler
from kernels.ring import RingReader, RingWriter


@pytest.fixture(scope="module")
def session() -> tapes.Session:
    return tapes.moving(300)


def test_every_move_of_the_price_is_answered_at_once(session: tapes.Session) -> None:
    answered = 0
    for i in range(session.live_at, len(session.sent)):
        entry = session.tape.inputs[i]
        moves = entry.act is Act.MESSAGE and tapes.kind_of(entry.data) == "book"
        before = session.tape.inputs[i - 1]
        if moves and tapes.kind_of(before.data) != "session":
            assert len(session.sent[i]) == 1, "a book message of the crowd moves the price"
            assert session.sent[i][0].startswith(b'{"method":"private/mass_quote"')
            answered += 1
    assert answered > 270


def test_signals_act_while_it_is_measured(session: tapes.Session) -> None:
    core, _ = in_process.live_core(session, Player(session.tape))
    assert not np.any(core.instruments[0].records()["forecast"]["weight"]), "nothing is learnt before the first quotes"
    player = Player(session.tape)
    core, _ = in_process.live_core(session, player)
    player.play(core, session.live_at, player.count)
    records = core.instruments[0].records()
    assert np.any(records["forecast"]["weight"])
    assert 0.0 < abs(records["market"]["alpha_usd"]) < core.instruments[0].records()["settings"]["tick_usd"]


def test_the_price_keeps_to_its_range(session: tapes.Session) -> None:
    mids = [
        (n["best_bid_price"] + n["best_ask_price"]) / 2
        for tick in in_process.tickers(session)
        for n in [orjson.loads(tick.frame)["notification"]]
    ]
    assert max(abs(mid - tapes.START_USD) for mid in mids) <= RANGE_TICKS
    assert len(set(mids)) > 20


def test_one_book_message_does_what_two_do() -> None:
    head = b'{"channel_name":"book.X.none.all.raw","notification":'
    first = head + b'{"bid_changes":[[10,1,1],[9,2,2]],"total_bid_amount":3,"total_ask_amount":0,"time":1}}'
    second = (
        head
        + b'{"bid_changes":[[10,0,0]],"ask_changes":[[12,5,5]],"total_bid_amount":2,"total_ask_amount":5,"time":1}}'
    )
    reply = b'{"id":1,"result":null}'
    reads = tapes.gathered([first, reply, second])
    assert reads[1:] == [[reply]]
    assert orjson.loads(reads[0][0])["notification"] == {
        "bid_changes": [[10, 0, 0], [9, 2, 2]],
        "ask_changes": [[12, 5, 5]],
        "total_bid_amount": 2,
        "total_ask_amount": 5,
        "time": 1,
    }


def test_the_harness_counts_the_session_s_requests(session: tapes.Session) -> None:
    player, core, sink = Player(session.tape), session.core(), CountingSink()
    core.attach(sink)
    ns, sent, busy = (np.zeros(player.count, np.int64) for _ in range(3))
    player.measure(core, sink, 0, player.count, ns, sent, busy)
    assert sent.tolist() == [len(texts) for texts in session.sent]
    assert sink.bytes_out == sum(len(text) for texts in session.sent for text in texts)
    is_message = np.array([entry.act is Act.MESSAGE for entry in session.tape.inputs])
    assert (ns[is_message] > 0).all() and (ns[~is_message] == 0).all()
    assert (ns <= busy).all() and (ns == busy)[sent == 0].all() and (ns < busy)[(sent > 0) & is_message].all()


def test_the_harness_refuses_what_it_cannot_hold(session: tapes.Session) -> None:
    player, core, sink = Player(session.tape), session.core(), CountingSink()
    with pytest.raises(ValueError, match="inputs 0 to"):
        player.play(core, 0, player.count + 1)
    with pytest.raises(ValueError, match="inputs 5 to 4"):
        player.time_messages(core, 5, 4)
    short = np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="arrays of"):
        player.measure(core, sink, 0, 1, short, short, short)
    tape = Tape()
    tape.record(Act.MESSAGE, 1, b" " * (1024 * 1024 + 1))
    with pytest.raises(ValueError, match="more than"):
        Player(tape)


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_no_block_is_allocated_over_a_hundred_thousand_messages(mode: tapes.Mode) -> None:
    kept, messages = in_process.blocks(tapes.moving(400, mode), 100_000)
    assert messages >= 100_000
    assert kept == 0


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_no_tick_asks_an_allocator_for_memory(mode: tapes.Mode) -> None:
    made = tapes.moving(200, mode)
    player = Player(made.tape)
    core, _ = in_process.live_core(made, player)
    calls = np.array(allocator_calls(player, core, made.live_at, player.count))
    kinds = in_process.message_kinds(made)[made.live_at :]
    for kind in ("book", "ticker", "lwt"):
        assert (kinds == kind).sum() > 150
        assert calls[kinds == kind].sum() == 0
    assert np.median(calls[kinds == "reply"]) == np.median(calls[kinds == "session"]) == 0
    assert (calls[kinds == "account"] > 0).all(), "the count sees what becomes Python objects"
    with pytest.raises(ValueError, match="of a tape"):
        allocator_calls(player, core, 1, 0)


def test_the_count_of_blocks_sees_what_is_kept(session: tapes.Session) -> None:
    player = Player(session.tape)
    core, _ = in_process.live_core(session, player)
    core.attach(sink := ListSink())
    kept, _ = player.blocks(core, session.live_at, player.count)
    assert kept >= len(sink.sent) > 200, "a sink that keeps every request costs a block each"


def test_the_references_answer_with_the_core_s_quotes(session: tapes.Session) -> None:
    player = Player(session.tape)
    core, _ = in_process.live_core(session, player)
    player.play(core, session.live_at, player.count)
    records, tick = core.instruments[0].records(), in_process.tickers(session)[-1]
    ours = orjson.loads(next(texts[0] for texts in reversed(session.sent) if texts))["params"]["quotes"][0]
    for handler in (OrjsonNjit(tapes.INSTRUMENT, records), PlainPython(tapes.INSTRUMENT, records)):
        theirs = orjson.loads(handler(tick.frame, tick.now_ns))["params"]["quotes"][0]
        for side in ("b", "a"):
            assert len(theirs[side]) == 3
            for level, (price, amount) in zip(ours[side], theirs[side], strict=True):
                # The plain model has an estimate of sigma of its own, and sizes go by sigma.
                assert abs(price - level[0]) < 60 and amount == pytest.approx(level[1], rel=0.1)
    assert (time_handler(OrjsonNjit("X", records), [tick] * 5) > 0).all()


def test_the_rig_sends_the_tape_s_bytes_and_notices_others(session: tapes.Session) -> None:
    with loopback.Rig(tapes.moving(40)) as rig:
        found = rig.measure(False, 1, with_sdk=True)
        encrypted = rig.measure(False, 1, tls=True)
    assert found.core.n == found.echo.n == found.floor.n == encrypted.core.n == encrypted.echo.n > 15
    assert found.sdk.n > 15 and not encrypted.floor.rounds
    with loopback.Rig(tapes.moving(40, "orders")) as rig:
        assert rig.measure(False, 1).core.n > 15
    right = tapes.moving(40)
    texts = list(right.sent)
    at = next(i for i in range(right.live_at, len(texts)) if texts[i])
    texts[at] = (texts[at][0].replace(b"mass_quote", b"mass_query"),)
    with (
        loopback.Rig(replace(right, sent=tuple(texts))) as rig,
        pytest.raises(loopback.RigFailed, match="1 requests were not those expected"),
    ):
        rig.measure(False, 1)


def test_a_missing_sdk_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise sdk.PackageNotFoundError(name)

    monkeypatch.setattr(sdk, "version", absent)
    why = sdk.missing()
    assert why is not None and "pip install thalex" in why
    with loopback.Rig(tapes.moving(40)) as rig:
        assert not rig.measure(False, 1, with_sdk=True).sdk.rounds


def test_figures_are_those_of_the_best_round() -> None:
    slow, fast = Rounds(), Rounds()
    slow.add(np.array([40, 40, 50]))
    slow.add(np.array([20, 30, 30]))
    fast.add(np.array([10, 10, 10]))
    assert slow.best(50) == 30 and slow.n == 6
    assert slow.typical(100) == 40 and slow.typical(0) == 30
    assert ratio(slow, fast) == 3.0
    with pytest.raises(ValueError, match="without a value"):
        slow.add(np.array([], np.int64))
    shown = table([Row("x", slow, "y", 3.0, "<= 1", False), Row("y", fast)])
    assert "missed" in shown and "3.000" in shown


def test_a_ratio_above_its_baseline_is_a_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import conftest as checks

    monkeypatch.setattr(checks, "baseline", lambda: {"x": {"ratio": 0.5, "tolerance": 0.1}})
    rows: list[Any] = []
    config = SimpleNamespace(stash={checks.ROWS: rows}, getoption=lambda _: False)
    race = checks.Race(cast(pytest.Config, config), SimpleNamespace(disabled=False, extra_info={}))
    ours, theirs, slowed = Rounds(), Rounds(), Rounds()
    ours.add(np.array([54]))
    theirs.add(np.array([100]))
    slowed.add(np.array([56]))
    race.judge("x", ours, theirs, "y")
    with pytest.raises(AssertionError, match="baseline"):
        race.judge("x", slowed, theirs, "y")
    assert [row.verdict for _, row in rows] == ["ok", "missed"]


def test_a_baseline_of_another_interpreter_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import conftest as checks

    monkeypatch.setattr(checks, "interpreter", checks.kept_for)
    assert checks.baseline().keys() >= {"step.mass_quote", "decode.book"}
    monkeypatch.setattr(checks, "interpreter", lambda: "another")
    assert checks.baseline() == {}


def test_the_command_prints_one_object() -> None:
    result = CliRunner().invoke(command, ["--quick", "--rounds", "1", "--json"])
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if report["ok"] else 1), result.output
    assert 0 < report["ratios"]["in_process_vs_orjson_njit"] < 1
    assert report["blocks_per_tick"] == 0
    assert report["ticks_per_s"]["burst"] > 1_000 and report["ticks_per_s"]["answered"] > 1_000
    assert report["latency_ns"]["tick_to_request"]["p50"] > 0
    assert report["ratios"]["loopback_vs_echo_blocking"] > 0
    assert report["ratios"]["loopback_vs_echo"] is None or report["ratios"]["loopback_vs_echo"] > 0
    assert report["machine"] == machine.facts() | {"load": report["machine"]["load"]}


def test_the_command_prints_a_table() -> None:
    small = suite.run(suite.Size(ticks=60, rounds=1, loopback_ticks=60, blocks_messages=200))
    assert "tick to request bytes" in small.text() and "orjson + njit" in small.text()
    assert 0 < clock_cost_ns(100) < 10_000


class Taker(MessageHandler):
    """Takes whatever comes."""

    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None:
        assert message.endswith(b"}")


def numbered_after(numbers: Iterable[int]) -> Numbered:
    """A handler that took these, two a read, and one message without a number."""
    handler = Numbered(Taker())
    rules = FrameRules(handler)
    for number in numbers:
        rules.on_frame(1, True, 0, b'{"x":1' + tail(number, time.monotonic_ns()), 1, number % 2 == 0)
    rules.on_frame(1, True, 0, b'{"id":7,"result":null}', 1, True)
    return handler


def test_numbered_messages_show_what_is_missing_and_how_late() -> None:
    handler = numbered_after((0, 1, 2, 5, 6, 4))
    assert handler.received == 6 and handler.misplaced == 2 and handler.largest_batch == 2
    assert handler.lag.count == 6 and handler.lag.as_dict()["max"] < 1e9


def test_the_sender_adds_the_latest_market_data_and_never_a_snapshot() -> None:
    sender = Flood(10.0, 1.0)
    lwt = b'{"channel_name":"lwt.X.raw","notification":{"b":[1,2,3]}}'
    for n, more in ((1, b""), (2, b""), (3, b',"snapshot":true')):
        sender.note(b'{"channel_name":"ticker.X.raw","notification":{"mark_price":%d}%s}' % (n, more))
    assert not sender.began.is_set()
    sender.note(lwt)
    assert sender.began.is_set()
    frame = sender.frame(6)
    assert frame[:2] == bytes((0x81, len(frame) - 2))
    told = orjson.loads(frame[2:])
    assert told["notification"] == {"mark_price": 2} and told["n"] == 1_000_000_006
    assert orjson.loads(sender.frame(7)[2:])["notification"] == {"b": [1, 2, 3]}


def test_a_flood_with_anything_lost_or_piled_up_is_not_ok() -> None:
    handler = numbered_after(range(10))
    status = {"counters": {"malformed": 0}, "quotes_sent": 1, "decisions": 1}
    fine = flood.Flooded(10.0, 10, 1.0, 0, 0, handler, status, True)
    assert fine.ok and fine.report()["lost"] == 0 and "lost 0" in fine.text()
    changes: list[dict[str, Any]] = [
        {"sent": 11},
        {"seconds": 1.1},
        {"buffered_bytes_max": flood.BUFFERED_BYTES_MAX + 1},
        {"clean": False},
        {"status": status | {"quotes_sent": 0}},
        {"status": status | {"counters": {"malformed": 1}}},
    ]
    for change in changes:
        worse = replace(fine, **change)
        assert not worse.ok and "missed" in worse.text(), change


def test_a_count_beyond_a_percent_is_slower_and_another_build_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import instructions

    assert not instructions.Count("x", 100.9, 100.0).slower and instructions.Count("x", 101.1, 100.0).slower
    assert not instructions.Count("x", 5.0, None).slower and "no baseline" in str(instructions.Count("x", 5.0, None))
    kept: dict[str, Any] = {"build": instructions.build(), "counts": {"x": 100.0}}
    monkeypatch.setattr(instructions, "baseline", lambda: kept)
    assert instructions.another_build() is None
    assert [one.slower for one in instructions.compared({"x": 105.0, "y": 1.0})] == [True, False]
    kept["build"]["compiler"] = "tcc"
    assert "instead of tcc" in str(instructions.another_build())


def test_records_handed_over_are_timed_and_those_lost_are_counted() -> None:
    with RingWriter("quoter.test.sharing", "bench", 64, sharing.RECORD_BYTES) as ring:
        reader = RingReader(ring.name, sharing.RECORD_BYTES)
        took = sharing.push(ring, 50, 1_000)
        handed = sharing.pull(reader, 50, 10**9)
        assert len(took) == len(handed) == 50 and (took > 0).all() and (handed > 0).all()
        assert sharing.push(ring, 100_000)[0] < 1_000_000
        assert 0 < len(sharing.pull(reader, 1_000, 10**7)) <= 64
        assert reader.lost + 50 + 64 >= 100_000


def test_the_instructions_told_are_those_of_the_baseline() -> None:
    from benchmarks import instructions

    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    told = re.search(r"\| \| instructions \|\n\|---\|---\|\n((?:\|.*\n)+)", text)
    assert told is not None
    counts = {f"{round(count):,}" for count in instructions.baseline()["counts"].values()}
    shown = [row.split("|")[2].strip() for row in told[1].splitlines()]
    assert len(shown) > 10 and set(shown) <= counts
