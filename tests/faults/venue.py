"""The real exchange in this process, whose truth the tests read, and the real quoter as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from feed.exchange.connection import Connection
from feed.exchange.errors import Code, RequestError
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.options import Options
from feed.exchange.orders import Order
from feed.exchange.seeded import SeededMarket
from feed.exchange.server import Server, serve
from feed.exchange.tls import self_signed
from tests.faults.background import Background, wait_until
from tests.shared import ROOT

PERP = "BTC-PERPETUAL"
SENDING = frozenset({"private/mass_quote", "private/insert", "private/amend", "private/buy", "private/sell"})
"""Requests that can put an order into the market."""
LIMIT_USD = 45_000.0
LIMIT_MARGIN = 1.02
"""The limit in lots is fixed at the first price of a connection; the market moves a little afterwards."""
COD_S = 2
FAST = {
    "connection.retry_delay": "0.05",
    "connection.heartbeat_interval": "0.4",
    "connection.cancel_on_disconnect": str(COD_S),
    "connection.reply_timeout": "1.5",
    "connection.stop_timeout": "8",
    "trading_strategy.quote_timing.data_stale": "1.5",
}
"""Deadlines short enough for a test to see them pass."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the exchange got it: when (monotonic s), on which connection, what."""

    at_s: float
    connection: int
    method: str
    params: Mapping[str, Any]


