"""Mass quotes and their protection: each rule of protocol section 7."""

import pytest

from tests.exchange.scripted import FUTURE, PERP, Client, crowd, opened


def armed(exchange, trade=10.0, quote=10.0, key="K123456789"):
    client = Client(exchange, key, timeout_secs=3600)
    client.call("private/set_mm_protection", product="FBTCUSD", trade_amount=trade, quote_amount=quote)
    client.call("private/subscribe", channels=["session.orders", "session.mm_protection"])
    client.clear()
    return client


@pytest.fixture
def exchange():
    return opened(depth=5)


def shown(client):
    """Live quotes as (direction, price, remaining), best bid first."""
    rows = [(o["direction"], o["price"], o["remaining_amount"]) for o in client.call("private/open_orders")]
    return sorted(rows, key=lambda row: (row[0], -row[1]))


def ids(client):
    return {(o["direction"], o["price"]): o["order_id"] for o in client.call("private/open_orders")}


def test_needs_a_non_persistent_session_protection_and_permission(exchange):
    assert Client(exchange).fails("private/mass_quote", quotes=[]) == 52
    client = Client(exchange, timeout_secs=10)
    assert client.fails("private/mass_quote", quotes=[{"i": PERP, "b": {"a": 0.1, "p": 77_990}}]) == 23
    client = Client(opened(market_makers=frozenset({"A1"})), timeout_secs=10)
    assert client.fails("private/mass_quote", quotes=[]) == 51
    client = Client(opened(protection_missing="entry"), timeout_secs=10)
    result = client.quote([[77_990, 0.1]], [])
    assert (result["n_fail"], result["errors"][0]["code"]) == (1, 23)


def test_example_of_three_sides_and_four_levels_counts_levels(exchange):
    quotes = [
        {"i": PERP, "b": [[77_980, 0.1], [77_970, 0.2]], "a": [[78_100, 0.1]]},
        {"i": FUTURE, "a": {"a": 0.1, "p": 79_000}},
    ]
    client = armed(exchange)
    assert client.call("private/mass_quote", quotes=quotes) == {"n_success": 4, "n_fail": 0, "errors": []}
    by_side = armed(opened(depth=5, quote_count="side"))
    assert by_side.call("private/mass_quote", quotes=quotes)["n_success"] == 3


def test_left_out_sides_and_instruments_are_untouched(exchange):
    client = armed(exchange)
    client.quote([[77_980, 0.1]], [[78_100, 0.1]])
    client.quote([[79_000, 0.1]], None, instrument_name=FUTURE, post_only=True)
    client.quote(None, [[78_101, 0.1]])
    assert shown(client) == [("buy", 78_009, 0.1), ("buy", 77_980, 0.1), ("sell", 78_101, 0.1)]


@pytest.mark.parametrize("side", [[], {"p": 0, "a": 0}, [[77_980, 0]]])
def test_an_empty_side_or_amount_zero_removes(exchange, side):
    client = armed(exchange)
    client.quote([[77_980, 0.1]], [[78_100, 0.1]])
    assert client.call("private/mass_quote", quotes=[{"i": PERP, "b": side}], post_only=True)["n_fail"] == 0
    assert shown(client) == [("sell", 78_100, 0.1)]


def test_a_stated_side_replaces_all_its_levels_and_identical_ones_keep_their_priority(exchange):
    client = armed(exchange)
    client.quote([[77_995, 0.1], [77_980, 0.2]], [])
    before = ids(client)
    crowd(exchange, "buy", 77_995, 100)
    client.quote([[77_995, 0.1], [77_970, 0.2]], [])
    after = ids(client)
    assert after["buy", 77_995] == before["buy", 77_995]
    assert set(after) == {("buy", 77_995), ("buy", 77_970)}
    crowd(exchange, "sell", 77_995, 100, ioc=True)
    assert shown(client) == [("buy", 77_970, 0.2)]


def test_a_changed_level_is_a_new_order_behind_the_others(exchange):
    client = armed(exchange)
    client.quote([[77_995, 0.1]], None)
    before = ids(client)
    crowd(exchange, "buy", 77_995, 100)
    client.quote([[77_995, 0.05]], None)
    assert ids(client)["buy", 77_995] != before["buy", 77_995]
    crowd(exchange, "sell", 77_995, 100, ioc=True)
    assert shown(client) == [("buy", 77_995, 0.05)]


def test_replacement_is_not_volume_safe(exchange):
    client = armed(exchange)
    client.quote([[77_995, 0.1]], None)
    crowd(exchange, "sell", 77_995, 60, ioc=True)
    client.quote([[77_995, 0.1]], None)
    assert shown(client) == [("buy", 77_995, 0.1)]
    by_amount = armed(opened(depth=5, quote_identity="amount"))
    by_amount.quote([[77_995, 0.1]], None)
    crowd(by_amount.exchange, "sell", 77_995, 60, ioc=True)
    by_amount.quote([[77_995, 0.1]], None)
    assert shown(by_amount) == [("buy", 77_995, 0.04)]


