"""Switches for what is unknown about the venue, where no other test is about their subject."""

import asyncio

import pytest
import uvloop
from websockets.asyncio.client import connect

from feed.exchange.exchange import Exchange
from feed.exchange.options import SECOND_NS, Options
from feed.exchange.server import serve
from tests.exchange.scripted import PERP, Client, ScriptedMarket, crowd, later, opened


@pytest.mark.parametrize(("together", "messages"), [(True, 1), (False, 2)])
def test_order_changes_of_one_event(together, messages):
    client = Client(opened(depth=5, updates_in_one_list=together), timeout_secs=60)
    client.call("private/set_mm_protection", product="FBTCUSD", trade_amount=1, quote_amount=1)
    client.call("private/subscribe", channels=["session.orders"])
    client.quote([[77_000, 1]], [[79_000, 1]])
    assert len(client.got("session.orders")) - 1 == messages


def test_trades_and_levels_apart():
    exchange = opened(depth=5, trades_with_levels=False)
    client = Client(exchange)
    name = f"book.{PERP}.none.all.raw"
    client.call("public/subscribe", channels=[name])
    crowd(exchange, "sell", 77_990, 100, ioc=True)
    _, trades, levels = client.got(name)
    assert len(trades["trades"]) == 1
    assert "bid_changes" not in trades
    assert levels["trades"] == []
    assert levels["bid_changes"] == [[77_990, 0.9, 0.9]]


@pytest.mark.parametrize(("side", "shown"), [("aggressor", "sell"), ("maker", "buy")])
def test_side_of_public_trades(side, shown):
    exchange = opened(depth=5, trade_side=side)
    client = Client(exchange)
    client.call("public/subscribe", channels=[f"book.{PERP}.none.all.raw"])
    crowd(exchange, "sell", 77_990, 100, ioc=True)
    assert client.got(f"book.{PERP}.none.all.raw")[-1]["trades"][0][2] == shown


def test_tickers_may_follow_marks_only():
    exchange = opened(depth=5, ticker_on_book=False)
    client = Client(exchange)
    client.call("public/subscribe", channels=[f"ticker.{PERP}.raw"])
    crowd(exchange, "buy", 77_995, 100)
    assert len(client.got(f"ticker.{PERP}.raw")) == 1
    later(exchange, 1)
    assert client.got(f"ticker.{PERP}.raw")[-1]["best_bid_price"] == 77_995


def test_idle_connections_may_be_closed_in_spite_of_pings():
    exchange = opened(idle_timeout_ns=10 * SECOND_NS)
    idle, asking, listening, known = (
        Client(exchange, None),
        Client(exchange, None),
        Client(exchange, None),
        Client(exchange),
    )
    listening.call("public/subscribe", channels=["system"])
    for _ in range(8):
        later(exchange, 2)
        idle.connection.ping(exchange.now_ns)
        asking.call("public/system_info")
    assert idle.closed == (1008, "idle")
    assert asking.closed is listening.closed is known.closed is None


def test_liquidation_below_maintenance():
    exchange = opened(depth=5, deposit_usd=30_000.0)
    client = Client(exchange)
    client.insert("buy", 78_020, 1.5)
    client.call("private/subscribe", channels=["account.orders", "account.portfolio", "account.trade_history"])
    later(exchange, 2)
    assert exchange.position("A123456789", PERP) == 1.5
    crowd(exchange, "buy", 67_990, 10_000)
    exchange.set_index("BTCUSD", 68_000)
    later(exchange, 2)
    assert exchange.position("A123456789", PERP) == 0
    (trade, *_) = client.got("account.trade_history")[-1]
    assert trade["trade_type"] == "liquidation"
    assert trade["liquidation_fee"] == pytest.approx(68_000 * 0.005 * trade["amount"])
    assert client.got("account.orders")[-1][0]["insert_reason"] == "liquidation"
    flows = sum(account.flow() for account in exchange.accounts.values())
    assert flows + exchange.crowd_cash + exchange.execution.fees == 0


def test_binary_frames_and_server_pings():
    async def main():
        options = Options(binary_frames=True, server_ping_ns=SECOND_NS // 10)
        server = await serve(Exchange(ScriptedMarket(), options))
        async with connect(server.url, proxy=None, ping_interval=None) as ws:
            await ws.send('{"method":"public/system_info","params":{},"id":1}')
            assert isinstance(await ws.recv(), bytes)
            session = next(iter(server.sessions))
            before = session.connection.heard_ns
            await asyncio.sleep(0.5)
            assert session.connection.heard_ns > before
        await server.close()

    uvloop.run(asyncio.wait_for(main(), 20))
