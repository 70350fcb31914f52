"""Stop-loss, take-profit, losing round trips: an instrument reduces, never flips, and quotes again after a pause."""

from dataclasses import replace
from math import copysign, inf
from typing import Any

import pytest

from engine.sim.world import World
from feed.exchange.seeded import SeededMarket
from tests.engine.simulated import SECOND_NS, plan, world

NAME = "BTC-PERPETUAL"
STEP_NS = SECOND_NS // 50
GRACE_NS = SECOND_NS // 2
"""What was under way when a breach began has traded or is gone after this."""
OFF: dict[str, Any] = {"stop_loss": inf, "take_profit": inf, "max_losses": 0}
CAUSES = [
    ("stop loss", {"stop_loss": 0.0004}),
    ("take profit", {"take_profit": 0.0003}),
    ("losses", {"max_losses": 1}),
]


def limited(seed: int, mode: str = "mass_quote", **limits: Any) -> World:
    return world(seed, mode=mode, limits=replace(plan().limits, **(OFF | {"cooldown_ns": 3 * SECOND_NS} | limits)))


def held(w: World) -> float:
    """Position at the exchange."""
    (number,) = w.exchange.accounts
    return w.exchange.position(number, NAME)


def opening(w: World) -> list[str]:
    """Orders at the exchange that could add to the position, or together flip it."""
    (number,) = w.exchange.accounts
    position = held(w)
    orders = w.exchange.open_orders(number)
    lots = sum(o.remaining for o in orders if o.buy == (position < 0)) * w.core.instruments[0].lot_e8 / 1e8
    adding = [f"{o.remaining} at {o.price}" for o in orders if o.buy == (position > 0) or position == 0]
    return adding + ([f"{lots} against {position}"] if lots > abs(position) + 1e-12 else [])


def why(w: World) -> str:
    return w.core.instruments[0].why


def episode(w: World, cause: str) -> bool:
    """Follow one breach from where it begins to where it ends; whether the position got flat in it."""
    began_ns, before = w.now_ns, None
    while why(w) == cause:
        w.run(w.now_ns + STEP_NS)
        if w.now_ns - began_ns < GRACE_NS or why(w) != cause:
            continue
        position = held(w)
        assert not opening(w), f"{w.now_ns - began_ns} ns after {cause}"
        if before is not None:
            assert abs(position) <= abs(before), "it grew"
            assert position * before >= 0, "it flipped"
        before = position
        assert w.now_ns - began_ns < 1800 * SECOND_NS, "it never ends"
    return before == 0


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
@pytest.mark.parametrize(("cause", "limits"), CAUSES)
def test_a_breach_only_reduces_and_ends(mode: str, cause: str, limits: dict[str, Any]) -> None:
    episodes = flat = 0
    for seed in range(3):
        w = limited(seed, mode, **limits)
        until_ns = w.now_ns + 900 * SECOND_NS
        while w.now_ns < until_ns:
            w.run(w.now_ns + STEP_NS)
            if why(w) == cause:
                episodes += 1
                flat += episode(w, cause)
        assert w.core.mode == "ACTIVE" and w.core.halt_reason is None
        assert w.core.quoter.encoded == w.core.gate.passed
        quoted = w.core.status()["quotes_sent"]
        w.run(w.now_ns + 60 * SECOND_NS)
        assert w.core.status()["quotes_sent"] > quoted
    assert episodes >= 3 and flat >= 1, f"{episodes} episodes, {flat} of them flat"


def jump(w: World, log: float) -> None:
    """The price everybody sees moves at once, and keeps its course from there."""
    market = w.exchange.market
    assert isinstance(market, SeededMarket)
    for path in market._paths.values():
        for i in range(len(path._logs)):
            path._logs[i] += log


def stopped_out(seed: int, cooldown_ns: int) -> World:
    """A world with a position, a moment after a jump against it by more than the stop-loss."""
    w = limited(seed, stop_loss=plan().limits.stop_loss, cooldown_ns=cooldown_ns)
    while abs(w.core.instruments[0].position_lots) < 20:
        w.run(w.now_ns + STEP_NS)
    jump(w, -copysign(0.08, held(w)))
    for _ in range(500):
        w.run(w.now_ns + STEP_NS)
        if why(w) == "stop loss":
            break
    return w


def test_a_jump_beyond_the_stop_loss() -> None:
    w = stopped_out(1, 2 * SECOND_NS)
    assert why(w) == "stop loss" and w.core.instruments[0].breaches == 1
    assert episode(w, "stop loss"), "it ended without being flat"
    w.run(w.now_ns + 5 * SECOND_NS)
    (number,) = w.exchange.accounts
    assert {o.buy for o in w.exchange.open_orders(number)} == {True, False}


def test_a_reconnect_neither_ends_nor_repeats_a_breach() -> None:
    w = stopped_out(1, 3600 * SECOND_NS)
    for _ in range(3):
        before = held(w)
        w.cut("test")
        w.run(w.now_ns + 10 * SECOND_NS)
        w.reconnect()
        w.run(w.now_ns + 10 * SECOND_NS)
        assert w.core.session.is_live
        assert why(w) == "stop loss" and w.core.instruments[0].breaches == 1
        assert not opening(w) and abs(held(w)) <= abs(before)


def test_the_cool_down_lasts_as_long_as_it_is_set() -> None:
    w = stopped_out(1, 60 * SECOND_NS)
    while held(w) != 0:
        w.run(w.now_ns + STEP_NS)
    flat_ns = w.now_ns
    while why(w) == "stop loss":
        assert held(w) == 0
        w.run(w.now_ns + STEP_NS)
    assert 60 * SECOND_NS <= w.now_ns - flat_ns + STEP_NS <= 62 * SECOND_NS


def test_a_measure_that_is_back_within_its_recovery_ends_the_breach() -> None:
    w = stopped_out(1, 2 * SECOND_NS)
    w.run(w.now_ns + SECOND_NS)
    position = held(w)
    assert why(w) == "stop loss" and abs(position) > 0.01
    jump(w, copysign(0.06, position))
    w.run(w.now_ns + 15 * SECOND_NS)
    assert why(w) != "stop loss" and w.core.instruments[0].breaches == 1


def test_limits_that_are_off_never_act() -> None:
    w = limited(1)
    w.run(w.now_ns + 120 * SECOND_NS)
    jump(w, -0.08)
    w.run(w.now_ns + 60 * SECOND_NS)
    assert w.core.instruments[0].breaches == 0
