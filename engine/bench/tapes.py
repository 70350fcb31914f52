"""Tapes to measure on: sessions of the core on the local exchange, in simulated time, from a seed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal

import orjson

from engine.bench.mover import MovingMarket
from engine.config_schema import Config
from engine.core.plan import CorePlan, Signals
from engine.core.step import Core
from engine.plan_builder import core_plan
from engine.sim.tape import Tape, replay
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.market import Market
from feed.exchange.seeded import SeededMarket
from feed.frames import ListSink
from kernels.kept import addresses

SECOND_NS = 1_000_000_000
START_NS = 1_795_000_000 * SECOND_NS
INSTRUMENT = "BTC-PERPETUAL"
START_USD = 60_000.0
INTERVAL_NS = 60_000_000
"""Between two moves: the message budget (50 a second) and the shortest life of a quote never hold an answer back."""

QUOTES = re.compile(rb"private/(?:mass_quote|insert)")
SETTLED = 20
"""Inputs behind the first quotes that are not measured: what happens once."""

Mode = Literal["mass_quote", "orders"]


@dataclass(frozen=True, slots=True)
class Session:
    """A recorded session: the plan of its core, its inputs, and the requests that each input made leave.

    ``live_at``: the input behind the first quotes, where measuring may begin.
    """

    plan: CorePlan
    tape: Tape
    sent: tuple[tuple[bytes, ...], ...]
    live_at: int

    def core(self) -> Core:
        """A fresh core with the session's plan; it has no sink yet."""
        return Core(self.plan, addresses())


def acting(signals: Signals) -> Signals:
    """Signals that act within seconds, each by whatever weight it happens to have, and leave the answers to the price:
    they move a quote by less than a tick and take none off.
    """
    return replace(
        signals,
        enabled=True,
        interval_ns=200_000_000,
        steps=1,
        update_ns=SECOND_NS,
        min_samples=2.0,
        z=0.0,
        widen_at=inf,
        pull_at=inf,
        one_side_at=inf,
        cap_ticks=0.25,
    )


def moving(ticks: int, mode: Mode = "mass_quote", seed: int = 1) -> Session:
    """A session in which every one of ``ticks`` price moves, each one book message, is answered; one message a read."""
    plan = core_plan(Config())
    plan = replace(plan, instruments=(INSTRUMENT,), mode=mode, signals=acting(plan.signals))
    (listed,) = (i for i in default_instruments(START_NS) if i.name == INSTRUMENT)
    market = MovingMarket(listed, START_USD, INTERVAL_NS, seed)
    return _recorded(plan, market, seed, ticks * INTERVAL_NS, gathered)


def seeded(seconds: float, mode: Mode = "mass_quote", seed: int = 1) -> Session:
    """A session on the seeded market as it is, with fills; what arrives at one instant is one read."""
    plan = replace(core_plan(Config()), instruments=(INSTRUMENT,), mode=mode)
    listed = [i for i in default_instruments(START_NS) if i.name == INSTRUMENT]
    return _recorded(plan, SeededMarket(listed, seed), seed, round(seconds * SECOND_NS))


def one_read(messages: list[bytes]) -> list[list[bytes]]:
    """Everything of an instant at once."""
    return [messages]


def gathered(messages: list[bytes]) -> list[list[bytes]]:
    """Every message in a read of its own; of an instant's book messages one, of its tickers the last.

    The local exchange tells of every order by itself; here a market maker's whole ladder moves at once.
    """
    result: list[list[bytes]] = []
    at: dict[str, int] = {}
    for message in messages:
        kind = kind_of(message)
        if kind in ("book", "ticker", "lwt") and kind in at and b'"snapshot"' not in message:
            (before,) = result[at[kind]]
            result[at[kind]] = [_merged(before, message) if kind == "book" else message]
        else:
            at[kind] = len(result)
            result.append([message])
    return result


def kind_of(message: bytes) -> str:
    """``reply``, or the first part of a notification's channel."""
    if not message.startswith(b'{"channel_name":"'):
        return "reply"
    return message[17:].partition(b'"')[0].partition(b".")[0].decode()


MEMBERS = ("trades", "bid_changes", "ask_changes")
"""Of a book message, before its totals (protocol section 8.5)."""


def _merged(earlier: bytes, later: bytes) -> bytes:
    """One book message that does what two do in a row: of every level the last amount."""
    first: dict[str, Any] = orjson.loads(earlier)
    second: dict[str, Any] = orjson.loads(later)
    members: dict[str, Any] = dict.fromkeys(MEMBERS) | second["notification"]
    for side in ("bid_changes", "ask_changes"):
        levels = {level[0]: level for level in first["notification"].get(side, [])}
        levels |= {level[0]: level for level in second["notification"].get(side, [])}
        members[side] = list(levels.values()) or None
    second["notification"] = {name: value for name, value in members.items() if value is not None}
    return orjson.dumps(second)


def _recorded(
    plan: CorePlan,
    market: Market,
    seed: int,
    duration_ns: int,
    reads: Callable[[list[bytes]], list[list[bytes]]] = one_read,
) -> Session:
    tape = Tape()
    world = World(plan, Exchange(market, seed=seed), throwaway_key().token, START_NS, tape=tape, reads=reads)
    world.run(START_NS + duration_ns)
    sent = requests(plan, tape)
    quoting = (i for i, texts in enumerate(sent) if any(QUOTES.search(text) for text in texts))
    return Session(plan, tape, sent, min(next(quoting) + SETTLED, len(sent)))


def requests(plan: CorePlan, tape: Tape) -> tuple[tuple[bytes, ...], ...]:
    """The requests that each input of a tape makes leave, by replaying it."""
    core, sink = Core(plan, addresses()), ListSink()
    core.attach(sink)
    sent: list[tuple[bytes, ...]] = []

    def after(_index: int) -> None:
        sent.append(tuple(sink.sent))
        sink.sent.clear()

    replay(tape, core, after)
    return tuple(sent)
