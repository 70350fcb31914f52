"""Strategies of users, sound and not, for ``tests.engine.test_strategy``."""

from math import nan

from kernels.quote import quote as shipped

LOUD = 3


def plain(market, model, target):  # type: ignore[no-untyped-def]
    return shipped(market, model, target)


def crossing(market, model, target):  # type: ignore[no-untyped-def]
    code = shipped(market, model, target)
    if target.bid_count > 0 and target.ask_count > 0:
        target.bid_ticks[0] = target.ask_ticks[0]
    return code


def greedy(market, model, target):  # type: ignore[no-untyped-def]
    code = shipped(market, model, target)
    for i in range(target.bid_count):
        target.bid_lots[i] *= 1000
    return code


def infinite(market, model, target):  # type: ignore[no-untyped-def]
    code = shipped(market, model, target)
    target.skew_usd = nan
    return code


def overflowing(market, model, target):  # type: ignore[no-untyped-def]
    code = shipped(market, model, target)
    for i in range(LOUD * 10):
        target.bid_ticks[i] = 1
    return code


def meddling(market, model, target):  # type: ignore[no-untyped-def]
    market.position_lots = 0
    return shipped(market, model, target)


def silent(market, model, target):  # type: ignore[no-untyped-def]
    return 3


def blind(market, model, target):  # type: ignore[no-untyped-def]
    """Quotes 100 when there is no price."""
    code = shipped(market, model, target)
    if code != 0:
        target.bid_count = 1
        target.bid_ticks[0] = 100
        target.bid_lots[0] = model.min_lots
    return 0


def untyped(market, model, target):  # type: ignore[no-untyped-def]
    return market.no_such_member


number = 7
