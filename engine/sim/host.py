"""The surroundings of the core in a simulated run: its process, its operator, its connections one after another."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import orjson

from engine.core.instrument import BREACHES
from engine.core.knobs import Knobs
from engine.core.step import Core
from engine.journal.replay import state_sha256
from engine.live.recorded import RecordedCore
from engine.sim.agenda import Agenda
from engine.sim.canaries import Canary
from engine.sim.checkers import Checker
from engine.sim.market import HostileMarket
from engine.sim.network import Link
from engine.sim.options import KNOBS, MS, SECOND_NS, START_NS, SwarmOptions
from engine.sim.reconnects import Reconnects
from engine.sim.recorder import Recorder
from engine.sim.violation import Violation
from engine.sim.wire import Wire
from feed.backoff import Backoff
from feed.exchange.connection import Connection
from feed.exchange.exchange import Exchange
from feed.frames import ListSink, MessageHandler
from kernels.kept import addresses

PRICE = re.compile(rb'"price":([0-9.]+)')
KEY_NAME = "K1"
ACCOUNT = "A1"
PONG = 10
MORE = b',"more":[1,{"x":null}]}'
CALM_PAUSE_NS = 250 * MS
"""Between two connections once everything is healed."""


def token(now_ns: int) -> str:
    """A login token whose signature nobody checks: the simulated exchange runs in open mode."""
    parts = ({"alg": "RS512", "kid": KEY_NAME}, {"iat": now_ns / 1e9})
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts) + ".AA"


class Host:
    """Base of ``engine.sim.trial.Trial``: everything around one core. ``canary``: what is broken on purpose."""

    def __init__(self, options: SwarmOptions, canary: Canary | None = None) -> None:
        self.options = options
        self.marks: Counter[str] = Counter()
        self.agenda = Agenda(START_NS)
        self.wire = Wire(options, self.marks)
        self.market = HostileMarket(options.listed, options.rng("market"), options.market_step_ns, options.market_whole)
        self.exchange = Exchange(
            self.market, replace(options.exchange, deposit_usd=options.deposit_usd), seed=options.seed
        )
        self.exchange.start(START_NS)
        self.canary = canary or Canary()
        self._broken = canary is not None
        self._pauses = options.rng("backoff")
        self._disk = options.rng("disk")
        self._processes = 0
        self._start_process()
        self.checker = Checker(options, self.exchange, self.core, ACCOUNT, self.canary.read)
        self.link: Link | None = None
        self.healed = False
        self.ready_ns = 0
        self.lives = 0
        self._net = options.rng("net")
        self._adversary = options.rng("adversary")
        self._cuts = options.rng("fragments")
        self._digest = hashlib.sha256()
        self._was_live = False
        self._token_late: Link | None = None
        self._foreign: Connection | None = None
        self._halted_ns = 0
        self._was_halted = False
        self._reductions = 0
        self._holds = 0
        self._breaches: dict[bytes, int] = {}

    @property
    def now_ns(self) -> int:
        """Simulated time."""
        return self.agenda.now_ns

    # --- process ----------------------------------------------------------------------------------------------------

    def _start_process(self) -> None:
        """A core that has been told nothing, its journal in some runs, and the pauses between its connections."""
        self.sink = ListSink()
        self._sent = 0
        self.core = Core(self.canary.plan(self.options.plan()), addresses(), self._knobs())
        self.driven: Core | RecordedCore = self.core
        self.handler: MessageHandler = self.core
        self.recorder: Recorder | None = None
        if self.options.journal or self.canary.journal:
            self.recorder = Recorder(self.core, self._disk, self.marks, self.now_ns)
            self.driven, self.handler = self.recorder.driven, self.canary.handler(self.recorder.tap, self.core)
            self.driven.attach(self.sink, self.now_ns)
        else:
            self.core.attach(self.sink)
        self._processes += 1
        self._backoff = Backoff(self._pauses, self.options.backoff)
        self._reconnects = Reconnects(self.options.backoff)

    def _knobs(self) -> Knobs:
        """Bounds of a new process: mostly those of a live one."""
        chosen: dict[str, int] = {}
        if self.options.journal:
            return Knobs()  # a replay has those of a live one
        for site, values in KNOBS.items():
            if self.wire.strikes(site):
                chosen |= values
        return Knobs(**chosen)

    def kill(self, pause_ns: int) -> None:
        """The process dies at once and another one starts from the same plan; a halt is kept by whoever starts it."""
        if self.link is not None:
            self.link.abort()
            self.link = None
        if self.recorder is not None:
            self.recorder.crash()
        self._start_process()
        self.checker.restarted(self.core)
        self.checker.reset(None)
        self._was_live = False
        if self.checker.halted:
            self._operator("halt")
        self._connect_after(pause_ns)

    def _call(self, act: Callable[[], None]) -> None:
        """Call the core, then do what it wishes; it never raises."""
        try:
            act()
            if self.core.wants_token and self.link is not None:
                self._give_token()
            if self.core.close_announced and self.core.session.is_live and not self.core.moving:
                self.driven.operator("move", self.now_ns)
        except Violation:
            raise
        except Exception as error:
            raise Violation(34, f"the core raised {type(error).__name__}: {error}") from error
        self.canary.after(self)
        if self.recorder is not None:
            self.recorder.take(self._sent + len(self.sink.sent))
        self._send()
        if self.core.session.is_live and not self._was_live:
            self.lives += 1
            self.marks["live"] += 1
            self._backoff.live(self.now_ns)
            self._reconnects.live(self.now_ns)
        self._was_live = self.core.session.is_live
        self.wire.set_up = not self._was_live
        self._watch_limits()
        if self.core.fatal is not None:
            raise Violation(28, f"gave up for ever: {self.core.fatal}")
        if self.core.wants_close is not None and self.link is not None:
            self.marks[f"close: {self.core.wants_close.lstrip('0123456789 ')[:40]}"] += 1
            self.link.cut(self.core.wants_close)

    def _give_token(self) -> None:
        """A login token, at once or a little later."""
        core, link = self.core, self.link

        def give() -> None:
            if self.link is link and core.wants_token:
                self._call(lambda: self.driven.provide_token(token(self.now_ns), self.now_ns))

        if self._token_late is link:
            return
        if self.wire.strikes("token late"):
            self._token_late = link
            self.agenda.after(self._net.randint(1, 300) * MS, give)
        else:
            self.driven.provide_token(token(self.now_ns), self.now_ns)

    def _watch_limits(self) -> None:
        """Mark the monitors that have acted."""
        core = self.core
        if core.halt_reason is not None and not self._was_halted:
            self.marks[f"halt: {core.halt_reason.split()[0]}"] += 1
        self._was_halted = core.halt_reason is not None
        if core.restraint.reductions > self._reductions and core.restraint.reason is not None:
            self.marks[f"reduces: {core.restraint.reason.split()[0]}"] += 1
        self._reductions = core.restraint.reductions
        if core.restraint.holds > self._holds and core.restraint.held is not None:
            self.marks["held: all" if " of the account" in core.restraint.held else "held: an instrument"] += 1
        self._holds = core.restraint.holds
        for instrument in core.instruments:
            if instrument.breach != self._breaches.get(instrument.name, 0):
                self._breaches[instrument.name] = instrument.breach
                if instrument.breach:
                    self.marks[f"breach: {BREACHES[instrument.breach]}"] += 1

    # --- connections --------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        sent, self.sink.sent = self.sink.sent, []
        self._sent += len(sent)
        link = self.link
        if link is None:
            return
        for text in sent:
            self._digest.update(b"> %d " % self.now_ns + text)
            self.checker.sent(text, self.now_ns)
            passed = self.canary.outbound(self, text)
            if passed is not None:
                link.send(passed)
        if sent and self.wire.strikes("hiccup"):
            self.sink.blocked = True
            self.agenda.after(self._net.randint(1, 3 * MS), self.unblock)
        if sent and self.wire.strikes("adversary"):
            arrival_ns, listed = link.arrival_ns(), self._adversary.choice(self.options.listed)
            buy, lots = self._adversary.random() < 0.5, self._adversary.choice((1, 2, 1000))
            for due_ns in (arrival_ns - 1, arrival_ns + 1):
                self.agenda.at(due_ns, lambda: self._hit(listed.name, buy, lots))
            price = PRICE.search(sent[-1])
            if price is not None and self._adversary.random() < 0.5:
                self.agenda.at(arrival_ns - 1, lambda: self._meet(float(price[1])))

    def _hit(self, name: str, buy: bool, lots: int) -> None:
        self.exchange.advance(self.now_ns)
        self.market.take(name, buy, lots)

    def _meet(self, price_usd: float) -> None:
        """Let a single order that is about to arrive find its price taken by the other side."""
        self.exchange.advance(self.now_ns)
        self.agenda.after(MS, self.market.meet(price_usd))

    def _deliver(self, link: Link, batch: list[bytes]) -> None:
        """A read of the socket: its messages, through the websocket rules of their connection."""
        self.marks["batches" if len(batch) > 1 else "messages"] += 1

        def act() -> None:
            now_ns, strikes = self.agenda.now_ns, self.wire.strikes
            if strikes("timer early"):
                self.driven.on_timer(now_ns)
                self._send()
            if strikes("every message decides") and not self._broken:
                for data in batch:
                    self._read(link, [data])
                    self._send()
            else:
                self._read(link, batch, decides=not strikes("decided at the end of the read"))

        self._call(act)

    def _read(self, link: Link, batch: list[bytes], *, decides: bool = True) -> None:
        """Messages of one read. ``decides``: the last of them tells that it is the last, else a frame behind it."""
        now_ns, delivered, recorder = self.agenda.now_ns, self.checker.delivered, self.recorder
        arriving = batch
        if self._broken:
            arriving = [data for text in batch for data in self.canary.inbound(self, text)]
        if self.wire.strikes("unknown member"):
            arriving = [data[:-1] + MORE for data in arriving]
        self._digest.update(b"< %d " % now_ns + b"".join(arriving))
        for data in batch:
            delivered(data, now_ns)
        left = len(arriving)
        for data in arriving:
            left -= 1
            if recorder is not None:
                recorder.giving(self._sent + len(self.sink.sent))
            if self.options.fragmented:
                self._fragments(link, data, decides and left == 0, first=left == len(arriving) - 1)
            else:
                link.rules.on_frame(1, True, 0, data, now_ns, decides and left == 0)
        if not decides:
            link.rules.on_frame(PONG, True, 0, b"", now_ns, True)
        if link.rules.error is not None:
            raise link.rules.error

    def _fragments(self, link: Link, data: bytes, last: bool, *, first: bool) -> None:
        """A message in pieces, with pongs between them; in several reads where no message is complete before."""
        cuts = sorted(self._cuts.randint(0, len(data)) for _ in range(self._cuts.randint(0, 3)))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for number, piece in enumerate(pieces):
            whole = number == len(pieces) - 1
            end = last if whole else first and self._cuts.random() < 0.5
            link.rules.on_frame(0 if number else 1, whole, 0, piece, self.now_ns, end)
            if not whole and self._cuts.random() < 0.3:
                link.rules.on_frame(PONG, True, 0, b"", self.now_ns, first)

    def _old(self, link: Link, batch: list[bytes]) -> None:
        """What an old socket still delivers changes nothing."""
        before = state_sha256(self.core)
        for data in batch:
            if not self.canary.hears(self, data):
                link.rules.on_frame(1, True, 0, data, self.now_ns, True)
        if self.sink.sent or state_sha256(self.core) != before:
            raise Violation(27, f"a connection that is gone has changed something: {batch[0]!r}")

    def deliver_if_up(self, batch: list[bytes]) -> None:
        """Let messages reach the core that the exchange did not send, if there is a connection."""
        if self.link is not None and self.link.up:
            self._deliver(self.link, batch)

    def _connect(self) -> None:
        """A new connection, as the live loop makes one after its pause."""
        if self.link is not None:
            return
        if not self.healed:
            self._reconnects.connecting(self.now_ns)
        self.sink.sent.clear()
        self.link = Link(
            self.options,
            self.agenda,
            self.wire,
            self.exchange,
            self._net,
            self.handler,
            self._deliver,
            self._lost,
            self._old,
            lambda: self.ready_ns,
        )
        self.checker.reset(self.link.connection)
        self._call(lambda: self.handler.on_connected(self.now_ns))

    def _lost(self, reason: str) -> None:
        """The connection is gone; the next one after a pause, or by another process when the budget is used up."""
        self.link = None
        self.sink.sent.clear()
        self.checker.reset(None)
        self._was_live = False
        self._reconnects.lost(self.now_ns)
        self._call(lambda: self.handler.on_disconnected(self.now_ns, reason))
        pause_ns = self.canary.pause_ns(self._backoff.pause_ns(self.now_ns))
        if self.healed:
            self._connect_after(CALM_PAUSE_NS)
        elif pause_ns is None:
            self.marks["reconnect budget"] += 1
            self.kill(SECOND_NS)
        else:
            self._connect_after(pause_ns)

    def _connect_after(self, pause_ns: int) -> None:
        """Connect after a pause, unless another process has begun meanwhile: its attempts are its own."""
        process = self._processes
        self.agenda.after(pause_ns, lambda: self._connect() if process == self._processes else None)

    def unblock(self) -> None:
        """The socket takes bytes again."""
        self.sink.blocked = False

    def _operator(self, act: str) -> None:
        self._call(lambda: self.driven.operator(act, self.now_ns))
