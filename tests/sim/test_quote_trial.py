"""Both quoters with gate, order table and reports against random schedules: the limit holds whatever the venue does."""

import os
from dataclasses import replace
from math import inf

import pytest

from engine.config_schema import Config
from engine.core.plan import Limits
from engine.plan_builder import core_plan
from engine.sim.quote_trial import FAULTS, QuoteTrial
from kernels.compiled import addresses

SCHEDULES = int(os.environ.get("QUOTER_GATE_SCHEDULES", "50000"))
EVENTS = 80
HALTED, REDUCING = 2, 1
THROTTLED, NOT_FOUND = 4, 1
SETTLE_NS = 1_000_000_000
FOUND_WITHIN = 200
MODES = ["mass_quote", "orders"]
MASS_ONLY = ("trusts what is kept", "settles at once")


def trial(mode: str, fault: str = "none") -> QuoteTrial:
    limits = Limits(inf, inf, inf, 5000.0, inf, cooldown_ns=10**15, hold_ns=0)
    plan = replace(core_plan(Config()), mode=mode, requote_ticks=0, requote_bps=0.0, limits=limits)
    return QuoteTrial(plan, addresses(), 1, fault)


@pytest.mark.parametrize("mode", MODES)
def test_no_schedule_breaks_an_invariant(mode: str) -> None:
    t = trial(mode)
    assert t.run(0, SCHEDULES, EVENTS) == 0, t.trouble
    assert min(t.seen().values()) > SCHEDULES // 200, t.seen()


def test_a_level_that_stands_in_two_slots_is_not_asked_for_again_and_again() -> None:
    t = trial("mass_quote")
    assert t.run(994664, 1, EVENTS) == 0, t.trouble


BROKEN = [(mode, fault) for mode in MODES for fault in FAULTS if mode == "mass_quote" or fault not in MASS_ONLY]


@pytest.mark.parametrize(("mode", "fault"), [pair for pair in BROKEN if pair[1] != "none"])
def test_a_broken_client_is_found(mode: str, fault: str) -> None:
    assert trial(mode, fault).run(0, FOUND_WITHIN, EVENTS) > 0


# ---- what the schedules once found, each by hand ----


def report_all(t: QuoteTrial) -> None:
    t.hear(99)
    t.judge()


def test_a_level_repeated_twice_may_trade_three_times() -> None:
    t = trial("mass_quote")
    t.play(30, 12)
    t.want(asks=[(102, 1), (103, 1)])
    for outer in (104, 105):
        t.execute()
        t.trade(102)
        t.answered()
        t.want(asks=[(102, 1), (outer, 1)])
    t.execute()
    t.trade(102)
    report_all(t)
    assert t.trouble is None


def test_a_refused_repeat_leaves_the_repeat_before_it_counted() -> None:
    t = trial("mass_quote")
    t.play(30, 12)
    t.want(asks=[(102, 1), (103, 1)])
    t.execute()
    t.answered()
    t.want(asks=[(102, 1), (104, 1)])
    t.trade(102)
    t.execute()
    t.answered()
    t.want(asks=[(102, 1), (105, 1)])
    t.execute(refuse=THROTTLED)
    t.answered()
    t.judge()
    assert t.trouble is None


def test_a_clear_that_overtakes_a_quote_and_is_refused_leaves_both_in_doubt() -> None:
    t = trial("mass_quote")
    t.play(30, 12)
    t.want(asks=[(102, 1), (103, 2)])
    t.execute()
    report_all(t)
    t.answered()
    t.want(asks=[(102, 1), (104, 7)])
    t.mode(HALTED)
    t.execute()
    t.execute(refuse=THROTTLED)
    t.answered()
    t.answered()
    t.judge()
    for _ in range(3):
        t.wait(SETTLE_NS)
        t.timer()
        t.judge()
    t.execute()
    t.answered()
    report_all(t)
    assert t.trouble is None and not t.rests()


def test_a_side_that_failed_and_was_left_alone_goes_on_counting() -> None:
    t = trial("mass_quote")
    t.play(30, 12, error_keeps=True)
    t.want(asks=[(102, 5), (103, 5)])
    t.execute()
    report_all(t)
    t.answered()
    t.want(asks=[(104, 1)])
    t.execute(fail_ticks=104)
    t.answered()
    t.wait(SETTLE_NS)
    t.timer()
    t.judge()
    assert t.trouble is None and t.rests() == [(-5, 102), (-5, 103)]


