"""From a tick in memory to request bytes in memory: the core and its references, in turn, on the same session."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.bench.figures import Rounds
from engine.bench.harness import CountingSink, Player, clock_cost_ns
from engine.bench.reference import OrjsonNjit, PlainPython, Tick, time_handler
from engine.bench.tapes import INSTRUMENT, Session, kind_of
from engine.core.step import Core
from engine.sim.tape import Act, Tape
from feed.tap import SLOT_BYTES, Tap, TapSink
from feed.waterfall import Waterfall
from kernels.ring import RingWriter

RING_SLOTS = 1 << 15
Counts = npt.NDArray[np.int64]

KINDS = ("book", "ticker", "lwt", "reply", "session")


@dataclass(slots=True)
class InProcess:
    """What ``run`` found.

    ``tick``: messages that made a request leave, until it left. ``busy``: the same messages, until the core was done
    with them; both with the waterfall on. ``unstamped`` and ``unstamped_busy``: the same two without it.
    ``unanswered``: by kind, messages that made none leave.
    """

    tick: Rounds = field(default_factory=Rounds)
    busy: Rounds = field(default_factory=Rounds)
    unstamped: Rounds = field(default_factory=Rounds)
    unstamped_busy: Rounds = field(default_factory=Rounds)
    unanswered: dict[str, Rounds] = field(default_factory=lambda: {kind: Rounds() for kind in KINDS})
    orjson_njit: Rounds = field(default_factory=Rounds)
    plain: Rounds = field(default_factory=Rounds)
    clock_ns: int = 0


def live_core(session: Session, player: Player, ring: RingWriter | None = None) -> tuple[Core, CountingSink]:
    """A core that has played the session up to its first quotes, with the player's waterfall where it has one.

    ``ring``: everything that comes in and goes out is recorded there, as in a live run.
    """
    core, sink = session.core(), CountingSink()
    player.tap = None
    if ring is None:
        core.attach(sink)
    else:
        tap = Tap(core, ring)
        core.attach(TapSink(tap, sink))
        player.tap = tap
    if player.waterfall is not None:
        sink.waterfall = player.waterfall
        core.stamp(player.waterfall)
        player.waterfall.counts()
    player.play(core, 0, session.live_at)
    return core, sink


def journal_ring() -> RingWriter:
    """A ring as the journal's, which nobody reads: a writer never waits for its readers."""
    return RingWriter("bench", "journal", RING_SLOTS, SLOT_BYTES)


def run(session: Session, rounds: int, progress: Callable[[], None] = lambda: None) -> InProcess:
    """Measure ``rounds`` times each, in turn. ``progress``: called after every round."""
    found = InProcess(clock_ns=clock_cost_ns())
    player, waterfall = Player(session.tape), Waterfall()
    ticks, kinds = tickers(session), message_kinds(session)
    with journal_ring() as ring:
        for _ in range(rounds):
            player.waterfall = None
            _, ns, sent, busy = played(session, player, ring)
            found.unstamped.add(ns[(sent > 0) & (ns > 0)])
            found.unstamped_busy.add(busy[(sent > 0) & (ns > 0)])
            player.waterfall = waterfall
            core, ns, sent, busy = played(session, player, ring)
            found.tick.add(ns[(sent > 0) & (ns > 0)])
            found.busy.add(busy[(sent > 0) & (ns > 0)])
            for kind, figures in found.unanswered.items():
                values = ns[(kinds == kind) & (sent == 0) & (ns > 0)]
                if values.size:
                    figures.add(values)
            records = core.instruments[0].records()
            found.orjson_njit.add(time_handler(OrjsonNjit(INSTRUMENT, records), ticks))
            found.plain.add(time_handler(PlainPython(INSTRUMENT, records), ticks))
            progress()
    return found


def played(session: Session, player: Player, ring: RingWriter) -> tuple[Core, Counts, Counts, Counts]:
    """One pass through a fresh core: it, and for each input ns to the last request, requests, and ns until done."""
    core, sink = live_core(session, player, ring)
    ns, sent, busy = (np.zeros(player.count, np.int64) for _ in range(3))
    player.measure(core, sink, session.live_at, player.count, ns, sent, busy)
    return core, ns, sent, busy


def blocks(session: Session, messages: int, progress: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """(blocks allocated and kept, messages) over at least ``messages`` hot messages of live sessions."""
    player = Player(session.tape)
    player.waterfall = Waterfall()
    total = counted = 0
    with journal_ring() as ring:
        while counted < messages:
            core, _ = live_core(session, player, ring)
            kept, n = player.blocks(core, session.live_at, player.count)
            total, counted = total + kept, counted + n
            progress()
    return total, counted


def burst(session: Session, rounds: int) -> float:
    """Market data applied a second when all of it comes in one read, with one decision at the end; the best round."""
    live = session.tape.inputs[: session.live_at]
    ticks = [
        entry._replace(last=False)
        for entry in session.tape.inputs[session.live_at :]
        if entry.act is Act.MESSAGE and kind_of(entry.data) in ("book", "ticker", "lwt")
    ]
    player = Player(Tape([*live, *ticks[:-1], ticks[-1]._replace(last=True)]))
    player.waterfall = Waterfall()
    best_ns = min(
        player.time_messages(live_core(session, player)[0], session.live_at, player.count) for _ in range(rounds)
    )
    return len(ticks) * 1e9 / best_ns


def message_kinds(session: Session) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """The kind of each input; "" for one that is no message."""
    return np.array([kind_of(e.data) if e.act is Act.MESSAGE else "" for e in session.tape.inputs])


def tickers(session: Session) -> list[Tick]:
    """The tickers of the session from its first quotes on."""
    inputs = session.tape.inputs[session.live_at :]
    return [Tick(e.data, e.now_ns) for e in inputs if e.act is Act.MESSAGE and kind_of(e.data) == "ticker"]
