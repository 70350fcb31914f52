"""The step that asks for missed trades: in pages, again where some are missing, and never a reason not to go on."""

from typing import Any

import pytest

from feed import session_events as events
from feed.session import NEVER_NS
from feed.session_results import Unexpected
from feed.session_table import State
from feed.trade_history import AGAIN_NS, PAGES_MAX, TRIES_MAX, TradeOfRecord, page
from tests.feed.session_driver import PLAN, Driver

METHOD = "private/trade_history"
ROW = {
    "trade_type": "normal", "trade_id": "00A1", "instrument_name": "BTC-PERPETUAL", "direction": "sell",
    "price": 47280.5, "amount": 0.1, "time": 1630059868.4145653, "fee": 1.18, "maker_taker": "maker", "order_id": "1",
}  # fmt: skip


def asking() -> tuple[Driver, dict[str, Any]]:
    driver = Driver()
    driver.session.history_since(1000.5)
    driver.connect()
    (request,) = driver.run(until=METHOD)
    return driver, request


def test_the_trades_since_then_are_asked_for_behind_the_prices() -> None:
    driver, request = asking()
    assert [sent["method"] for sent in driver.sent][-3:] == ["public/ticker", "public/ticker", METHOD]
    assert request["params"] == {
        "limit": 1000,
        "sort": "ascending",
        "instrument_names": "BTC-PERPETUAL,ETH-PERPETUAL",
        "time_low": 1000.5,
    }
    driver.answer(request, {"trades": [ROW], "bookmark": None})
    (told,) = driver.told(events.TradesOfRecord)
    assert told.trades == (
        TradeOfRecord("00A1", "BTC-PERPETUAL", -10_000_000, 4_728_050_000_000, 1.18, 1630059868.4145653),
    )
    assert driver.take() == []
    assert driver.session.history_taken(driver.now, complete=True)
    assert [request["method"] for request in driver.take()] == ["private/set_mm_protection"] * 2


def test_pages_are_followed_to_the_last() -> None:
    driver, request = asking()
    driver.answer(request, {"trades": [ROW], "bookmark": "1"})
    (request,) = driver.take()
    assert request["params"]["bookmark"] == "1"
    driver.answer(request, {"trades": [ROW | {"trade_id": "00A2"}], "bookmark": None})
    (told,) = driver.told(events.TradesOfRecord)
    assert [trade.trade_id for trade in told.trades] == ["00A1", "00A2"]


def test_a_history_without_an_end_is_cut() -> None:
    driver, request = asking()
    for _ in range(PAGES_MAX - 1):
        driver.answer(request, {"trades": [], "bookmark": "more"})
        (request,) = driver.take()
    driver.answer(request, {"trades": [], "bookmark": "more"})
    assert len(driver.told(events.TradesOfRecord)) == 1


def test_it_is_asked_again_a_few_times_and_then_for_the_newest_of_any_time() -> None:
    driver, request = asking()
    old = ROW | {"trade_id": "00A0"}
    for attempt in range(TRIES_MAX + 1):
        last = attempt == TRIES_MAX
        assert ("time_low" in request["params"], request["params"]["sort"]) == (
            not last,
            "descending" if last else "ascending",
        )
        driver.answer(request, {"trades": [ROW, old] if last else [], "bookmark": "more" if last else None})
        assert len(driver.told(events.TradesOfRecord)) == attempt + 1
        again = driver.session.history_taken(driver.now, complete=False)
        assert again == (not last)
        if again:
            assert driver.session.deadline_ns == driver.now + AGAIN_NS
            driver.session.poll(driver.now + AGAIN_NS - 1)
            assert driver.take() == []
            driver.now += AGAIN_NS
            driver.session.poll(driver.now)
            (request,) = driver.take()
    told = driver.told(events.TradesOfRecord)
    assert [event.any_time for event in told] == [False] * TRIES_MAX + [True]
    assert [trade.trade_id for trade in told[-1].trades] == ["00A0", "00A1"]
    driver.session.history_taken(driver.now, complete=True)
    assert driver.session.state is State.PROTECTION


@pytest.mark.parametrize("how", ["refused", "unanswered", "nonsense"])
def test_no_history_is_no_reason_to_stop(how: str) -> None:
    driver, request = asking()
    if how == "refused":
        driver.answer(request, error=(28, "not allowed"))
    elif how == "nonsense":
        driver.answer(request, {"trades": [ROW | {"direction": "up"}], "bookmark": None})
    else:
        driver.now += PLAN.reply_timeout_ns
        driver.session.poll(driver.now)
        driver.take()
    (told,) = driver.told(events.TradesOfRecord)
    assert told.trades == ()
    driver.session.history_taken(driver.now, complete=True)
    driver.run()
    assert driver.session.state is State.SYNCING


def test_a_connection_lost_while_waiting_leaves_no_deadline() -> None:
    driver, request = asking()
    driver.answer(request, {"trades": [], "bookmark": None})
    driver.session.history_taken(driver.now, complete=False)
    driver.session.disconnected(driver.now, "gone")
    assert driver.session.deadline_ns == NEVER_NS


@pytest.mark.parametrize(
    "change", [{"price": None}, {"amount": "1"}, {"amount": 1e30}, {"time": True}, {"fee": float("nan")}]
)
def test_a_trade_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Unexpected):
        page({"trades": [ROW | change], "bookmark": None})


def test_settlements_are_no_trades() -> None:
    assert page({"trades": [ROW | {"trade_type": "expiration", "price": None}], "bookmark": None}) == ([], None)
