"""A world on the seeded market, as tests want it: short, and with a key made once."""

from dataclasses import replace
from typing import Any

from engine.config_schema import Config
from engine.core.plan import CorePlan
from engine.plan_builder import core_plan
from engine.sim.world import Link, World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from feed.exchange.instruments import Instrument
from feed.exchange.listing import default_instruments
from feed.exchange.seeded import SeededMarket, SeededOptions, informed_options

START_NS = 1_795_000_000_000_000_000
SECOND_NS = 1_000_000_000


def plan(**changes: Any) -> CorePlan:
    return replace(core_plan(Config()), **changes)


def world(
    seed: int = 1,
    *,
    listed: tuple[Instrument, ...] | None = None,
    link: Link | None = None,
    informed: float | None = None,
    **changes: Any,
) -> World:
    instruments = listed or tuple(default_instruments(START_NS))
    told = plan(**changes)
    options = replace(informed_options(informed), start_usd=dict(SeededOptions().start_usd) | {"XRPUSD": 1.2})
    market = SeededMarket([i for i in instruments if i.name in told.instruments], seed, options)
    return World(told, Exchange(market, seed=seed), throwaway_key().token, START_NS, link or Link())


def run(w: World, seconds: float) -> dict[str, Any]:
    w.run(w.now_ns + int(seconds * SECOND_NS))
    return w.core.status()