class WatchedExchange(Exchange):
    """The exchange, with a record of what was asked, and a place to refuse requests and to lose or change messages."""

    def __init__(self, options: Options | None = None, seed: int = 0) -> None:
        market = SeededMarket(default_instruments(time.time_ns()), seed)
        super().__init__(market, options or Options(), seed)
        self.asked: deque[Asked] = deque(maxlen=100_000)
        self.breaches: list[str] = []
        self.filter: Callable[[bytes], bytes | None] = lambda message: message
        self.refused: dict[str, tuple[Code, str]] = {}
        self.swallowed: set[str] = set()
        self.lost_replies = 0

    def connect(
        self, send: Callable[[bytes], None], now_ns: int, close: Callable[[int, str], None] | None = None
    ) -> Connection:
        def filtered(message: bytes) -> None:
            passed = self.filter(message)
            if passed is not None:
                send(passed)

        connection = super().connect(filtered, now_ns, close)
        receive = connection.receive

        def watched(data: bytes, now_ns: int) -> None:
            self._received(connection, receive, data, now_ns)

        connection.receive = watched  # type: ignore[method-assign]
        return connection

    def _received(
        self, connection: Connection, receive: Callable[[bytes, int], None], data: bytes, now_ns: int
    ) -> None:
        try:
            request = orjson.loads(data)
            method, params = request["method"], request["params"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.breaches.append(f"connection {connection.number} sent nonsense: {data[:100]!r}")
            return
        self.asked.append(Asked(time.monotonic(), connection.number, method, params))
        if method in SENDING and connection.persistent:
            self.breaches.append(f"connection {connection.number}: {method} without cancel-on-disconnect")
        if method in SENDING:
            older = [c.number for c in self.connections.values() if c is not connection and c.orders]
            if older:
                self.breaches.append(f"connection {connection.number}: {method} while {older} still have orders")
        if method in self.refused:
            code, text = self.refused[method]
            connection.send(connection._refusal(orjson.dumps(request["id"]), RequestError(code, text)))
            return
        if method in self.swallowed:
            outer, reply = self.filter, b'{"id":%d,' % request["id"]
            self.filter = lambda message: None if message.startswith(reply) else outer(message)
            self.lost_replies += 1
            try:
                receive(data, now_ns)
            finally:
                self.filter = outer
        else:
            receive(data, now_ns)
        self._judge(method)

    def _judge(self, method: str) -> None:
        """Position and every open order of a side together stay within the limit, for every account and instrument."""
        for account in self.accounts.values():
            worst: dict[str, list[float]] = {}
            for order in account.orders.values():
                listing = order.listing
                sides = worst.setdefault(listing.name, [0.0, 0.0])
                sides[0 if order.buy else 1] += order.remaining * listing.lot_e8 / 1e8
            for name, (bids, asks) in worst.items():
                held = self.position(account.number, name)
                price = self.listings[name].underlying.index_e8 / 1e8
                if max(held + bids, asks - held) * price > LIMIT_USD * LIMIT_MARGIN:
                    self.breaches.append(f"after {method}: {name} {held} held, {bids} bid, {asks} asked")


class Venue:
    """The exchange on the loop of ``background``. Every method may be called from the test's thread.

    ``tls_host``: serve wss with a certificate for that host.
    """

    def __init__(self, background: Background, options: Options | None = None, tls_host: str = "") -> None:
        self.background = background
        self.exchange = WatchedExchange(options)
        tls = self_signed(tls_host) if tls_host else None
        self.server: Server = background.run(serve(self.exchange, tls=tls))
        self.port = int(self.server.url.split(":")[2].partition("/")[0])

    def call(self, act: Callable[[WatchedExchange], Any]) -> Any:
        """``act(exchange)`` on the exchange's thread, at its present time."""

        def now() -> Any:
            self.exchange.advance(self.server.now_ns())
            result = act(self.exchange)
            self.exchange.execution.commit()
            self.server.arm()
            return result

        return self.background.call(now)

    def orders(self) -> list[Order]:
        """Every open order of every client."""
        return list(self.call(lambda exchange: [o for a in exchange.accounts.values() for o in a.orders.values()]))

    def order_connections(self) -> set[int]:
        """The connections that own an open order."""
        return set(self.call(lambda exchange: {c.number for c in exchange.connections.values() if c.orders}))

    def connections(self) -> int:
        """How many connections there have been."""
        return self.exchange.connection_count

    def asked(self, since_s: float = 0.0) -> list[Asked]:
        """Requests since then (monotonic s)."""
        return list(self.call(lambda exchange: [asked for asked in exchange.asked if asked.at_s >= since_s]))

    def sent(self, since_s: float) -> list[Asked]:
        """Requests since then that could put an order into the market."""
        return [asked for asked in self.asked(since_s) if asked.method in SENDING]

    def close(self) -> None:
        """End every session and stop listening."""
        self.background.run(self.server.close())


class Quoter:
    """``quoter run`` as a child process, killed at the latest by ``close``.

    ``port``: that of the proxy. ``program``: Python text that changes something and then calls ``main``.
    ``settings``: configuration keys with ``__`` for dots.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *arguments: str,
        program: str = "",
        scheme: str = "ws",
        environment: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.log = directory / f"quoter-{time.monotonic_ns()}.log"
        command = [sys.executable, *(("-c", program) if program else ("-m", "engine.cli.main"))]
        command += ["run", "--network", "local", "--json"]
        command += ["--url", f"{scheme}://127.0.0.1:{port}/ws/api/v2", "--log", str(self.log)]
        for name, value in (FAST | {name.replace("__", "."): value for name, value in settings.items()}).items():
            command += ["--set", f"{name}={value}"]
        self.state = directory / "state"
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"XDG_STATE_HOME": str(self.state)} | dict(environment or {}),
            start_new_session=True,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the quoter alone."""
        self.process.send_signal(number)

    @property
    def running(self) -> bool:
        """Is the process alive?"""
        return self.process.poll() is None

    def wait(self, seconds: float = 90.0) -> tuple[int, str, str]:
        """Exit status, standard output and error; raises when it does not end in time."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def stop(self, seconds: float = 20.0) -> dict[str, Any]:
        """SIGTERM, an orderly end with status 0; its report."""
        self.signal(signal.SIGTERM)
        status, out, err = self.wait(seconds)
        assert status == 0, f"status {status}: {err} {out}"
        report: dict[str, Any] = json.loads(out)
        return report

    def events(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def close(self) -> None:
        """Kill it and whatever it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self.process.communicate()


def quoting(venue: Venue, seconds: float = 20.0, after: int = 0) -> float:
    """Wait until a connection later than number ``after`` has orders in the market; how long it took."""
    return wait_until(
        lambda: any(number > after for number in venue.order_connections()), seconds, "quotes in the market"
    )


def said(quoter: Quoter, *arguments: str, status: int = 0) -> str:
    """What a command says that is given from another terminal."""
    command = [sys.executable, "-m", "engine.cli.main", *arguments]
    environment = os.environ | {"XDG_STATE_HOME": str(quoter.state)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=600)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout
