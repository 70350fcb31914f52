"""A tape of a session drives another core to the same bytes."""

import hashlib
from dataclasses import replace

import pytest

from engine.config import load
from engine.config_source import Given
from engine.core.step import Core
from engine.plan_builder import core_plan
from engine.sim.tape import Act, Tape
from engine.sim.tape import replay as replayed
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.seeded import SeededMarket
from feed.frames import ListSink
from kernels.kept import addresses
from tests.engine.simulated import SECOND_NS, START_NS, plan, run


def recorded(mode: str, pace: float = 1.0) -> tuple[World, Tape, bytes]:
    """A session with fills, a halt, another plan, a lost connection and a stop: its tape, a hash of what was sent.

    ``pace``: its parts last this many times as long.
    """
    told, tape, sent = plan(mode=mode), Tape(), hashlib.sha256()
    listed = [i for i in default_instruments(START_NS) if i.name in told.instruments]
    exchange = Exchange(SeededMarket(listed, 2), seed=2)
    w = World(told, exchange, throwaway_key().token, START_NS, tape=tape, on_outbound=lambda _, text: sent.update(text))
    run(w, 20 * pace)
    w.operator("halt")
    run(w, 2 * pace)
    w.operator("resume")
    run(w, 5 * pace)
    smaller = load(flags=[Given("trading_strategy.avellaneda.size_usd", 1500.0, "test")]).config
    w.configure(replace(core_plan(smaller), mode=told.mode))
    run(w, 5 * pace)
    w.cut("a test")
    w.now_ns += 10 * SECOND_NS
    exchange.advance(w.now_ns)
    w.reconnect()
    run(w, 10 * pace)
    w.operator("stop")
    run(w, 1 * pace)
    return w, tape, sent.digest()


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_fresh_core_sends_the_same_bytes(mode: str) -> None:
    w, tape, expected = recorded(mode)
    core, sink, sent = Core(w.plan, addresses()), ListSink(), hashlib.sha256()
    core.attach(sink)
    replayed(tape, core)
    for text in sink.sent:
        sent.update(text)
    assert len(sink.sent) > 50
    assert sent.digest() == expected
    assert core.status() == w.core.status()
    assert {entry.act for entry in tape.inputs} == set(Act)
