"""One simulated connection: bytes in order both ways, with every way in which a connection may go wrong.

Order within a direction is kept by all faults, as TCP keeps it; only replies that the venue itself is late with come
out of their place. What is on its way when the connection is cut is lost.
"""

from collections import deque
from collections.abc import Callable
from random import Random

from engine.sim.agenda import Agenda
from engine.sim.options import MS, SECOND_NS, SwarmOptions
from engine.sim.wire import ORDERS, Wire
from feed.exchange.connection import Connection
from feed.exchange.exchange import Exchange
from feed.frames import FrameRules, MessageHandler

PING = b""
ABNORMAL = 1006
PING_NS = SECOND_NS
DEAD_NS = 4 * SECOND_NS
"""When the transport gives up a peer that answers no ping."""
COALESCE_NS = 20 * MS


class Link:
    """One connection between core and exchange.

    ``handler``: gets the messages, through the websocket rules of this connection. ``deliver``: a read of the socket
    brings messages. ``lost``: the core learns that the connection is gone; ``old``: its socket still brings messages.
    ``ready_ns``: the core's process does not run before this time.
    """

    def __init__(
        self,
        options: SwarmOptions,
        agenda: Agenda,
        wire: Wire,
        exchange: Exchange,
        rng: Random,
        handler: MessageHandler,
        deliver: Callable[["Link", list[bytes]], None],
        lost: Callable[[str], None],
        old: Callable[["Link", list[bytes]], None],
        ready_ns: Callable[[], int],
    ) -> None:
        self.up = True
        """The core believes in it."""
        self.reached = True
        """Bytes pass."""
        self._agenda = agenda
        self._wire = wire
        self._exchange = exchange
        self._rng = rng
        self._latency_ns = options.latency_ns
        self.rules = FrameRules(handler)
        self._deliver = deliver
        self._lost = lost
        self._old = old
        self._ready_ns = ready_ns
        self._inbound: deque[tuple[int, bytes]] = deque()
        self._outbound: deque[tuple[int, bytes]] = deque()
        self._in_last_ns = self._out_last_ns = 0
        self._in_stalled_ns = self._out_stalled_ns = 0
        self.connection: Connection = exchange.connect(self._from_exchange, agenda.now_ns, close=self._closed)
        agenda.after(PING_NS, self._ping)

    @property
    def idle(self) -> bool:
        """Nothing is on its way."""
        return not self._inbound and not self._outbound

    @property
    def quiet(self) -> bool:
        """Nothing is on its way to the core."""
        return not self._inbound and self.up and self.reached

    # --- core to exchange -----------------------------------------------------------------------------------------

    def send(self, text: bytes) -> None:
        """The core wrote a message."""
        if not self.reached:
            return
        due_ns = max(self._out_last_ns, self._agenda.now_ns + self._delay_ns(), self._out_stalled_ns)
        self._out_last_ns = due_ns
        self._outbound.append((due_ns, text))
        self._agenda.at(due_ns, self._arrive_there)

    def arrival_ns(self) -> int:
        """When the message that was sent last arrives, if nothing happens to it."""
        return self._out_last_ns

    def _arrive_there(self) -> None:
        now_ns = self._agenda.now_ns
        while self._outbound and self._outbound[0][0] <= now_ns:
            _, text = self._outbound.popleft()
            if text == PING:
                self.connection.ping(now_ns)
                continue
            refusal = self._wire.request(text)
            if refusal is None:
                self.connection.receive(text, now_ns)
            else:
                self._from_exchange(refusal)

    def _ping(self) -> None:
        if self.up:
            if self._ready_ns() <= self._agenda.now_ns:
                self.send(PING)
            self._agenda.after(PING_NS, self._ping)

    # --- exchange to core -----------------------------------------------------------------------------------------

    def _from_exchange(self, data: bytes) -> None:
        if not self.reached:
            return
        now_ns = self._agenda.now_ns
        passed, late_ns = self._wire.down(data, now_ns)
        if passed is None:
            return
        if late_ns:
            self._agenda.after(self._latency_ns + late_ns, lambda: self._late(passed))
            return
        due_ns = max(self._in_last_ns, now_ns + self._delay_ns(), self._in_stalled_ns)
        if self._wire.strikes("coalesce"):
            due_ns += -due_ns % COALESCE_NS
        one_more = due_ns != self._in_last_ns or not self._inbound
        self._in_last_ns = due_ns
        self._inbound.append((due_ns, passed))
        if passed.startswith(ORDERS) and b'"snapshot":true' not in passed and self._wire.strikes("repeat_orders"):
            self._inbound.append((due_ns, passed))
        if one_more:
            self._agenda.at(due_ns, self._arrive_here)

    def _late(self, data: bytes) -> None:
        self._inbound.append((self._agenda.now_ns, data))
        self._arrive_here()

    def _arrive_here(self) -> None:
        now_ns = self._agenda.now_ns
        if not self.up or not self.reached:
            return
        ready_ns = self._ready_ns()
        if ready_ns > now_ns:
            self._agenda.at(ready_ns, self._arrive_here)
            return
        batch: list[bytes] = []
        for _ in range(len(self._inbound)):
            due_ns, data = self._inbound.popleft()
            if due_ns <= now_ns:
                batch.append(data)
            else:
                self._inbound.append((due_ns, data))
        while batch and self.up:
            size = self._rng.randint(1, len(batch)) if self._wire.strikes("rechunk") else len(batch)
            chunk, batch = batch[:size], batch[size:]
            self._deliver(self, chunk)

    def _closed(self, code: int, reason: str) -> None:
        """The exchange ends the connection; the core learns after everything sent before."""
        due_ns = max(self._in_last_ns, self._agenda.now_ns + self._latency_ns)
        self._agenda.at(due_ns, lambda: self.lose(f"{code} {reason}"))

    # --- ends and faults ------------------------------------------------------------------------------------------

    def lose(self, reason: str) -> None:
        """The core's end learns that the connection is gone."""
        if self.up:
            self.up = False
            self._end(reason)

    def abort(self) -> None:
        """The core's end is dropped; the exchange sees it, unless bytes pass no more."""
        self.up = False
        if self.reached:
            self.reached = False
            self._outbound.clear()
            self._agenda.after(self._latency_ns, lambda: self.connection.disconnect(self._agenda.now_ns))

    def cut(self, reason: str) -> None:
        """Both ends see the end; what was under way is lost."""
        if self.up:
            self.abort()
            self._end(reason)

    def _end(self, reason: str) -> None:
        """The transport tells the end once, and its rules let nothing through behind it."""
        self.rules.poison(ABNORMAL, "the connection is gone")
        if self._inbound and self._wire.strikes("old_socket"):
            left = [data for _, data in self._inbound]
            self._agenda.after(self._rng.choice((0, self._latency_ns, SECOND_NS)), lambda: self._old(self, left))
        self._lost(reason)

    def go_silent(self) -> None:
        """Nothing passes any more and nobody is told: the exchange's timeout and our pings find out."""
        self.reached = False
        self._outbound.clear()
        self._agenda.after(DEAD_NS, lambda: self.lose("no answer to pings"))

    def stall(self, until_ns: int, inbound: bool, outbound: bool) -> None:
        """Hold back one direction or both, then let everything come at once."""
        if inbound:
            self._in_stalled_ns = until_ns
        if outbound:
            self._out_stalled_ns = until_ns

    def heal(self) -> None:
        """No stall any more."""
        self._in_stalled_ns = self._out_stalled_ns = 0

    def _delay_ns(self) -> int:
        if self._wire.strikes("jitter"):
            return round(self._latency_ns * (1 + self._rng.expovariate(0.5)))
        return self._latency_ns
