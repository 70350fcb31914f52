"""``ThalexClient`` against the local exchange: the whole way, on real sockets."""

import asyncio
import runpy
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from feed.auth import throwaway_key
from feed.backoff import BackoffSettings
from feed.client import SetUpFailed, ThalexClient
from feed.client_errors import NotSent, OutcomeUnknown, SubscriptionRefused, VenueError
from feed.commands import BadRequest, Quote
from feed.exchange.exchange import Exchange
from feed.exchange.server import Server, serve
from feed.venue import Action
from tests.exchange.scripted import PERP, ScriptedMarket
from tests.feed.raw_server import wait_for
from tests.shared import ROOT

KEY = throwaway_key("K1")
QUICK = BackoffSettings(first_ns=20_000_000, cap_ns=50_000_000)
Test = Callable[[ThalexClient, Server, Exchange], Awaitable[None]]


def with_client(run, work: Test, **options) -> None:
    async def whole() -> None:
        exchange = Exchange(ScriptedMarket(depth=5))
        server = await serve(exchange)
        try:
            options.setdefault("credentials", KEY)
            async with ThalexClient(server.url, backoff=QUICK, random=Random(1), **options) as client:
                await work(client, server, exchange)
        finally:
            await server.close()

    run(whole())


def drop_all(client: ThalexClient) -> None:
    assert client._connection is not None
    client._connection.abort("pulled out")


def test_initialising_gives_account_rate_and_instruments(run):
    async def work(client, server, exchange):
        assert client.is_ready and client.account_number in exchange.accounts
        assert client.instruments[PERP]["tick_size"] == 1
        assert client.stats()["message_rate"] == 50
        with pytest.raises(TypeError):
            client.instruments["X"] = {}
        with pytest.raises(RuntimeError, match="once"):
            await client.initialize()

    with_client(run, work)


def test_public_data_needs_no_credentials(run):
    async def work(client, server, exchange):
        assert (await client.ticker(PERP))["mark_price"] > 0
        assert len((await client.book(PERP))["bids"]) == 5
        assert (await client.index("BTCUSD"))["price"] == 78_000
        assert (await client.system_info())["environment"] == "testnet"
        assert [row["instrument_name"] for row in await client.get_instruments(underlying="ETHUSD")] == [
            "ETH-PERPETUAL"
        ]
        with pytest.raises(VenueError) as caught:
            await client.open_orders()
        assert (caught.value.code, caught.value.name) == (7, "NOT_LOGGED_IN")
        assert caught.value.action is Action.RECONNECT

    with_client(run, work, credentials=None)


def test_the_life_of_an_order(run):
    async def work(client, server, exchange):
        order = await client.insert("buy", 0.1, PERP, 77_000, client_order_id=7, label="test", post_only=True)
        assert (order["status"], order["label"]) == ("open", "test")
        order = await client.amend(77_100, 0.2, client_order_id=7)
        assert (order["price"], order["amount"]) == (77_100, 0.2)
        assert [row["client_order_id"] for row in await client.open_orders()] == [7]
        assert (await client.cancel(client_order_id=7))["status"] == "cancelled"
        with pytest.raises(VenueError) as caught:
            await client.cancel(client_order_id=7)
        assert (caught.value.code, caught.value.name) == (1, "ORDER_NOT_FOUND")
        taken = await client.buy(0.5, PERP, order_type="market")
        assert taken["status"] == "filled" and sum(fill["amount"] for fill in taken["fills"]) == 0.5
        assert (await client.portfolio())[0]["position"] == 0.5
        sold = await client.sell(0.5, PERP, order_type="market", reduce_only=True)
        assert sold["status"] == "filled"
        assert client.stats()["sent_reduce"] == 1
        await client.buy(0.1, PERP, 70_000)
        assert await client.cancel_all() == 1

    with_client(run, work)


def test_mass_quotes_need_protection_and_report_each_failure(run):
    async def work(client, server, exchange):
        quotes = [Quote(PERP, bids=[(77_900, 0.1), (77_890.5, 0.1)], asks=[(78_100, 0.1)])]
        result = await client.mass_quote(quotes=quotes, label="mm", post_only=True)
        assert (result.n_success, result.n_fail) == (2, 1)
        assert [error.code for error in result.errors] == [15]
        assert len(await client.open_orders()) == 2
        result = await client.mass_quote([Quote(PERP, bids=[])])
        assert result.n_fail == 0
        assert [order["direction"] for order in await client.open_orders()] == ["sell"]
        await client.cancel_mass_quote()
        assert await client.open_orders() == []

    with_client(run, work, protection={"FBTCUSD": (1, 2)})


def test_subscriptions_by_iteration_and_by_callback(run):
    async def work(client, server, exchange):
        told = []
        await client.subscribe("session.orders", callback=told.append)
        subscription = await client.subscribe(f"book.{PERP}.none.all.raw", "system")
        async for message in subscription:
            assert message.snapshot and message.channel.startswith("book.")
            assert len(message.payload["bid_changes"]) == 5
            break
        with pytest.raises(ValueError, match="already"):
            await client.subscribe("session.orders")
        await client.buy(0.1, PERP, 70_000)
        await wait_for(lambda: any(order["status"] == "open" for message in told for order in message.payload))
        await client.unsubscribe(subscription)
        await client.cancel_all()
        rest = [message async for message in subscription]
        assert all(message.channel.startswith("book.") for message in rest)
        again = await client.subscribe(f"book.{PERP}.none.all.raw")
        assert (await anext(again)).snapshot

    with_client(run, work)


