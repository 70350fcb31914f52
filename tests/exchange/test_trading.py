"""Single orders: each rule of protocol section 6, through the wire."""

import pytest

from tests.exchange.scripted import PERP, Client, crowd, later, opened


@pytest.fixture
def exchange():
    return opened(depth=5)


@pytest.fixture
def client(exchange):
    return Client(exchange, timeout_secs=3600)


def test_limit_order_rests_and_reports_every_member(client):
    order = client.insert("buy", 77_985, 0.1, label="mm", client_order_id=2**64 - 1)
    assert list(order) == [
        "order_id", "order_type", "time_in_force", "instrument_name", "direction", "price", "amount", "filled_amount",
        "remaining_amount", "label", "client_order_id", "status", "fills", "change_reason", "insert_reason",
        "create_time", "persistent",
    ]  # fmt: skip
    assert (order["status"], order["price"], order["remaining_amount"]) == ("open", 77_985, 0.1)
    assert order["client_order_id"] == 2**64 - 1
    assert client.call("private/open_orders") == [order]


def test_marketable_limit_fills_at_the_makers_prices_and_rests_the_remainder(client):
    order = client.insert("buy", 78_020, 2.5)
    assert [(f["price"], f["amount"], f["maker_taker"]) for f in order["fills"]] == [
        (78_010, 1, "taker"),
        (78_020, 1, "taker"),
    ]
    assert (order["status"], order["filled_amount"], order["remaining_amount"]) == ("partially_filled", 2, 0.5)


def test_ioc_remainder_is_cancelled(client):
    order = client.insert("buy", 78_010, 1.5, time_in_force="immediate_or_cancel")
    assert (order["status"], order["delete_reason"]) == ("cancelled_partially_filled", "immediate_cancel")
    assert order["change_reason"] == "insert"
    order = client.insert("buy", 78_000, 1, time_in_force="immediate_or_cancel")
    assert (order["status"], order["fills"]) == ("cancelled", [])


def test_market_order_has_no_price_and_defaults_to_ioc(client):
    order = client.insert("sell", None, 0.05, order_type="market")
    assert "price" not in order
    assert (order["status"], order["time_in_force"]) == ("filled", "immediate_or_cancel")
    assert order["delete_reason"] == "filled"


def test_market_order_is_clamped_to_the_collar(exchange, client):
    high = exchange.listings[PERP].collar_high_e8 // 10**8
    crowd(exchange, "sell", high + 1, 100_000)
    order = client.insert("buy", None, 8, order_type="market")
    assert order["filled_amount"] == 5
    assert order["delete_reason"] == "immediate_cancel"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"order_type": "market", "collar": "ignore"}, 45),
        ({"order_type": "market", "time_in_force": "good_till_cancelled"}, 25),
        ({"price": 78_000, "post_only": True, "time_in_force": "immediate_or_cancel"}, 25),
        ({"price": 90_000}, 43),
        ({"price": 90_000, "collar": "none"}, 6),
        ({"price": 78_000.5}, 15),
        ({"price": 78_000, "amount": 0.0005}, 14),
        ({"price": 10_000.92, "amount": 0.00100001, "collar": "ignore"}, 15),
        ({"price": 78_000, "amount": 0}, 14),
        ({"price": 78_000, "amount": -1}, 14),
        ({"price": 0}, 13),
        ({"price": -1}, 13),
        ({}, 6),
        ({"price": 78_000, "label": "a b"}, 6),
        ({"price": 78_000, "label": "x" * 65}, 6),
        ({"price": 78_000, "client_order_id": -1}, 6),
        ({"price": 78_000, "instrument_name": "BTC-1JAN70"}, 5),
        ({"price": 78_000, "legs": []}, 6),
        ({"price": 78_000, "amount": 1_000}, 24),
        ({"price": 78_000, "reduce_only": True}, 57),
    ],
)
def test_refusals(client, params, code):
    request = {"direction": "buy", "instrument_name": PERP, "amount": 0.1} | params
    assert client.fails("private/insert", **request) == code
    assert client.call("private/open_orders") == []


def test_collar_directions(client):
    assert client.fails("private/sell", instrument_name=PERP, amount=0.1, price=70_000) == 43
    assert client.insert("buy", 70_000, 0.1)["status"] == "open"
    order = client.insert("sell", 70_000, 5.001, collar="clamp")
    assert order["price"] == 76_440
    order = client.insert("buy", 90_000, 0.001, collar="ignore", stp_level="disabled")
    assert (order["status"], order["fills"][0]["price"]) == ("filled", 76_440)


def test_numbers_may_be_strings_and_are_rounded_to_eight_decimals(client):
    order = client.call("private/buy", instrument_name=PERP, amount=1, price="77985.000000001")
    assert order["price"] == 77_985
    order = client.call("private/buy", instrument_name="ETH-PERPETUAL", amount="0.1", price=3.0999999999999999)
    assert order["price"] == 3.1


