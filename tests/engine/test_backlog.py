"""Ten seconds of market data delivered at once: everything is applied, one decision is made, nothing stale is sent."""

import orjson
import pytest

from engine.bench import tapes
from engine.sim.tape import Act, replay
from engine.sim.tape import Tape as Inputs
from feed.frames import ListSink

BACKLOG_NS = 10 * tapes.SECOND_NS


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_backlog_is_one_decision(mode: tapes.Mode) -> None:
    session = tapes.moving(BACKLOG_NS // tapes.INTERVAL_NS, mode)
    backlog = [
        entry._replace(last=False)
        for entry in session.tape.inputs[session.live_at :]
        if entry.act is Act.MESSAGE and tapes.kind_of(entry.data) in ("book", "ticker", "lwt")
    ]
    arrival_ns = backlog[-1].now_ns
    assert arrival_ns - backlog[0].now_ns > 0.9 * BACKLOG_NS and len(backlog) > 400
    backlog = [entry._replace(now_ns=arrival_ns) for entry in backlog]
    core, sink = session.core(), ListSink()
    core.attach(sink)
    replay(Inputs(session.tape.inputs[: session.live_at]), core)
    sink.sent.clear()
    before = core.status()["decisions"]
    replay(Inputs(backlog[:-1]), core)
    assert core.status()["decisions"] == before and not sink.sent, "nothing leaves before the end of the read"
    replay(Inputs([backlog[-1]._replace(last=True)]), core)
    assert core.status()["decisions"] == before + 1
    last = next(e.data for e in reversed(backlog) if tapes.kind_of(e.data) == "ticker")
    ticker = orjson.loads(last)["notification"]
    market = core.instruments[0].records()["market"]
    assert market["mark_usd"] == pytest.approx(ticker["mark_price"])
    assert market["fair_usd"] == pytest.approx((ticker["best_bid_price"] + ticker["best_ask_price"]) / 2, abs=5)
    # Single orders may wait for the replies to those before, which the backlog does not hold; a mass quote does not.
    assert len(sink.sent) == 1 if mode == "mass_quote" else len(sink.sent) <= 6
    for request in sink.sent:
        assert b"mass_quote" not in request or _surrounds(request, ticker["best_bid_price"], ticker["best_ask_price"])
    assert core.status()["counters"]["malformed"] == 0


def _surrounds(request: bytes, best_bid: float, best_ask: float) -> bool:
    """Whether every price of a mass quote rests at the market as it is now."""
    (quote,) = orjson.loads(request)["params"]["quotes"]
    return all(price < best_ask for price, _ in quote["b"]) and all(price > best_bid for price, _ in quote["a"])
