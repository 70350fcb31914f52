"""What simulated runs once found wrong in the core, each in the plainest world that shows it."""

import re
from itertools import pairwise
from random import Random

import orjson
import pytest

from engine.core.step import Core
from engine.sim.market import HostileMarket
from engine.sim.options import LISTED
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from kernels.kept import addresses
from tests.engine.simulated import SECOND_NS, START_NS, plan, run, world

PERPETUAL = "BTC-PERPETUAL"
ORDERS = b'{"channel_name":"session.orders"'


def act(w: World, name: str) -> None:
    w.core.operator(name, w.now_ns)
    w.flush()


def account(w: World) -> str:
    (number,) = w.exchange.accounts
    return number


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_set_up_waits_for_nothing_but_its_answers(mode: str) -> None:
    w = world(1, mode=mode)
    assert run(w, 0.3)["session"] == "LIVE"


def test_a_new_process_starts_from_the_position_it_finds() -> None:
    w = world(2)
    while not w.exchange.accounts or not w.exchange.position(account(w), PERPETUAL):
        run(w, 5)
    w.cut("killed")
    w.core = Core(w.plan, addresses())
    w.core.attach(w.sink)
    held = w.exchange.position(account(w), PERPETUAL)
    w.reconnect()
    w.run(w.now_ns + SECOND_NS // 20)
    status = w.core.status()
    assert status["position"][PERPETUAL] == pytest.approx(held) != 0
    assert status["fees_usd"] == 0 and status["counters"]["missed_lots"] == 0
    assert run(w, 10)["mode"] == "ACTIVE"


def test_no_timer_is_due_in_the_past_while_not_connected() -> None:
    w = world(3)
    run(w, 5)
    act(w, "halt")
    run(w, 1)
    w.cut("test")
    for _ in range(5):
        w.now_ns += 5 * SECOND_NS
        w.core.on_timer(w.now_ns)
        assert w.core.deadline_ns > w.now_ns


def test_a_halt_ends_with_its_connection_and_its_resume() -> None:
    w = world(4)
    run(w, 5)
    act(w, "halt")
    w.cut("before the answers came")
    w.reconnect()
    run(w, 2)
    act(w, "resume")
    # World.run raises when the core gives the connection up.
    status = run(w, 15)
    assert status["mode"] == "ACTIVE" and status["connections"] == 2 and status["orders_believed"] > 0


def test_nothing_is_resumed_after_a_stop() -> None:
    w = world(5)
    run(w, 5)
    act(w, "stop")
    with pytest.raises(ValueError, match="stopping"):
        act(w, "resume")
    run(w, 1)
    assert w.core.stopped and not w.exchange.open_orders(account(w))


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_stop_leaves_the_orders_of_others_alone(mode: str) -> None:
    w = world(6, mode=mode)
    run(w, 5)
    person = w.exchange.connect(lambda data: None, w.now_ns)
    params = {"direction": "buy", "instrument_name": PERPETUAL, "amount": 0.001, "price": 59_000}
    for method, told in (("public/login", {"token": w.token(w.now_ns / 1e9 + 1)}), ("private/insert", params)):
        person.receive(orjson.dumps({"method": method, "params": told, "id": 1}), w.now_ns)
    act(w, "stop")
    run(w, 1)
    (left,) = w.exchange.open_orders(account(w))
    assert left.session is person and w.core.stopped and w.core.orders_left == 0


def test_a_trade_of_somebody_else_is_asked_about_and_then_halts() -> None:
    w = world(7)
    run(w, 5)
    sent: list[bytes] = []
    w.on_outbound = lambda now_ns, text: sent.append(text)
    person = w.exchange.connect(lambda data: None, w.now_ns)
    params = {
        "direction": "buy",
        "instrument_name": PERPETUAL,
        "amount": 0.01,
        "order_type": "market",
        "time_in_force": "immediate_or_cancel",
    }
    for method, told in (("public/login", {"token": w.token(w.now_ns / 1e9 + 1)}), ("private/insert", params)):
        person.receive(orjson.dumps({"method": method, "params": told, "id": 1}), w.now_ns)
    assert run(w, 2)["mode"] == "ACTIVE"
    status = run(w, 5)
    assert status["mode"] == "HALTED" and "by the venue" in status["halt_reason"]
    assert sum(b'"private/portfolio"' in text for text in sent) == 3
    assert not w.exchange.open_orders(account(w))


def test_orders_settle_although_an_answer_comes_before_the_last_one_has_settled() -> None:
    market = HostileMarket(LISTED[:1], Random(8), SECOND_NS // 10, True)
    told = plan(mode="mass_quote", requote_ticks=0, requote_bps=0.0)
    w = World(told, Exchange(market, seed=8), throwaway_key().token, START_NS)
    run(w, 5)
    sent: list[int] = []
    w.on_outbound = lambda now_ns, text: sent.append(now_ns) if b"mass_quote" in text else None
    # A level of which no report ever comes: the venue took it for one that rested already.
    w.core.table.take(0, 1, 1000, 1, w.now_ns)
    status = run(w, 4)
    assert max(later - earlier for earlier, later in pairwise(sent)) < SECOND_NS
    assert 1000 not in [order["price_ticks"] for order in w.core.table.orders()]
    assert status["orders_believed"] > 0


def test_what_must_go_goes_without_a_message_that_the_venue_would_count_too_much() -> None:
    w = world(9, mode="mass_quote")
    run(w, 5)
    sent: list[tuple[int, bytes]] = []
    spoiled: list[int] = []
    w.on_outbound = lambda now_ns, text: sent.append((now_ns, text))
    w.core.outbox.set_message_rate(1)

    def spoil(messages: list[bytes]) -> list[list[bytes]]:
        """Make one book inconsistent, shortly after the only message of its second has left."""
        if not spoiled and sent and w.now_ns - sent[-1][0] < SECOND_NS // 2 and b"private/mass_quote" in sent[-1][1]:
            for i, data in enumerate(messages):
                if data.startswith(b'{"channel_name":"book.'):
                    messages[i] = re.sub(rb'"total_bid_amount":[0-9.]+', b'"total_bid_amount":123456', data)
                    spoiled.append(w.now_ns)
                    break
        return [messages]

    w.reads = spoil
    while not spoiled:
        run(w, 0.1)
    run(w, 0.1)
    after = [orjson.loads(text)["method"] for now_ns, text in sent if now_ns >= spoiled[0]]
    assert "private/cancel_session" in after and "private/mass_quote" not in after
    assert not w.exchange.open_orders(account(w))
    run(w, 3)
    counted = [now_ns for now_ns, text in sent if b"mass_quote" in text or b"set_mm_protection" in text]
    assert all(later - earlier >= SECOND_NS for earlier, later in pairwise(counted))
    w.core.outbox.set_message_rate(50)
    run(w, 5)
    assert w.exchange.open_orders(account(w))


def late_reports(w: World, late_ns: int) -> None:
    """From now on ``session.orders`` comes that much later than everything else, in its order."""
    waiting: list[tuple[int, bytes]] = []

    def reads(messages: list[bytes]) -> list[list[bytes]]:
        waiting.extend((w.now_ns + late_ns, data) for data in messages if data.startswith(ORDERS))
        due = [data for at_ns, data in waiting if at_ns <= w.now_ns]
        del waiting[: len(due)]
        return [batch for batch in (due + [data for data in messages if not data.startswith(ORDERS)],) if batch]

    w.reads = reads


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_fills_that_an_answer_counts_before_their_report_count_as_open(mode: str) -> None:
    w = world(11, mode=mode)
    run(w, 5)
    late_reports(w, SECOND_NS * 9 // 10)
    position = 0.0
    for _ in range(1500):
        run(w, 0.02)
        (instrument,) = w.core.instruments
        position = w.exchange.position(account(w), PERPETUAL)
        held, table = round(position / (instrument.lot_e8 / 1e8)), w.core.table
        opened = {side: 0 for side in (1, -1)}
        for order in w.exchange.open_orders(account(w)):
            opened[1 if order.buy else -1] += order.remaining
        for side in (1, -1):
            believed = side * instrument.position_lots + table.exposure(0, side)
            assert believed >= side * held + opened[side]
    assert position != 0 and w.core.status()["fills"] > 0 and w.core.mode == "ACTIVE"


def test_an_order_that_is_reported_after_it_was_given_up_is_counted_and_goes() -> None:
    w = world(12, mode="mass_quote")
    run(w, 5)
    late_reports(w, SECOND_NS * 7 // 2)
    run(w, 8)
    w.reads = lambda messages: [messages]
    status = run(w, 15)
    assert status["counters"]["adopted_orders"] > 0
    believed = sorted((o["side"], o["price_ticks"]) for o in w.core.table.orders() if o["state"] == "live")
    assert believed == sorted((1 if o.buy else -1, o.price) for o in w.exchange.open_orders(account(w))) != []


@pytest.mark.parametrize(
    "answer",
    [
        b'{"id":1000099999,"result":{"order_id":"0DCF4BEA97300021"}}',
        b'{"id":1000099999,"error":{"code":4,"message":"throttle exceeded"}}',
        b'{"id":99999,"result":[]}',
        b'{"id":99999999999999999999999,"result":null}',
        b'{"id":null,"error":{"code":1,"message":"not understood"}}',
        b'{"id":"of somebody else","result":{}}',
        b'{"id":true,"result":1}',
    ],
)
def test_answers_to_nobody_change_nothing_and_too_many_end_the_connection(answer: bytes) -> None:
    w = world(7)
    run(w, 5)
    assert w.core.requests.strays + w.core.session.stray_replies == 0
    before = w.core.table.orders(), w.core.requests.pending
    for _ in range(64):
        w.core.on_message(answer, w.now_ns, True)
    assert w.core.wants_close is None
    assert (w.core.table.orders(), w.core.requests.pending) == before
    assert w.core.outbox.stats()["throttles"] == 0
    w.core.on_message(answer, w.now_ns, True)
    assert w.core.wants_close == "65 answers to requests that were never sent"
    w.cut("strangers")
    w.reconnect()
    assert w.core.wants_close is None
    run(w, 10)
    assert w.core.session.is_live
    assert w.core.requests.strays + w.core.session.stray_replies == 0


def test_late_answers_are_not_those_of_strangers() -> None:
    w = world(7, mode="orders")
    run(w, 5)
    held: list[bytes] = []

    def reads(messages: list[bytes]) -> list[list[bytes]]:
        held.extend(message for message in messages if message.startswith(b'{"id":1'))
        return [quick] if (quick := [message for message in messages if message not in held]) else []

    w.reads = reads
    while w.core.requests.given_up < 20:
        run(w, 1)
    w.reads = lambda messages: [messages]
    for answer in held:
        w.core.on_message(answer, w.now_ns, True)
    w.flush()
    assert len(held) >= 20
    assert w.core.wants_close is None
    assert (w.core.requests.strays, w.core.requests.given_up) == (0, 0)
    assert w.core.reports.unknown_replies >= 20
    assert run(w, 10)["mode"] == "ACTIVE"
