"""One simulated world: the real core and the real exchange, joined by a link with latency, on one simulated clock.

Real bytes pass both ways; only the websocket, the event loop and the wall clock are replaced. Time is integer
nanoseconds since the epoch and moves from event to event, so half an hour of market passes in seconds and the same seed
gives the same bytes.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.plan import CorePlan
from engine.core.step import Core
from engine.journal.plan_text import start_text
from engine.sim.tape import Act, Tape
from feed.exchange.connection import Connection
from feed.exchange.exchange import Exchange
from feed.frames import ListSink
from kernels.kept import addresses

NEVER_NS = 2**63 - 1
PING_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Link:
    """One-way latencies in ns."""

    to_exchange_ns: int = 200_000
    to_core_ns: int = 200_000


@dataclass(slots=True)
class World:
    """A core connected to an exchange.

    ``token``: called with epoch seconds for each login. ``on_outbound``: sees every request text with its send time.
    ``tape``: gets every input of the core. ``reads``: cuts what arrives at one instant into reads; one by default.
    """

    plan: CorePlan
    exchange: Exchange
    token: Callable[[float], str]
    now_ns: int
    link: Link = field(default_factory=Link)
    on_outbound: Callable[[int, bytes], None] | None = None
    tape: Tape | None = None
    reads: Callable[[list[bytes]], list[list[bytes]]] = lambda messages: [messages]
    core: Core = field(init=False)
    sink: ListSink = field(init=False)
    steps: int = 0
    generation: int = 0
    mute: bool = False
    """Nothing of the exchange arrives any more, and nothing tells so."""
    _heap: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _sequence: int = 0
    _connection: Connection = field(init=False)
    _inbound: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.core = Core(self.plan, addresses())
        self.sink = ListSink()
        self.core.attach(self.sink)
        self.exchange.start(self.now_ns)
        self.reconnect()
        self._at(self.now_ns + PING_NS, self._ping)

    def reconnect(self) -> None:
        """Open a connection; the core walks its set-up anew."""
        generation = self.generation = self.generation + 1

        def send(data: bytes) -> None:
            if generation == self.generation:
                self._from_exchange(data)

        def closed(code: int, reason: str) -> None:
            if generation == self.generation:
                self._disconnected(f"{code} {reason}")

        self._connection = self.exchange.connect(send, self.now_ns, close=closed)
        self._note(Act.CONNECTED)
        self.core.on_connected(self.now_ns)
        self.flush()

    def cut(self, reason: str) -> None:
        """Cut the connection: what was under way in either direction is lost."""
        self.generation += 1
        self._inbound.clear()
        self.sink.sent.clear()
        self._connection.disconnect(self.now_ns)
        self._disconnected(reason)

    def operator(self, act: str) -> None:
        """An act of the operator, and what the core sends because of it."""
        self._note(Act.OPERATOR, act.encode())
        self.core.operator(act, self.now_ns)
        self.flush()

    def configure(self, plan: CorePlan) -> None:
        """Another plan, and what the core sends because of it."""
        self._note(Act.CONFIG, start_text(plan, {}))
        self.core.configure(plan, self.now_ns)
        self.flush()

    def _note(self, act: Act, data: bytes = b"", last: bool = True) -> None:
        if self.tape is not None:
            self.tape.record(act, self.now_ns, data, last)

    def _disconnected(self, reason: str) -> None:
        self._note(Act.DISCONNECTED, reason.encode())
        self.core.on_disconnected(self.now_ns, reason)

    def _at(self, time_ns: int, act: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (time_ns, self._sequence, act))

    def _from_exchange(self, data: bytes) -> None:
        """The exchange sends: everything it sends at one instant arrives as one batch."""
        arrival_ns = self.now_ns + self.link.to_core_ns
        if not self._inbound or self._inbound[-1][0] != arrival_ns:
            self._at(arrival_ns, self._deliver)
        self._inbound.append((arrival_ns, data))

    def _deliver(self) -> None:
        due = [data for arrival_ns, data in self._inbound if arrival_ns <= self.now_ns]
        del self._inbound[: len(due)]
        if self.mute:
            return
        for read in self.reads(due):
            for i, data in enumerate(read):
                last = i == len(read) - 1
                self._note(Act.MESSAGE, data, last)
                self.core.on_message(data, self.now_ns, last)
        self.flush()

    def flush(self) -> None:
        """After a call of the core: whatever the core wrote is on its way; a login token is made when asked for."""
        if self.core.wants_token:
            token = self.token(self.now_ns / 1e9)
            self._note(Act.TOKEN, token.encode())
            self.core.provide_token(token, self.now_ns)
        sent, self.sink.sent = self.sink.sent, []
        if not sent:
            return
        if self.on_outbound is not None:
            for text in sent:
                self.on_outbound(self.now_ns, text)

        generation = self.generation

        def arrive() -> None:
            for text in sent:
                if generation == self.generation:
                    self._connection.receive(text, self.now_ns)

        self._at(self.now_ns + self.link.to_exchange_ns, arrive)

    def _ping(self) -> None:
        self._connection.ping(self.now_ns)
        self._at(self.now_ns + PING_NS, self._ping)

    def run(self, until_ns: int) -> None:
        """Advance to a time, event by event. Raises RuntimeError when the core gives up the connection."""
        while True:
            next_act_ns = self._heap[0][0] if self._heap else NEVER_NS
            next_exchange_ns = self.exchange.next_ns()
            next_timer_ns = max(self.core.deadline_ns, self.now_ns + 1)
            next_ns = min(next_act_ns, next_exchange_ns, next_timer_ns)
            if next_ns > until_ns:
                self.now_ns = until_ns
                return
            self.now_ns = max(self.now_ns, next_ns)
            self.steps += 1
            if next_ns == next_exchange_ns:
                self.exchange.advance(self.now_ns)
            elif next_ns == next_act_ns:
                heapq.heappop(self._heap)[2]()
            else:
                self._note(Act.TIMER)
                self.core.on_timer(self.now_ns)
                self.flush()
            if (self.core.wants_close or self.core.fatal) and not self.mute:
                raise RuntimeError(f"the core gives up its connection: {self.core.fatal or self.core.wants_close}")