def test_replaced_quotes_cannot_meet_themselves(exchange):
    client = armed(exchange)
    client.quote([[77_995, 0.1]], [[78_001, 0.1]])
    result = client.quote([[78_004, 0.1]], [[78_008, 0.1]])
    assert result["n_success"] == 2
    assert shown(client) == [("buy", 78_004, 0.1), ("sell", 78_008, 0.1)]
    updates = client.got("session.orders")[-1]
    assert [o.get("delete_reason") for o in updates] == ["replaced", "replaced", None, None]


def test_quotes_ignore_collars_and_have_no_client_order_id(exchange):
    client = armed(exchange)
    client.quote([[10, 0.1]], [[200_000, 0.1]], label="mm")
    orders = client.call("private/open_orders")
    assert len(orders) == 2
    assert all("client_order_id" not in o and o["label"] == "mm" for o in orders)


def test_post_only_quotes_are_widened_or_rejected(exchange):
    client = armed(exchange)
    client.quote([[78_500, 0.1]], None, post_only=True)
    assert shown(client) == [("buy", 78_009, 0.1)]
    client.quote([[78_500, 0.2]], None, post_only=True, reject_post_only=True)
    assert shown(client) == []
    assert client.got("session.orders")[-1][-1]["delete_reason"] == "immediate_cancel"


def test_a_failing_level_is_an_entry_with_side_and_price(exchange):
    client = armed(exchange)
    result = client.quote([[77_980.5, 0.1], [77_970, 0.1]], [[78_100, 10.5]])
    assert (result["n_success"], result["n_fail"]) == (1, 2)
    assert [(e["code"], e["side"], e["price"]) for e in result["errors"]] == [
        (15, "buy", 77_980.5),
        (44, "sell", 78_100),
    ]
    assert shown(client) == [("buy", 77_970, 0.1)]
    named = armed(opened(quote_side_names=("bid", "ask")))
    assert named.quote([[1.5, 1]], None)["errors"][0]["side"] == "bid"


def test_a_side_with_a_failing_level_may_be_left_as_it_was():
    client = armed(opened(depth=5, quote_error_keeps_side=True))
    client.quote([[77_980, 0.1]], None)
    client.quote([[77_970, 0.1], [0.5, 0.1]], None)
    assert shown(client) == [("buy", 77_980, 0.1)]


@pytest.mark.parametrize(
    "quotes",
    [
        [{"i": PERP}] * 101,
        [{"i": PERP, "b": [[77_900 - i, 0.1] for i in range(11)]}],
        [{"i": PERP, "b": [[77_900, 0.1], [77_900, 0.2]]}],
        [{"i": PERP, "b": [[77_900]]}],
        [{"b": []}],
        "all",
    ],
)
def test_malformed_calls_are_refused_whole(exchange, quotes):
    client = armed(exchange)
    assert client.fails("private/mass_quote", quotes=quotes) == 6
    assert shown(client) == []


def test_the_later_entry_of_an_instrument_wins(exchange):
    client = armed(exchange)
    client.call("private/mass_quote", quotes=[{"i": PERP, "b": [[77_980, 1]]}, {"i": PERP, "b": [[77_981, 1]]}])
    assert shown(client) == [("buy", 77_981, 1)]


def test_sessions_keep_their_own_quotes(exchange):
    one, two = armed(exchange), armed(exchange)
    one.quote([[77_980, 0.1]], None)
    two.quote([[77_981, 0.1]], None)
    one.quote([], None)
    assert shown(two) == [("buy", 77_981, 0.1)]


def test_protection_counts_executions_overshoots_and_takes_the_quotes_away(exchange):
    client = armed(exchange, trade=0.3)
    client.quote([[77_995, 0.2], [77_994, 0.2], [77_993, 0.2]], [[78_005, 0.1]])
    client.clear()
    crowd(exchange, "sell", 77_995, 100, ioc=True)
    assert client.got("session.mm_protection") == [
        [{"product": "FBTCUSD", "remaining_amount": 0.2, "reason": "executions"}]
    ]
    crowd(exchange, "sell", 77_994, 300, ioc=True)
    (update,) = client.got("session.mm_protection")[-1]
    assert update["remaining_amount"] == -0.1
    assert shown(client) == []
    assert {o.get("delete_reason") for o in client.got("session.orders")[-1]} == {"filled", "mm_protection"}
    assert exchange.position("A123456789", PERP) == pytest.approx(0.4)


