"""Ticks that change and instruments that go while they are quoted: first off the market, then quoted anew or not."""

import math
from dataclasses import replace

import pytest

from engine.core.instrument import Instrument
from engine.core.outlook import Outlook
from engine.sim.world import Link, World
from feed.exchange.listing import default_instruments
from kernels.compiled import addresses
from tests.engine.simulated import SECOND_NS, START_NS, plan, run, world
from tests.engine.test_step import account, truth

PERP = "BTC-PERPETUAL"


def traded(w: World) -> None:
    """Until there is a position."""
    while not w.core.instruments[0].position_lots:
        run(w, 1)
        assert w.now_ns < START_NS + 900 * SECOND_NS


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_finer_tick_is_taken_and_quoted_on(mode: str) -> None:
    w = world(2, mode=mode)
    traded(w)
    before = w.core.status()
    w.exchange.refine_tick(PERP, 10)
    run(w, 5)
    status = w.core.status()
    assert w.core.instruments[0].tick_e8 == 10_000_000
    assert w.core.regrids == 0
    assert status["instruments"][PERP]["why"] == "quoting"
    assert status["connections"] == 1
    assert any(price % 10 for _, price, _ in truth(w)), "quotes are on the new grid"
    assert status["counters"]["malformed"] == status["counters"]["venue_errors"] == 0
    assert status["position"][PERP] == pytest.approx(w.exchange.position(account(w), PERP))
    assert abs(status["pnl_usd"] - before["pnl_usd"]) < 50
    run(w, 60)
    assert w.core.status()["mode"] == "ACTIVE"


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_no_order_of_the_old_grid_is_left_when_the_new_one_is_taken(mode: str) -> None:
    """The venue tells of the change and keeps the orders: the quoter has to remove them."""
    w = world(2, mode=mode, link=Link(20_000_000, 20_000_000))
    run(w, 20)
    assert truth(w)
    told = w.exchange.listings[PERP].instrument() | {"tick_size": 0.1}
    for feed in w.exchange.instrument_feeds:
        feed.push([{"added": told}])
    run(w, 0.03)
    assert w.core.instruments[0].why == "its grid changes"
    sent: list[bytes] = []
    w.on_outbound = lambda now_ns, text: sent.append(text)
    while w.core.instruments[0].tick_e8 != 10_000_000:
        assert w.core.instruments[0].why == "its grid changes"
        run(w, 0.001)
        assert w.now_ns < START_NS + 30 * SECOND_NS
    assert not truth(w)
    assert not [text for text in sent if b"insert" in text or b'"p":' in text]
    w.exchange.refine_tick(PERP, 10)
    assert run(w, 5)["instruments"][PERP]["why"] == "quoting"


def test_a_change_while_disconnected_is_found_by_the_set_up() -> None:
    w = world(2)
    traded(w)
    before = w.core.status()["instruments"][PERP]
    w.cut("test")
    w.exchange.refine_tick(PERP, 4)
    w.reconnect()
    status = run(w, 0.4)
    assert status["session"] == "LIVE"
    assert w.core.instruments[0].tick_e8 == 25_000_000
    after = status["instruments"][PERP]
    assert after["realised_usd"] == pytest.approx(before["realised_usd"], abs=0.5)
    assert status["position"][PERP] == pytest.approx(w.exchange.position(account(w), PERP))


def test_an_instrument_that_is_gone_is_not_quoted_and_the_others_are() -> None:
    names = tuple(i.name for i in default_instruments(START_NS))[:2]
    w = world(5, instruments=names)
    run(w, 20)
    w.exchange.expire(names[1])
    status = run(w, 10)
    assert status["mode"] == "ACTIVE"
    assert status["instruments"][names[1]]["why"] == "not listed any more"
    assert status["position"][names[1]] == 0
    assert status["instruments"][names[0]]["why"] in ("quoting", "cool-down")
    w.cut("test")
    w.reconnect()
    status = run(w, 10)
    assert status["session"] == "LIVE"
    assert status["instruments"][names[1]]["why"] == "not listed any more"
    assert status["instruments"][names[0]]["why"] in ("quoting", "cool-down")


def counted(lots: int, price_usd: float) -> Instrument:
    told = plan()
    instrument = Instrument(0, PERP.encode(), told.settings, told.volatility, Outlook(told.signals, addresses()))
    instrument.configure(50_000_000, 1_000_000, 1, "FBTCUSD")
    instrument.rebase(lots, price_usd)
    return instrument


@pytest.mark.parametrize(
    ("tick_e8", "lot_e8"), [(100_000_000, 1_000_000), (10_000_000, 500_000), (300_000_000, 250_000)]
)
def test_profit_does_not_move_when_the_grid_does(tick_e8: int, lot_e8: int) -> None:
    instrument = counted(-37, 60_123.5)
    before = instrument.status()
    instrument.configure(tick_e8, lot_e8, 1, "FBTCUSD")
    after = instrument.status()
    record = instrument.records()["position"]
    assert after["position"] == pytest.approx(before["position"])
    unit = tick_e8 * lot_e8 / 1e16
    cash_usd = record["cash_ticklots"] * unit + after["realised_usd"]
    assert cash_usd == pytest.approx(37 * 0.01 * 60_123.5)
    assert math.isclose(after["volume"], before["volume"])


def test_a_lot_that_does_not_hold_the_position_is_refused() -> None:
    instrument = counted(37, 60_000.0)
    with pytest.raises(ValueError, match="no whole lots"):
        instrument.configure(50_000_000, 10_000_000, 1, "FBTCUSD")


def test_a_grid_told_again_changes_nothing() -> None:
    w = world(3)
    run(w, 10)
    spec = w.exchange.listings[PERP].spec
    w.exchange.listings[PERP].spec = replace(spec)
    for feed in w.exchange.instrument_feeds:
        feed.push([{"added": w.exchange.listings[PERP].instrument()}])
    run(w, 1)
    assert w.core.instruments[0].why == "quoting"
    assert w.core.status()["connections"] == 1
