"""Money: positions, fees, funding, settlement and margin in closed form, and books that balance (protocol 11)."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.accounts import USD
from tests.exchange.scripted import FUTURE, PERP, Client, crowd, later, opened


def test_average_price_realised_profit_and_fees():
    exchange = opened()
    client = Client(exchange)
    crowd(exchange, "sell", 78_000, 100)
    crowd(exchange, "sell", 78_100, 300)
    client.insert("buy", 78_100, 0.4)
    row = client.call("private/portfolio")[0]
    assert row["average_price"] == pytest.approx(78_075)
    assert row["entry_value"] == pytest.approx(31_230)
    assert row["unrealised_pnl"] == pytest.approx(-30)
    crowd(exchange, "buy", 78_175, 1000)
    client.insert("sell", 78_175, 0.1)
    row = client.call("private/portfolio")[0]
    fees = 0.5 * 78_000 * 0.0005
    assert row["average_price"] == pytest.approx(78_075)
    assert row["realised_pnl"] == pytest.approx(10 - fees)
    assert exchange.fees_usd("A123456789") == pytest.approx(fees)
    assert exchange.cash_usd("A123456789") == pytest.approx(-31_230 + 7817.5 - fees)
    client.insert("sell", 78_175, 0.5)
    row = client.call("private/portfolio")[0]
    assert (row["position"], row["average_price"]) == (-0.2, pytest.approx(78_175))


def test_maker_pays_one_basis_point_and_taker_five_of_the_index():
    exchange = opened()
    maker, taker = Client(exchange, "K1"), Client(exchange, "K2")
    maker.insert("buy", 78_050, 1)
    taker.insert("sell", 78_050, 1)
    assert exchange.fees_usd("A1") == 7.8
    assert exchange.fees_usd("A2") == 39
    assert exchange.fees_usd() == pytest.approx(46.8)
    assert exchange.crowd_cash_usd() == 0
    later(exchange, 1)
    (trade,) = maker.call("private/trade_history")["trades"]
    assert (trade["fee"], trade["fee_rate"], trade["fee_basis"], trade["maker_taker"]) == (7.8, 0.0001, 78_000, "maker")


def test_mark_is_the_index_plus_an_average_of_the_premium():
    exchange = opened()
    crowd(exchange, "buy", 78_095, 2000)
    crowd(exchange, "sell", 78_105, 2000)
    expected = 0.0
    for _ in range(5):
        expected += (100 - expected) * 2 / 31
    later(exchange, 5)
    assert exchange.listings[PERP].mark_e8 / 1e8 == pytest.approx(78_000 + expected, abs=1e-6)


def test_mark_goes_to_the_index_when_the_book_is_thin():
    exchange = opened()
    crowd(exchange, "buy", 78_095, 900)
    crowd(exchange, "sell", 78_105, 2000)
    later(exchange, 5)
    assert exchange.listings[PERP].mark_e8 / 1e8 == 78_000


def test_a_future_keeps_its_basis_when_the_book_is_thin():
    exchange = opened()
    bid = crowd(exchange, "buy", 78_095, 2000, name=FUTURE)
    crowd(exchange, "sell", 78_105, 2000, name=FUTURE)
    later(exchange, 30)
    basis = exchange.listings[FUTURE].mark_e8
    exchange.reduce(bid, 0)
    later(exchange, 30)
    assert exchange.listings[FUTURE].mark_e8 == basis > 78_050e8


@pytest.mark.parametrize(("premium", "rate"), [(0.0002, 0.0), (-0.0002, 0.0), (0.001, 0.00075), (-0.001, -0.00075)])
def test_funding_rate_has_a_dampener(premium, rate):
    exchange = opened(mark_ema_weight=1.0)
    mid = round(78_000 * (1 + premium))
    crowd(exchange, "buy", mid - 5, 2000)
    crowd(exchange, "sell", mid + 5, 2000)
    later(exchange, 2)
    assert exchange.listings[PERP].funding_rate == pytest.approx(rate, abs=1e-8)


def test_funding_accrues_per_eight_hours_and_longs_pay_a_positive_rate():
    exchange = opened(mark_ema_weight=1.0)
    client = Client(exchange)
    crowd(exchange, "buy", 78_073, 3000)
    crowd(exchange, "sell", 78_083, 3000)
    later(exchange, 2)
    client.insert("buy", 78_083, 1)
    rate = exchange.listings[PERP].funding_rate
    before = client.call("public/ticker", instrument_name=PERP)["funding_mark"]
    later(exchange, 3600)
    ticker = client.call("public/ticker", instrument_name=PERP)
    expected = -rate * 78_000 / 8
    assert ticker["funding_mark"] - before == pytest.approx(expected, rel=1e-6)
    row = client.call("private/portfolio")[0]
    assert row["unrealised_perpetual_funding"] == pytest.approx(expected, rel=1e-6)
    assert ticker["realised_funding_24h"] == pytest.approx(ticker["funding_mark"])


def test_settlement_pays_out_and_restarts_from_the_mark():
    exchange = opened(mark_ema_weight=1.0)
    client = Client(exchange)
    crowd(exchange, "buy", 78_073, 3000)
    crowd(exchange, "sell", 78_083, 3000)
    client.insert("buy", 78_083, 1)
    day = 86_400 * 10**9
    settlement = exchange.now_ns - exchange.now_ns % day + 8 * 3600 * 10**9
    settlement += day if settlement <= exchange.now_ns else 0
    exchange.advance(settlement - 1)
    equity = exchange.equity_usd("A123456789")
    funding = client.call("private/portfolio")[0]["unrealised_perpetual_funding"]
    assert funding < -1
    exchange.advance(settlement)
    assert exchange.equity_usd("A123456789") == pytest.approx(equity, abs=0.01)
    row = client.call("private/portfolio")[0]
    assert row["start_price"] == pytest.approx(row["mark_price"])
    assert row["average_price"] == 78_083
    assert row["unrealised_pnl"] == 0
    assert row["unrealised_perpetual_funding"] == pytest.approx(0, abs=0.01)
    summary = client.call("private/account_summary")
    assert summary["session_realised_pnl"] == 0
    assert summary["cash"][0]["balance"] == pytest.approx(equity, abs=0.01)
    (mark,) = client.call("private/daily_mark_history")["daily_marks"]
    assert mark["realized_funding_pnl"] == pytest.approx(funding, abs=0.01)
    kinds = [row["type"] for row in client.call("private/transaction_history", sort="ascending")["transactions"]]
    assert kinds == ["deposit", "settlement"]
    total = exchange.cash_usd("A123456789") + exchange.crowd_cash_usd() + exchange.fees_usd()
    assert abs(total) < 1e-9


TRADES = st.lists(
    st.tuples(st.integers(-3, 3), st.booleans(), st.integers(-40, 40), st.integers(1, 400), st.integers(0, 3)),
    max_size=60,
)


@settings(max_examples=25, deadline=None)
@given(TRADES)
def test_the_books_balance_to_the_last_digit(trades):
    """Cash of clients, crowd and fees is zero and positions cancel, across crossing clients, funding and marks."""
    exchange = opened(message_rate_persistent=0, mark_ema_weight=1.0, margin_rate=0.0)
    clients = [Client(exchange, f"K{n}") for n in range(3)]
    for who, buy, away, lots, wait in trades:
        direction, price = "buy" if buy else "sell", 78_033 + away
        if who < 0:
            crowd(exchange, direction, price, lots)
        else:
            name = PERP if who < 3 else FUTURE
            clients[who % 3].insert(direction, price, lots / 1000, instrument_name=name, stp_level="disabled")
        later(exchange, wait)
    flows = sum(account.flow() for account in exchange.accounts.values())
    assert flows + exchange.crowd_cash + exchange.execution.fees == 0
    for name in (PERP, FUTURE):
        held = sum(a.positions[name].amount_e8 for a in exchange.accounts.values() if name in a.positions)
        assert held + exchange.crowd.get(name, 0) == 0
    for account in exchange.accounts.values():
        for position in account.positions.values():
            live = [o for o in account.orders.values() if o.listing is position.listing]
            for buy, open_e8 in ((True, position.open_buy_e8), (False, position.open_sell_e8)):
                assert open_e8 == sum(o.remaining * o.listing.lot_e8 for o in live if o.buy is buy)


def test_the_books_balance_over_days():
    exchange = opened(message_rate_persistent=0, mark_ema_weight=0.5)
    clients = [Client(exchange, f"K{n}") for n in range(2)]
    dice = random.Random(3)
    for _ in range(110):
        direction = dice.choice(["buy", "sell"])
        price = 78_000 + dice.randint(-60, 90)
        if dice.random() < 0.5:
            crowd(exchange, direction, price, dice.randint(1, 3000))
        else:
            dice.choice(clients).insert(direction, price, dice.randint(1, 300) / 1000)
        exchange.set_index("BTCUSD", 78_000 + dice.gauss(0, 30))
        later(exchange, dice.random() * 2000)
    flows = sum(account.flow() for account in exchange.accounts.values())
    assert flows + exchange.crowd_cash + exchange.execution.fees == 0
    equity = sum(exchange.equity_usd(number) for number in exchange.accounts)
    listing = exchange.listings[PERP]
    crowd_value = exchange.crowd[PERP] * (listing.mark_e8 * 10**4 + listing.funding_mark_e12) / USD
    assert equity + exchange.crowd_cash_usd() + crowd_value + exchange.fees_usd() == pytest.approx(2e6, abs=1e-6)


def test_required_margin_is_the_worst_case_notional():
    exchange = opened(depth=5)
    client = Client(exchange)
    client.insert("buy", 78_010, 1)
    client.insert("buy", 77_000, 2)
    client.insert("sell", 79_000, 0.5)
    mark = exchange.listings[PERP].mark_e8 / 1e8
    assert client.call("private/account_summary")["required_margin"] == pytest.approx(0.25 * 3 * mark)
    margin = client.call("private/required_margin_for_order", instrument_name=PERP, price=78_000, amount=1)
    assert margin["with_buy"]["required_margin"] == pytest.approx(0.25 * 4 * mark)
    assert margin["with_sell"]["required_margin"] == margin["current"]["required_margin"]
    breakdown = client.call("private/account_breakdown")["portfolio"][0]
    assert (breakdown["open_buy_amount"], breakdown["open_sell_amount"]) == (2, 0.5)