def test_a_channel_that_the_venue_does_not_have_is_an_error(run):
    async def work(client, server, exchange):
        with pytest.raises((SubscriptionRefused, VenueError)):
            await client.subscribe("ticker.NO-SUCH.raw", "price_index.BTCUSD")
        await client.subscribe("price_index.BTCUSD")

    with_client(run, work)


def test_a_lost_connection_comes_back_with_everything(run):
    """Log in, cancel-on-disconnect, protection and subscriptions are all made again; the old orders are gone."""

    async def work(client, server, exchange):
        orders = await client.subscribe("session.orders")
        assert (await anext(orders)).generation == 1
        await client.buy(0.1, PERP, 70_000)
        drop_all(client)
        await wait_for(lambda: not client.is_ready)
        with pytest.raises(NotSent):
            await client.ticker(PERP)
        await client.wait_ready()
        assert client.generation == 2
        await wait_for(lambda: not exchange.open_orders(client.account_number))
        result = await client.mass_quote([Quote(PERP, bids=[(77_000, 0.1)])])
        assert result.n_success == 1
        async for message in orders:
            if message.generation == 2 and message.payload and message.payload[0]["status"] == "open":
                break
        assert message.payload[0]["price"] == 77_000
        assert client.stats()["message_rate"] == 50

    with_client(run, work, protection={"FBTCUSD": (1, 1)})


def test_the_venue_asks_to_reconnect(run):
    async def work(client, server, exchange):
        exchange.announce_close(server.now_ns())
        await wait_for(lambda: client.generation == 2 and client.is_ready)
        assert (await client.ticker(PERP))["mark_price"] > 0

    with_client(run, work)


def test_closing_ends_everything(run):
    ended = []

    async def work(client, server, exchange):
        subscription = await client.subscribe("price_index.BTCUSD")

        async def read() -> None:
            async for _ in subscription:
                continue
            ended.append(True)

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        await client.close()
        await asyncio.wait_for(reader, 2)
        with pytest.raises(NotSent, match="closed"):
            await client.ticker(PERP)
        with pytest.raises(NotSent, match="closed"):
            await client.wait_ready()

    with_client(run, work)
    assert ended == [True]


def test_a_wrong_account_is_an_error_at_once(run):
    async def whole() -> None:
        server = await serve(Exchange(ScriptedMarket()))
        try:
            client = ThalexClient(server.url, KEY, account="A000000000")
            with pytest.raises((SetUpFailed, VenueError)):
                await client.initialize()
            assert not client.is_ready
            await client.close()
        finally:
            await server.close()

    run(whole())


def test_nothing_is_sent_before_and_bad_requests_never(run):
    async def work(client, server, exchange):
        before = client.stats()["writes"]
        for bad in (client.buy(float("nan"), PERP), client.cancel(), client.mass_quote([])):
            with pytest.raises(BadRequest):
                await bad
        with pytest.raises(ValueError):
            client.rate_limit = 0
        assert client.stats()["writes"] == before

    with_client(run, work)

    async def unconnected() -> None:
        client = ThalexClient("ws://127.0.0.1:1/")
        with pytest.raises(NotSent):
            await client.ticker(PERP)
        with pytest.raises(NotSent):
            await client.subscribe("banners")

    run(unconnected())


def test_the_knob_of_requests_a_minute_spares_cancels(run):
    async def work(client, server, exchange):
        assert client.rate_limit is None
        client.rate_limit = 60
        used = client.stats()["sent_other"]
        for _ in range(60 - used):
            await client.system_info()
        client.request_timeout_s = 0.3
        with pytest.raises(NotSent, match="budget"):
            await client.system_info()
        assert await client.cancel_all() == 0
        client.rate_limit = None
        assert await client.system_info()

    with_client(run, work)


def test_pipelined_requests_find_their_answers(run):
    async def work(client, server, exchange):
        names = [PERP, "ETH-PERPETUAL"] * 10
        tickers = await asyncio.gather(*(client.ticker(name) for name in names))
        assert [round(ticker["index"]) for ticker in tickers] == [78_000, 3_500] * 10
        with pytest.raises(OutcomeUnknown):
            waiting = asyncio.create_task(client.ticker(PERP))
            await asyncio.sleep(0)
            drop_all(client)
            await waiting

    with_client(run, work)


def test_the_example_quotes_and_leaves_nothing(run, capsys):
    example = runpy.run_path(str(ROOT / "examples" / "client.py"))

    async def whole() -> None:
        exchange = Exchange(ScriptedMarket(depth=5))
        server = await serve(exchange)
        try:
            await example["main"](server.url, KEY, seconds=0.5)
            (account,) = exchange.accounts
            assert exchange.open_orders(account) == []
        finally:
            await server.close()

    run(whole())
    assert "77975 / 78025: 2 accepted, 0 refused" in capsys.readouterr().out
