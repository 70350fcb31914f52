"""What simulated runs once found wrong in the core, each in the plainest world that shows it."""

import orjson
import pytest

from engine.core.step import Core
from engine.sim.world import World
from kernels.compiled import addresses
from tests.engine.simulated import SECOND_NS, run, world

PERPETUAL = "BTC-PERPETUAL"


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
