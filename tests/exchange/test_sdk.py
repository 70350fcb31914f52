"""The official Python SDK, unmodified, against the exchange: every call the protocol describes, and a quoter on it."""

import asyncio
import json
from types import SimpleNamespace

import pytest
import thalex as th
import uvloop

from feed.exchange.exchange import Exchange
from feed.exchange.options import Options
from feed.exchange.server import serve
from tests.exchange.scripted import FUTURE, PERP, ScriptedMarket, private_pem, public_pem


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Wire:
    """The SDK's connection with replies sorted out by id."""

    def __init__(self, url):
        self.sdk = th.Thalex(SimpleNamespace(value=url))
        self.number = 0
        self.notifications = []

    async def call(self, name, *args, **params):
        self.number += 1
        await getattr(self.sdk, name)(*args, id=self.number, **params)
        while True:
            message = await self.next()
            if "id" in message:
                assert message["id"] == self.number
                return message

    async def ok(self, name, *args, **params):
        reply = await self.call(name, *args, **params)
        assert "error" not in reply, (name, reply)
        return reply["result"]

    async def next(self):
        message = json.loads(await asyncio.wait_for(self.sdk.receive(), 5))
        if "channel_name" in message:
            self.notifications.append(message)
        return message


def run(main, **options):
    async def whole():
        exchange = Exchange(ScriptedMarket(depth=5), Options(public_keys={"K123456789": public_pem()}, **options))
        server = await serve(exchange)
        wire = Wire(server.url)
        await wire.sdk.connect()
        try:
            await main(exchange, wire)
        finally:
            await wire.sdk.disconnect()
            await server.close()

    uvloop.run(asyncio.wait_for(whole(), 30))


async def ready(wire):
    login = await wire.ok("login", "K123456789", private_pem())
    assert login == {"account_number": "A123456789"}
    assert await wire.ok("set_cancel_on_disconnect", 10) == {"message_rate": 50}


def test_reference_and_market_data():
    async def main(exchange, wire):
        names = {row["instrument_name"] for row in await wire.ok("instruments")}
        assert names == {PERP, FUTURE, "ETH-PERPETUAL"}
        assert len(await wire.ok("all_instruments")) == 3
        assert (await wire.ok("instrument", PERP))["tick_size"] == 1
        assert (await wire.ok("ticker", PERP))["best_bid_price"] == 77_990
        assert (await wire.ok("index", "BTCUSD"))["price"] == 78_000
        assert len((await wire.ok("book", PERP))["bids"]) == 5
        assert (await wire.ok("system_info"))["environment"] == "testnet"
        await asyncio.sleep(1.1)
        now = exchange.now_ns / 1e9
        marks = await wire.ok("mark_price_historical_data", PERP, now - 3600, now + 60, th.Resolution.M1)
        assert marks["instrument_type"] == "perpetual"
        assert len(marks["mark"][0]) == 7
        index = await wire.ok("index_price_historical_data", "BTCUSD", now - 3600, now + 60, "1m")
        assert index["index"][0][1:] == [78_000] * 4

    run(main)


def test_subscriptions():
    async def main(exchange, wire):
        public = [f"ticker.{PERP}.raw", f"lwt.{PERP}.100ms", f"book.{PERP}.none.all.raw", "system"]
        assert await wire.ok("public_subscribe", [*public, "nonsense.x"]) == public
        await ready(wire)
        private = ["session.orders", "account.portfolio", "account.summary"]
        assert await wire.ok("private_subscribe", private) == private
        assert await wire.ok("unsubscribe", ["session.orders", "system", "other"]) == ["session.orders", "system"]
        shown = {message["channel_name"] for message in wire.notifications}
        assert set(public[:3]) < shown

    run(main)


def test_orders():
    async def main(exchange, wire):
        await ready(wire)
        order = await wire.ok(
            "insert",
            direction=th.Direction.BUY,
            instrument_name=PERP,
            amount=0.1,
            price=77_995.0,
            client_order_id=100,
            post_only=True,
            label="sdk",
            time_in_force=th.TimeInForce.GTC,
            order_type=th.OrderType.LIMIT,
        )
        assert order["status"] == "open"
        amended = await wire.ok("amend", amount=0.2, price=77_994.0, client_order_id=100)
        assert (amended["price"], amended["change_reason"]) == (77_994, "amend")
        assert len(await wire.ok("open_orders")) == 1
        assert (await wire.ok("cancel", client_order_id=100))["delete_reason"] == "client_cancel"
        bought = await wire.ok("buy", PERP, 0.1, order_type=th.OrderType.MARKET)
        assert bought["status"] == "filled"
        sold = await wire.ok("sell", PERP, 0.05, price=77_990.0, collar="clamp", reduce_only=True)
        assert sold["status"] == "filled"
        await wire.ok("buy", PERP, 0.1, price=77_900.0)
        assert await wire.ok("cancel_all") == 1
        assert await wire.ok("cancel_session") is None
        assert (await wire.call("cancel", order_id="FF"))["error"]["code"] == 1
        combo = [th.Combo(PERP, -1).dumps(), th.Combo(FUTURE, 1).dumps()]
        refused = await wire.call("insert_combo", direction=th.Direction.BUY, legs=combo, amount=1, price=1.0)
        assert refused["error"]["code"] == 17

    run(main)