def test_a_partly_traded_level_that_the_venue_keeps_is_known_by_its_order() -> None:
    t = trial("mass_quote")
    t.play(30, 12, same_amount=True)
    t.want(asks=[(102, 5)])
    t.execute()
    t.answered()
    report_all(t)
    t.trade_part(102, 1)
    report_all(t)
    t.want(asks=[(102, 5), (103, 1)])
    t.execute()
    t.answered()
    report_all(t)
    sent = t.sent
    for _ in range(3):
        t.wait(SETTLE_NS)
        t.timer()
    assert t.believed() == [("live", -4, 102), ("live", -1, 103)] and t.sent == sent


def test_what_cannot_settle_before_the_next_change_settles_all_the_same() -> None:
    t = trial("mass_quote")
    t.play(30, 12)
    t.want(asks=[(102, 2), (103, 1)])
    t.execute()
    t.answered()
    t.want(asks=[(102, 2), (104, 1)])
    t.trade(103)
    t.trade(102)
    t.execute()
    t.trade(102)
    t.answered()
    for i in range(12):
        report_all(t)
        t.wait(SETTLE_NS // 5)
        t.timer()
        t.want(asks=[(103 + i % 2, 1)])
        t.execute()
        t.answered()
    for _ in range(2):
        report_all(t)
        t.execute()
        t.answered()
    report_all(t)
    assert [line[1:] for line in t.believed()] == t.rests()


@pytest.mark.parametrize("mode", MODES)
def test_reducing_pulls_what_rests_beyond_the_position(mode: str) -> None:
    t = trial(mode)
    t.play(30, 6)
    t.want(asks=[(102, 3), (103, 5)])
    for _ in range(2):
        t.execute()
        t.answered()
    report_all(t)
    assert t.rests() == [(-5, 103), (-3, 102)]
    t.mode(REDUCING)
    for _ in range(3):
        t.execute()
        t.answered()
        report_all(t)
    assert -sum(lots for lots, _ in t.rests()) <= 6


def test_a_reply_that_overtakes_older_reports_stands() -> None:
    t = trial("orders")
    t.play(30, 0)
    t.want(bids=[(98, 2)])
    t.execute()
    t.want(bids=[(98, 2)])
    t.hear(1)
    t.answered()
    t.trade_part(98, 1)
    t.want(bids=[(97, 9)])
    t.execute()
    t.answered()
    assert ("live", 8, 97) in t.believed()
    t.hear(1)
    t.judge()
    assert ("live", 8, 97) in t.believed()
    report_all(t)
    assert t.trouble is None and t.believed() == [("live", 8, 97)]


def test_fills_that_a_reply_tells_count_until_they_are_reported() -> None:
    t = trial("orders")
    t.play(30, 0)
    t.want(bids=[(98, 8)])
    t.execute()
    t.hear(1)
    t.answered()
    t.trade_part(98, 6)
    t.want()
    t.execute()
    t.answered()
    t.judge()
    assert t.trouble is None and t.believed() == [("ended", 0, 98)]
    report_all(t)
    assert t.trouble is None and t.believed() == []


def test_an_order_not_found_is_gone_only_when_its_end_must_have_been_told() -> None:
    t = trial("orders")
    t.play(30, 0)
    t.want(bids=[(98, 8)])
    t.execute()
    t.hear(1)
    t.answered()
    t.trade(98)
    t.want()
    for _ in range(2):
        t.execute()
        t.answered()
        t.judge()
        t.wait(SETTLE_NS // 2 - 1)
        t.timer()
    assert t.trouble is None
    report_all(t)
    assert t.believed() == [] and t.trouble is None


def test_a_refused_cancel_leaves_the_amend_before_it_counted() -> None:
    t = trial("orders")
    t.play(30, 0)
    t.want(bids=[(98, 2)])
    t.execute()
    t.hear(1)
    t.answered()
    t.want(bids=[(97, 9)])
    t.want()
    t.execute()
    t.execute(refuse=THROTTLED)
    t.overtake()
    t.want(bids=[(96, 1)])
    t.judge()
    assert t.trouble is None