def test_an_exhausted_group_rejects_until_refilled(exchange):
    client = armed(exchange, trade=0.1)
    client.quote([[77_995, 0.1]], None)
    crowd(exchange, "sell", 77_995, 100, ioc=True)
    assert client.fails("private/mass_quote", quotes=[{"i": PERP, "b": [[77_990, 0.1]]}]) == 23
    assert client.quote([], None)["n_fail"] == 0
    client.call("private/set_mm_protection", product="FBTCUSD", trade_amount=1, quote_amount=1)
    assert client.got("session.mm_protection")[-1] == [
        {"product": "FBTCUSD", "remaining_amount": 1, "reason": "refill"}
    ]
    assert client.quote([[77_990, 0.1]], None)["n_success"] == 1


def test_protection_is_evaluated_within_a_call_that_takes(exchange):
    client = armed(exchange, trade=0.5)
    result = client.quote([[78_010, 1], [77_990, 1]], None)
    assert result["n_fail"] == 1
    assert shown(client) == []


def test_regular_orders_neither_count_nor_get_cancelled(exchange):
    client = armed(exchange, trade=0.1)
    client.insert("buy", 77_996, 0.5)
    client.quote([[77_995, 0.1]], None)
    crowd(exchange, "sell", 77_996, 200, ioc=True)
    assert client.got("session.mm_protection") == []
    crowd(exchange, "sell", 77_995, 400, ioc=True)
    assert client.got("session.mm_protection")[-1][0]["remaining_amount"] == 0
    client.insert("buy", 77_996, 0.5)
    assert shown(client) == [("buy", 77_996, 0.5)]


def test_executions_of_an_amended_quote_are_not_counted(exchange):
    client = armed(exchange, trade=0.1)
    client.quote([[77_995, 1]], None)
    order_id = ids(client)["buy", 77_995]
    order = client.call("private/amend", order_id=order_id, price=78_010, amount=1)
    assert order["status"] == "filled"
    assert client.got("session.mm_protection") == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"product": "FBTCUSD", "trade_amount": 2, "quote_amount": 1}, 22),
        ({"product": "FBTCUSD", "trade_amount": 0, "quote_amount": 1}, 22),
        ({"product": "FXYZUSD", "trade_amount": 1, "quote_amount": 1}, 17),
        ({"product": "FBTCUSD", "trade_amount": 1}, 6),
    ],
)
def test_protection_parameters(exchange, params, code):
    assert Client(exchange, timeout_secs=9).fails("private/set_mm_protection", **params) == code


def test_deprecated_amount_overwrites_both(exchange):
    client = armed(exchange)
    client.call("private/set_mm_protection", product="FBTCUSD", trade_amount=9, quote_amount=9, amount=2)
    assert client.got("session.mm_protection")[-1][0]["remaining_amount"] == 2
    assert client.quote([[77_990, 2.5]], None)["errors"][0]["code"] == 44


def test_cancel_mass_quote_reaches_every_session_and_resets_protection(exchange):
    one, two = armed(exchange), armed(exchange)
    one.quote([[77_980, 0.1]], None)
    two.quote([[77_981, 0.1]], None)
    two.insert("buy", 77_900, 0.1)
    assert one.call("private/cancel_mass_quote", product="FETHUSD") is None
    assert len(shown(one)) == 3
    assert one.call("private/cancel_mass_quote", product="FBTCUSD") is None
    assert shown(one) == [("buy", 77_900, 0.1)]
    for client in (one, two):
        assert client.got("session.mm_protection")[-1][0]["reason"] == "client_cancel"
        assert client.fails("private/mass_quote", quotes=[{"i": PERP, "b": [[1, 1]]}]) == 23


def test_cancel_session_removes_the_sessions_orders_and_protection_and_stays_usable(exchange):
    client, other = armed(exchange), armed(exchange)
    client.quote([[77_980, 0.1]], None)
    client.insert("buy", 77_900, 0.1)
    other.insert("buy", 77_901, 0.1)
    assert client.call("private/cancel_session") is None
    assert shown(client) == [("buy", 77_901, 0.1)]
    assert {o["delete_reason"] for o in client.got("session.orders")[-1]} == {"session_end"}
    assert client.got("session.mm_protection")[-1][0]["reason"] == "session_end"
    assert client.insert("buy", 77_900, 0.1)["status"] == "open"
    assert client.fails("private/mass_quote", quotes=[{"i": PERP, "b": [[1, 1]]}]) == 23
    assert Client(exchange).fails("private/cancel_session") == 52


def test_cancel_all_keeps_protection(exchange):
    client = armed(exchange)
    client.quote([[77_980, 0.1]], None)
    assert client.call("private/cancel_all") == 1
    assert client.quote([[77_980, 0.1]], None)["n_success"] == 1


def test_failover_deletes_and_resets(exchange):
    client = armed(exchange)
    client.quote([[77_980, 0.1]], None)
    exchange.failover(exchange.now_ns)
    assert client.got("session.orders")[-1][0]["delete_reason"] == "failover"
    assert client.got("session.mm_protection")[-1][0]["reason"] == "failover"
    assert shown(client) == []