def test_mass_quotes():
    async def main(exchange, wire):
        await ready(wire)
        assert await wire.ok("set_mm_protection", th.Product.BTC_FUTURES, 1.0, 2.0) is None
        quotes = [
            th.Quote(PERP, th.SideQuote(77_995.0, 0.1), th.SideQuote(78_005.0, 0.1)),
            th.Quote(FUTURE, th.SideQuote(77_995.0, 0.1), None),
        ]
        result = await wire.ok("mass_quote", quotes, label="mm", post_only=True, reject_post_only=True)
        assert result == {"n_success": 3, "n_fail": 0, "errors": []}
        assert len(exchange.open_orders("A123456789")) == 3
        assert await wire.ok("cancel_mass_quote", th.Product.BTC_FUTURES) is None
        assert exchange.open_orders("A123456789") == []

    run(main)


def test_account_and_history():
    async def main(exchange, wire):
        await ready(wire)
        await wire.ok("buy", PERP, 0.1, price=78_010.0, label="x")
        await asyncio.sleep(0.1)
        (position,) = await wire.ok("portfolio")
        assert (position["position"], position["average_price"]) == (0.1, 78_010)
        summary = await wire.ok("account_summary")
        assert summary["cash"][0]["currency"] == "USDT"
        assert (await wire.ok("account_breakdown"))["account_number"] == "A123456789"
        assert (await wire.ok("required_margin_breakdown"))["portfolio"]["required_margin"] > 0
        margin = await wire.ok("required_margin_for_order", PERP, price=78_000.0, amount=0.1)
        assert margin["with_buy"]["required_margin"] > margin["with_sell"]["required_margin"]
        trades = await wire.ok("trade_history", limit=10, sort=th.Sort.DESC, instrument_names=PERP)
        assert [row["amount"] for row in trades["trades"]] == [0.1]
        assert len((await wire.ok("order_history", limit=5))["orders"]) == 1
        for name, member in (
            ("daily_mark_history", "daily_marks"),
            ("transaction_history", "transactions"),
            ("rfq_history", "rfqs"),
        ):
            assert member in await wire.ok(name)
        for name in ("open_rfqs", "mm_rfqs", "mm_rfq_quotes", "conditional_orders", "bots"):
            assert await wire.ok(name) == []
        assert await wire.ok("notifications_inbox") == {"notifications": []}
        assert (await wire.call("create_rfq", [th.RfqLeg(1, PERP)]))["error"]["code"] == 31

    run(main)


def test_wrong_key_is_refused():
    async def main(exchange, wire):
        assert (await wire.call("login", "K999", private_pem()))["error"]["code"] == 19
        assert (await wire.call("portfolio"))["error"]["code"] == 7

    run(main)


def test_a_quoter_written_on_the_sdk_trades():
    """Quotes one level a side around the index, refills its protection, and ends flat of orders."""

    async def main(exchange, wire):
        await ready(wire)
        await wire.ok("private_subscribe", ["session.orders", "session.mm_protection", "account.portfolio"])
        await wire.ok("public_subscribe", ["price_index.BTCUSD"])
        await wire.ok("set_mm_protection", th.Product.BTC_FUTURES, 0.15, 1.0)
        bought = sold = refills = 0
        for step in range(40):
            mid = (await wire.ok("index", "BTCUSD"))["price"]
            quote = th.Quote(PERP, th.SideQuote(mid - 4, 0.1), th.SideQuote(mid + 4, 0.1))
            reply = await wire.call("mass_quote", [quote], post_only=True)
            if "error" in reply:
                assert reply["error"]["code"] == 23
                await wire.ok("set_mm_protection", th.Product.BTC_FUTURES, 0.15, 1.0)
                refills += 1
            exchange.insert(PERP, step % 2 == 0, 78_004 if step % 2 == 0 else 77_996, 60, ioc=True)
            await asyncio.sleep(0.025)
        await wire.ok("cancel_session")
        for message in wire.notifications:
            if message["channel_name"] == "session.orders" and not message.get("snapshot"):
                for order in message["notification"]:
                    filled = sum(fill["amount"] for fill in order["fills"])
                    bought += filled if order["direction"] == "buy" else 0
                    sold += filled if order["direction"] == "sell" else 0
        assert refills > 3
        assert bought > 0.5
        assert sold > 0.5
        assert exchange.position("A123456789", PERP) == pytest.approx(bought - sold)
        assert exchange.open_orders("A123456789") == []

    run(main)
