"""Fills that a lost connection kept from us: booked at their own price and fee, each once; the rest at the mark."""

import re
from typing import Any

import pytest

from engine.core.missed import explaining, newest
from engine.sim.world import Link, World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.options import Options
from feed.exchange.seeded import SeededMarket
from tests.engine.simulated import SECOND_NS, START_NS, plan, run
from tests.engine.test_step import account

PERP = "BTC-PERPETUAL"
MS = 1_000_000


TIME = re.compile(rb'"time":([0-9.]+)')


def cut_with_fills_under_way(mode: str, seed: int, cuts: int = 1, stamped: float = 0.0, **options: Any) -> World:
    """A world whose connection was cut when fills had happened that the core was not told of; it is connected again.

    ``stamped``: by how many seconds the venue's clock on books is ahead.
    """
    told = plan(mode=mode)
    listed = [i for i in default_instruments(START_NS) if i.name in told.instruments]
    exchange = Exchange(SeededMarket(listed, seed), Options(**options), seed=seed)

    def ahead(message: bytes) -> bytes:
        if not stamped or not message.startswith(b'{"channel_name":"book'):
            return message
        return TIME.sub(lambda found: b'"time":%.6f' % (float(found[1]) + stamped), message)

    link = Link(20 * MS, 400 * MS)
    w = World(told, exchange, throwaway_key().token, START_NS, link, reads=lambda read: [[ahead(one) for one in read]])
    for _ in range(cuts):
        while not (w.core.session.is_live and w.core.table.used and abs(held(w) - believed(w)) > 1e-9):
            run(w, 0.05)
            assert w.now_ns < START_NS + 3600 * SECOND_NS
        w.cut("test")
        w.reconnect()
        run(w, 15)
    return w


def held(w: World) -> float:
    return w.exchange.position(account(w), PERP)


def believed(w: World) -> float:
    return float(w.core.status()["position"][PERP])


def truth(w: World) -> tuple[float, int, float]:
    """Position, number of fills, fees in USD, as the exchange counts them."""
    owner = w.exchange.accounts[account(w)]
    trades = list(owner.trades_history)
    return held(w), len(trades), sum(trade["fee"] for trade in trades)


def cash(w: World) -> float:
    return sum(
        (-1 if trade["direction"] == "buy" else 1) * trade["price"] * trade["amount"]
        for trade in w.exchange.accounts[account(w)].trades_history
    )


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
@pytest.mark.parametrize("delay_ms", [50, 900])
def test_missed_fills_are_booked_at_their_own_price_and_fee(mode: str, delay_ms: int) -> None:
    w = cut_with_fills_under_way(mode, 3, cuts=3, database_delay_ns=delay_ms * MS)
    w.core.operator("stop", w.now_ns)
    w.flush()
    run(w, 2)
    status = w.core.status()
    position, fills, fees = truth(w)
    assert status["counters"]["history_fills"] >= 3
    assert status["counters"]["marked_lots"] == 0
    assert status["position"][PERP] == pytest.approx(position)
    assert status["fills"] == fills
    record = w.core.instruments[0].records()["position"]
    assert record["cash_ticklots"] / 1000 == pytest.approx(cash(w))
    # Fees of what the stream told are counted on the index of the moment.
    assert status["fees_usd"] == pytest.approx(fees, rel=1e-3)


def test_what_the_history_does_not_know_is_booked_at_the_mark_and_said() -> None:
    w = cut_with_fills_under_way("mass_quote", 3, database_delay_ns=3600 * SECOND_NS)
    status = w.core.status()
    assert status["session"] == "LIVE"
    assert status["counters"]["history_fills"] == 0
    assert status["counters"]["marked_lots"] == status["counters"]["missed_lots"] > 0
    assert "booked at the mark" in status["last_error"]


@pytest.mark.parametrize(
    ("signed", "missed", "count"),
    [
        ([], 0, 0),
        ([], 3, 0),
        ([1, 2], 3, 2),
        ([1, -1], 0, 2),
        ([5, 1, 2], 3, 2),
        ([5, 3], 0, 0),
        ([2, 1], 4, 2),
        ([-4], 3, 0),
        ([3, -5, 2, 1], 3, 2),
    ],
)
def test_the_trades_that_explain_a_difference(signed: list[int], missed: int, count: int) -> None:
    assert explaining(signed, missed) == count


def test_only_the_newest_trades_that_explain_it_are_booked_where_times_say_nothing() -> None:
    assert newest([5, 1, -1, 2], 2) == 1
    assert newest([5, 1, -1, 2], 1) == 2
    assert newest([5, 1, -1, 2], 7) == 4
    assert newest([5, 1, -1, 2], 3) == 0
    assert newest([5], 0) == 0


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_venue_clock_from_the_future_hides_no_fill(mode: str) -> None:
    """One stamp of tomorrow on a book must not make the history of today be asked for from tomorrow on."""
    w = cut_with_fills_under_way(mode, 3, stamped=86_400.0)
    status = w.core.status()
    position, fills, _ = truth(w)
    assert status["counters"]["history_fills"] > 0
    assert status["counters"]["marked_lots"] == 0
    assert status["position"][PERP] == pytest.approx(position)
    assert status["fills"] == fills
    record = w.core.instruments[0].records()["position"]
    assert record["cash_ticklots"] / 1000 == pytest.approx(cash(w))
