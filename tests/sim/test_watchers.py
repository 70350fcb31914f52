"""What watches a simulated run sees what is wrong and nothing else; a plain world for each watcher."""

import pytest

from engine.core.step import Core
from engine.sim import campaign
from engine.sim.canaries import (
    Canary,
    ConnectsAtOnce,
    CountsTwice,
    HearsTheDead,
    JournalsLate,
    PutsBack,
    ReadsWrongly,
    RevivesOrders,
    SkipsTotals,
    TrustsProtection,
)
from engine.sim.options import MS, SECOND_NS, draw
from engine.sim.reconnects import Reconnects
from engine.sim.twin import Twin
from engine.sim.violation import Violation
from feed.backoff import BackoffSettings
from kernels.kept import addresses

SEEDS = 300
INVARIANTS = [
    (TrustsProtection, 6),
    (RevivesOrders, 11),
    (CountsTwice, 18),
    (JournalsLate, 20),
    (SkipsTotals, 24),
    (ReadsWrongly, 26),
    (HearsTheDead, 27),
    (ConnectsAtOnce, 29),
    (PutsBack, 35),
]


@pytest.mark.parametrize(("canary", "invariant"), INVARIANTS, ids=lambda value: str(getattr(value, "name", value)))
def test_a_broken_core_is_found_by_its_own_invariant(canary: type[Canary], invariant: int) -> None:
    found = (campaign.run(draw(seed, 200), canary).invariant for seed in range(1, SEEDS))
    assert invariant in found


def test_messages_in_pieces_change_nothing() -> None:
    for seed in range(30):
        options = draw(seed, 200)
        assert campaign.run(options).digest == campaign.run(options.in_pieces()).digest


def test_pauses_between_connections_double_and_the_budget_holds() -> None:
    watch = Reconnects(BackoffSettings(first_ns=100 * MS, cap_ns=400 * MS, stable_ns=SECOND_NS, attempts_an_hour=4))
    watch.connecting(0)
    now_ns = 0
    for pause_ns in (50 * MS, 100 * MS, 200 * MS):
        watch.lost(now_ns)
        now_ns += pause_ns
        watch.connecting(now_ns)
    watch.lost(now_ns)
    with pytest.raises(Violation, match="the pause is"):
        watch.connecting(now_ns + 199 * MS)
    watch.live(now_ns)
    now_ns += SECOND_NS
    watch.lost(now_ns)
    watch.connecting(now_ns + 50 * MS)
    watch.lost(now_ns)
    with pytest.raises(Violation, match="4 allowed"):
        watch.connecting(now_ns + SECOND_NS)


def test_what_only_the_fast_decoder_accepts_is_told() -> None:
    core = Core(draw(1, 1).plan(), addresses())
    good = b'{"channel_name":"price_index.BTCUSD","notification":{"index_name":"BTCUSD","price":1.5,"timestamp":1.0}}'
    Twin(core, 0).delivered(good)
    with pytest.raises(Violation, match="invariant 26"):
        Twin(core, 0, lambda record: record | {"price": 2.5}).delivered(good)
    Twin(core, 1, lambda record: record | {"price": 2.5}).delivered(good)
