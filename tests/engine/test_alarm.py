"""A market that is not fit to be quoted in: quotes come off on the tick that shows it, and back once it is calm."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from engine.sim.market import HostileMarket
from engine.sim.options import LISTED
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from tests.engine.simulated import SECOND_NS, START_NS, plan, run, world
from tests.engine.test_monitors import jump
from tests.engine.test_step import account, truth

MODES = ["mass_quote", "orders"]
NAME = "BTC-PERPETUAL"
BOOK = b'{"channel_name":"book'


class Still(HostileMarket):
    """A crowd of two levels a side that does nothing by itself."""

    def place(self, w: World, *, shift: float = 0.0, away: float = 0.0001, lots: int = 10) -> None:
        """Two levels a side around the price, which has moved by this share; the index stays where it was."""
        contract = self._contracts[0]
        contract.ticks = round(contract.ticks * (1 + shift))
        floor = self._on_floor()

        def replaced() -> None:
            for order_id in (*contract.bids, *contract.asks):
                floor.reduce(order_id, 0)
            step = max(1, round(contract.ticks * away))
            contract.bids = [floor.insert(NAME, True, contract.ticks - step * i, lots) for i in (1, 2)]
            contract.asks = [floor.insert(NAME, False, contract.ticks + step * i, lots) for i in (1, 2)]

        w.exchange.advance(w.now_ns)
        floor.together(replaced)


def calm(mode: str, **pulls: Any) -> tuple[World, Still]:
    """A world that quotes in a crowd of 12,000 USD a side."""
    market = Still(LISTED[:1], Random(1), SECOND_NS // 10, True)
    market.still = True
    told = plan(mode=mode)
    told = replace(told, pulls=replace(told.pulls, **pulls))
    w = World(told, Exchange(market, seed=1), throwaway_key().token, START_NS)
    market.place(w)
    run(w, 5)
    assert truth(w) and why(w) == "quoting"
    return w, market


def why(w: World) -> str:
    return w.core.instruments[0].why


def cleared_on(w: World, act: Any) -> int:
    """Time between an act of the market and the first request after it; everything is gone soon after."""
    sent: list[int] = []
    w.on_outbound = lambda now_ns, text: sent.append(now_ns)
    began_ns = w.now_ns
    act()
    run(w, 0.02)
    w.on_outbound = None
    assert not truth(w)
    return sent[0] - began_ns


@pytest.mark.parametrize("mode", MODES)
def test_a_jump_pulls_on_the_tick_that_shows_it_and_quotes_again_once_calm(mode: str) -> None:
    w, market = calm(mode, move_bps=1.5)
    assert cleared_on(w, lambda: market.place(w, shift=0.0002)) == w.link.to_core_ns
    assert why(w).startswith("the price moved 2 bps within 0.5 s, limit 1.5 bps")
    run(w, 1.9)
    assert not truth(w), "before the move is out of the window and the hold over"
    run(w, 1.5)
    assert truth(w) and why(w) == "quoting" and w.core.instruments[0].alarm.moves == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_price_that_goes_on_running_stays_pulled(mode: str) -> None:
    w, market = calm(mode, move_bps=1.5)
    market.place(w, shift=0.0002)
    for i in range(20):
        run(w, 0.2)
        market.place(w, shift=-0.0001 if i % 2 else 0.0001)
        run(w, 0.01)
        assert not truth(w) and "the price moved" in why(w)
    assert w.core.instruments[0].alarm.moves == 1
    run(w, 4)
    assert truth(w)


def test_a_move_spread_over_more_than_the_window_is_none() -> None:
    w, market = calm("mass_quote", move_bps=1.5)
    for _ in range(20):
        market.place(w, shift=0.00005)
        run(w, 0.4)
    assert w.core.instruments[0].alarm.moves == 0


def test_a_quiet_market_is_judged_by_its_volatility() -> None:
    w, market = calm("mass_quote", move_sigmas=1.0)
    sigma_bps = w.core.status()["instruments"][NAME]["sigma_usd"] / 60_000 * 1e4
    market.place(w, shift=2 * sigma_bps * 0.5**0.5 * 1e-4)
    run(w, 0.1)
    assert w.core.instruments[0].alarm.moves == 1 and "the price moved" in why(w)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_jump_of_one_percent_alarms_and_ends(seed: int) -> None:
    w = world(seed)
    run(w, 60)
    jump(w, 0.01)
    run(w, 3)
    assert w.core.instruments[0].alarm.moves >= 1
    run(w, 60)
    assert truth(w) and w.core.mode == "ACTIVE"


@pytest.mark.parametrize("seed", [1, 2])
def test_the_ordinary_market_never_alarms(seed: int) -> None:
    w = world(seed)
    status = run(w, 900)
    assert w.core.instruments[0].alarm.moves == 0
    assert status["fills"] > 10 and status["counters"]["resyncs"] == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"away": 0.011, "lots": 100}, "the others' spread is too wide"),
        ({"lots": 0.1}, "too little of others in the book"),
        ({"shift": 0.0002}, "the book is too far from mark or index"),
    ],
)
def test_a_dead_book_pulls_on_the_tick_that_shows_it(mode: str, changed: dict[str, Any], reason: str) -> None:
    w, market = calm(mode, move_bps=10_000.0, move_sigmas=1e6, thin_usd=1000.0)
    changed = {name: 1 if value == 0.1 else value for name, value in changed.items()}
    if "shift" in changed:
        w.core.instruments[0].alarm.take_plan(w.core.plan.pulls, 0.00015)
    if changed.get("lots") == 1:
        w.core.instruments[0].alarm.take_plan(replace(w.core.plan.pulls, thin_usd=1500.0), 0.015)
        run(w, 1)
    assert cleared_on(w, lambda: market.place(w, **changed)) == w.link.to_core_ns
    assert why(w) == reason
    market.place(w, shift=-0.0002 if "shift" in changed else 0.0)
    run(w, 1)
    assert truth(w) and why(w) == "quoting"


@pytest.mark.parametrize("mode", MODES)
def test_own_orders_do_not_make_a_book_thick(mode: str) -> None:
    w, market = calm(mode, thin_usd=5000.0)
    market.place(w, lots=3)
    run(w, 1)
    assert why(w) == "too little of others in the book" and not truth(w)
    run(w, 5)
    assert why(w) == "too little of others in the book"


def test_an_order_that_stands_in_two_slots_does_not_make_a_book_thin() -> None:
    """Pulled by it and quoted again, the instrument never came to rest, and its slots never settled."""
    w, market = calm("mass_quote", thin_usd=11_000.0, move_bps=10_000.0, move_sigmas=1e6)
    market.place(w, shift=0.0002)
    run(w, 0.1)
    table = w.core.table
    for order in table.orders():
        table.take(order["instrument"], order["side"], order["price_ticks"], order["lots"], w.now_ns)
    market.place(w, lots=11)
    run(w, 0.05)
    assert why(w) == "quoting" and len(table.orders()) == 12


def test_a_silent_book_beside_a_ticker_that_moves_is_asked_for_anew() -> None:
    """E27: the channels are compared; nothing is quoted on the old prices meanwhile."""
    w, market = calm("mass_quote", move_bps=10_000.0, move_sigmas=1e6)
    w.reads = lambda messages: [[m for m in messages if not m.startswith(BOOK) or b'"snapshot":true' in m]]
    market.place(w, shift=0.0002)
    run(w, 0.5)
    sent: list[bytes] = []
    w.on_outbound = lambda now_ns, text: sent.append(text)
    for i in range(30):
        market.place(w, lots=10 + i % 2)
        run(w, 0.1)
    assert any(b"subscribe" in text for text in sent)
    status = w.core.status()
    assert status["counters"]["resyncs"] == 1 and why(w) == "quoting"
    assert abs(status["instruments"][NAME]["fair_usd"] / 60_012 - 1) < 1e-4
    assert account(w)