def test_post_only_moves_one_tick_away(client):
    order = client.insert("buy", 78_500, 0.1, post_only=True)
    assert (order["price"], order["status"]) == (78_009, "open")


def test_reject_post_only_is_a_success_reply_with_a_cancelled_order(client):
    order = client.insert("buy", 78_010, 0.1, post_only=True, reject_post_only=True)
    assert (order["status"], order["delete_reason"]) == ("cancelled", "immediate_cancel")


def test_post_only_that_would_land_at_zero_is_cancelled(exchange, client):
    crowd(exchange, "sell", 1, 1_000_000)
    order = client.insert("buy", 5, 0.1, post_only=True)
    assert (order["status"], order["delete_reason"]) == ("cancelled", "immediate_cancel")


def test_client_order_id_is_unique_while_live_and_free_afterwards(client):
    request = {"direction": "buy", "instrument_name": PERP, "amount": 0.1, "price": 77_900, "client_order_id": 5}
    client.call("private/insert", **request)
    assert client.fails("private/insert", **request) == 2
    assert client.call("private/cancel", client_order_id=5)["delete_reason"] == "client_cancel"
    assert client.call("private/insert", **request)["status"] == "open"


def test_client_order_ids_belong_to_a_session(exchange, client):
    client.insert("buy", 77_900, 0.1, client_order_id=5)
    other = Client(exchange)
    assert other.insert("buy", 77_901, 0.1, client_order_id=5)["status"] == "open"
    assert other.fails("private/cancel", client_order_id=6) == 1


def test_cancel_by_order_id_reaches_other_sessions_of_the_account_only(exchange, client):
    order = client.insert("buy", 77_900, 0.1)
    assert Client(exchange, "K1").fails("private/cancel", order_id=order["order_id"]) == 1
    assert Client(exchange).call("private/cancel", order_id=order["order_id"])["status"] == "cancelled"
    assert client.fails("private/cancel", order_id=order["order_id"]) == 1
    assert client.fails("private/cancel", order_id="x") == 1
    assert client.fails("private/cancel") == 6
    assert client.fails("private/cancel", order_id="1", client_order_id=1) == 6


def test_amend_to_a_smaller_amount_at_the_same_price_keeps_priority(exchange, client):
    client.insert("buy", 77_995, 0.1, client_order_id=1)
    crowd(exchange, "buy", 77_995, 100)
    order = client.call("private/amend", client_order_id=1, price=77_995, amount=0.05)
    assert (order["change_reason"], order["remaining_amount"]) == ("amend", 0.05)
    crowd(exchange, "sell", 77_995, 50, ioc=True)
    assert client.call("private/open_orders") == []


@pytest.mark.parametrize(("price", "amount"), [(77_995, 0.2), (77_995, 0.1)])
def test_any_other_amend_loses_priority(exchange, client, price, amount):
    client.insert("buy", 77_995, 0.1, client_order_id=1)
    crowd(exchange, "buy", 77_995, 100)
    client.call("private/amend", client_order_id=1, price=price, amount=amount)
    crowd(exchange, "sell", 77_995, 100, ioc=True)
    (order,) = client.call("private/open_orders")
    assert order["filled_amount"] == 0


def test_amend_amount_is_the_total_and_at_or_below_filled_it_cancels(exchange, client):
    client.insert("buy", 77_995, 0.1, client_order_id=1)
    crowd(exchange, "sell", 77_995, 40, ioc=True)
    order = client.call("private/amend", client_order_id=1, price=77_996, amount=0.06)
    assert (order["amount"], order["filled_amount"], order["remaining_amount"]) == (0.06, 0.04, 0.02)
    order = client.call("private/amend", client_order_id=1, price=77_996, amount=0.04)
    assert (order["status"], order["change_reason"]) == ("cancelled_partially_filled", "amend")


def test_amend_can_execute_and_respects_the_collar(client):
    client.insert("buy", 77_995, 0.1, client_order_id=1)
    assert client.fails("private/amend", client_order_id=1, price=90_000, amount=0.1) == 43
    order = client.call("private/amend", client_order_id=1, price=78_010, amount=0.1)
    assert (order["status"], order["change_reason"]) == ("filled", "amend")
    assert order["fills"][0]["maker_taker"] == "taker"
    assert client.fails("private/amend", client_order_id=1, price=78_010, amount=0.1) == 1


def test_post_only_across_amends_is_a_switch():
    for keeps, status in ((True, "open"), (False, "filled")):
        client = Client(opened(depth=5, amend_keeps_post_only=keeps))
        client.insert("buy", 77_995, 0.1, client_order_id=1, post_only=True)
        order = client.call("private/amend", client_order_id=1, price=78_020, amount=0.1)
        assert order["status"] == status


