"""Amounts that depend on the price are armed once the owner has said them, and not before."""

from dataclasses import replace

import pytest

from feed import session_events as events
from feed.session_table import State
from tests.feed.session_driver import PLAN, Driver


def waiting() -> Driver:
    driver = Driver(replace(PLAN, protection={})).connect()
    driver.run()
    return driver


def test_protection_waits_for_its_amounts() -> None:
    driver = waiting()
    assert driver.session.state is State.PROTECTION
    assert driver.told(events.PricesKnown) == [events.PricesKnown({name: 60_000.5 for name in PLAN.instruments})]
    assert "private/set_mm_protection" not in [request["method"] for request in driver.sent]
    driver.session.set_protection({"FBTCUSD": (100_000_000, 200_000_000)}, driver.now)
    driver.run()
    assert driver.session.state is State.SYNCING
    armed = [request["params"] for request in driver.sent if request["method"] == "private/set_mm_protection"]
    assert armed == [{"product": "FBTCUSD", "trade_amount": 1, "quote_amount": 2}]


def test_amounts_that_never_come_fail_the_connection() -> None:
    driver = waiting()
    driver.session.poll(driver.session.deadline_ns)
    assert driver.session.state is State.FAILED


def test_amounts_that_the_venue_would_refuse() -> None:
    with pytest.raises(ValueError, match="trade amount"):
        waiting().session.set_protection({"FBTCUSD": (2, 1)}, 0)
