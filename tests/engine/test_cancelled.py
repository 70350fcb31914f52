"""Orders that somebody else cancelled are not put back before the hold is over (O6); what the core cancels is."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from engine.sim.world import World
from feed.exchange import methods
from tests.engine.simulated import SECOND_NS, plan, run, world
from tests.engine.test_step import account, truth

HOLD_S = 20
MODES = ["mass_quote", "orders"]
BTC, ETH = "BTC-PERPETUAL", "ETH-PERPETUAL"


def quoting(mode: str, hold_s: float = HOLD_S, *names: str) -> tuple[World, list[tuple[int, str]]]:
    """A world with quotes in the market, and what of them leaves it from then on: (time, text)."""
    sent: list[tuple[int, str]] = []
    limits = replace(plan().limits, hold_ns=round(hold_s * SECOND_NS))
    w = world(3, mode=mode, limits=limits, instruments=names or (BTC,))
    run(w, 5)
    assert truth(w)
    w.on_outbound = lambda now_ns, text: sent.append((now_ns, text.decode()))
    return w, sent


def placing(sent: list[tuple[int, str]], name: str = "") -> list[int]:
    """When anything was placed, of one instrument or of any."""
    placed = ("private/insert", "private/amend", '"b":[[', '"a":[[')
    return [at_ns for at_ns, text in sent if any(word in text for word in placed) and name in text]


def by_hand(w: World, method: str, **params: Any) -> None:
    """A person acts on the account, on a connection of their own."""
    person = w.exchange.connect(lambda data: None, w.now_ns)
    for asked, told in (("public/login", {"token": w.token(w.now_ns / 1e9 + 1)}), (method, params)):
        person.receive(orjson.dumps({"method": asked, "params": told, "id": 1}), w.now_ns)


def of(w: World, name: str) -> list[Any]:
    return [order for order in w.exchange.open_orders(account(w)) if order.listing.name == name]


@pytest.mark.parametrize("mode", MODES)
def test_a_cancel_of_everything_by_hand_keeps_every_instrument_from_being_quoted(mode: str) -> None:
    w, sent = quoting(mode, HOLD_S, BTC, ETH)
    sent.clear()
    by_hand(w, "private/cancel_all")
    told_ns = w.now_ns + w.link.to_core_ns
    status = run(w, HOLD_S - 1)
    # What was on its way as the report came in may have been placed; it does not stay.
    assert not [at_ns for at_ns in placing(sent) if at_ns >= told_ns]
    assert not truth(w)
    assert status["hold_reason"] == "somebody else cancelled all orders of the account"
    assert {line["why"] for line in status["instruments"].values()} == {"held: somebody else cancelled orders"}
    assert status["mode"] == "ACTIVE"
    status = run(w, 2)
    assert status["hold_reason"] is None and placing(sent, BTC) and placing(sent, ETH)


def test_a_cancel_that_is_repeated_begins_the_hold_anew_and_a_resume_ends_it() -> None:
    w, _ = quoting("orders", 3)
    by_hand(w, "private/cancel_all")
    run(w, 3.5)
    assert truth(w)
    by_hand(w, "private/cancel_all")
    run(w, 2.5)
    assert w.core.restraint.held is not None and not truth(w) and w.core.restraint.holds == 2
    w.core.operator("resume", w.now_ns)
    w.flush()
    status = run(w, 0.3)
    assert truth(w) and status["hold_reason"] is None


@pytest.mark.parametrize("mode", MODES)
def test_one_order_that_is_cancelled_by_hand_holds_its_instrument_alone(mode: str) -> None:
    w, sent = quoting(mode, HOLD_S, BTC, ETH)
    by_hand(w, "private/cancel", order_id=f"{of(w, BTC)[0].id:016X}")
    held = run(w, 0.1)["hold_reason"]
    assert held == f"somebody else cancelled orders of {BTC}"
    sent.clear()
    run(w, 5)
    assert not placing(sent, BTC) and not of(w, BTC) and of(w, ETH)


def test_quotes_that_another_session_removes_are_held() -> None:
    w, _ = quoting("mass_quote")
    by_hand(w, "private/cancel_mass_quote")
    status = run(w, 1)
    assert status["hold_reason"] is not None and not truth(w)


def test_protection_that_fires_does_not_shorten_a_hold() -> None:
    w, sent = quoting("mass_quote")
    by_hand(w, "private/cancel_all")
    run(w, 1)
    fired = [{"product": "FBTCUSD", "remaining_amount": 0, "reason": "executions"}]
    w.core.on_message(orjson.dumps({"channel_name": "session.mm_protection", "notification": fired}), w.now_ns, True)
    w.flush()
    sent.clear()
    run(w, HOLD_S - 3)
    assert not placing(sent) and not truth(w)


@pytest.mark.parametrize("mode", MODES)
def test_what_the_core_cancels_itself_holds_nothing(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the session leaves the orders, so that the halt has to cancel everything; a person resumes at once."""
    w, sent = quoting(mode)
    monkeypatch.setitem(methods.METHODS, "private/cancel_session", lambda session, params: b"null")
    w.core.operator("halt", w.now_ns)
    w.flush()
    while w.exchange.open_orders(account(w)):
        run(w, 0.0001)
    assert any("private/cancel_all" in text for _, text in sent)
    w.core.operator("resume", w.now_ns)
    w.flush()
    status = run(w, 5)
    assert w.core.restraint.holds == 0 and status["mode"] == "ACTIVE" and truth(w)


@pytest.mark.parametrize("mode", MODES)
def test_without_a_hold_orders_are_put_back_at_once(mode: str) -> None:
    w, _ = quoting(mode, 0)
    by_hand(w, "private/cancel_all")
    status = run(w, 1)
    assert truth(w) and status["hold_reason"] is None