def test_self_trade_prevention_fills_up_to_the_own_level_and_cancels_only_the_taker(client):
    own = client.insert("sell", 78_015, 0.1)
    order = client.insert("buy", 78_020, 3)
    assert (order["filled_amount"], order["delete_reason"]) == (1, "self_trade_prevention")
    assert [o["order_id"] for o in client.call("private/open_orders")] == [own["order_id"]]


def test_self_trade_prevention_without_fills(client):
    client.insert("sell", 78_015, 0.1)
    order = client.insert("buy", 78_020, 3, stp_action="cancel_aggressive_no_fill")
    assert (order["filled_amount"], order["delete_reason"]) == (0, "self_trade_prevention")
    order = client.insert("buy", 78_020, 1, stp_action="cancel_aggressive_no_fill")
    assert order["status"] == "filled"


def test_self_trade_prevention_can_be_disabled(client):
    client.insert("sell", 78_005, 0.1)
    assert client.insert("buy", 78_005, 0.1, stp_level="disabled")["status"] == "filled"
    client = Client(opened(stp_override=False))
    assert client.fails("private/buy", instrument_name=PERP, amount=1, price=78_000, stp_level="disabled") == 28


def test_reduce_only_is_cut_to_the_position_and_watched(exchange, client):
    client.insert("buy", 78_010, 0.5)
    client.call("private/subscribe", channels=["session.orders"])
    order = client.insert("sell", 78_100, 2, reduce_only=True)
    assert (order["amount"], order["reduce_only"]) == (0.5, True)
    assert client.fails("private/buy", instrument_name=PERP, amount=0.1, price=77_900, reduce_only=True) == 57
    client.insert("sell", 77_990, 0.3)
    (left,) = client.call("private/open_orders")
    assert left["remaining_amount"] == 0.2
    client.insert("sell", 77_990, 0.2)
    assert client.call("private/open_orders") == []


def test_cancel_all_counts_orders_of_the_account(exchange, client):
    client.insert("buy", 77_900, 0.1)
    Client(exchange).insert("buy", 77_901, 0.1)
    Client(exchange, "K1").insert("buy", 77_902, 0.1)
    client.call("private/subscribe", channels=["account.orders"])
    assert client.call("private/cancel_all") == 2
    reasons = [o["delete_reason"] for rows in client.got("account.orders")[1:] for o in rows]
    assert reasons == ["client_bulk_cancel"] * 2


def test_session_orders_carries_only_new_fills_and_existing_all(exchange, client):
    client.call("private/subscribe", channels=["session.orders"])
    client.insert("buy", 77_995, 0.1)
    crowd(exchange, "sell", 77_995, 40, ioc=True)
    crowd(exchange, "sell", 77_995, 10, ioc=True)
    updates = [rows[0] for rows in client.got("session.orders")[1:]]
    assert [u["change_reason"] for u in updates] == ["insert", "fill", "fill"]
    assert [[f["amount"] for f in u["fills"]] for u in updates] == [[], [0.04], [0.01]]
    client.call("private/subscribe", channels=["account.orders"])
    (snapshot,) = client.got("account.orders")[0]
    assert (snapshot["change_reason"], len(snapshot["fills"])) == ("existing", 2)


def test_open_order_limits():
    client = Client(opened(max_open_orders=2, message_rate_persistent=0))
    for _ in range(2):
        client.insert("buy", 77_900, 0.1)
    assert client.fails("private/buy", instrument_name=PERP, amount=0.1, price=77_900) == 49
    client = Client(opened(max_open_usd=10_000.0))
    client.insert("buy", 77_900, 0.1)
    assert client.fails("private/buy", instrument_name=PERP, amount=0.1, price=77_900) == 50
    assert client.insert("sell", 78_100, 0.1)["status"] == "open"


def test_margin_refuses_risk_but_lets_risk_be_reduced(exchange, client):
    client.insert("buy", 78_050, 5)
    exchange.account("A123456789").balance = 0
    assert client.fails("private/buy", instrument_name=PERP, amount=1, price=77_900) == 24
    assert client.insert("sell", 78_200, 1)["status"] == "open"


def test_falling_below_initial_margin_deletes_open_orders(exchange, client):
    client.insert("buy", 78_010, 0.5)
    client.insert("buy", 77_900, 5)
    client.insert("sell", 78_200, 0.5, client_order_id=1)
    client.call("private/subscribe", channels=["session.orders"])
    exchange.account("A123456789").balance = 0
    later(exchange, 1.5)
    assert client.got("session.orders")[-1][0]["delete_reason"] == "margin_breach"
    assert [order["client_order_id"] for order in client.call("private/open_orders")] == [1]
