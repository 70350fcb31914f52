"""A market that does what a test tells it, and a client that keeps what it is told."""

import time
from collections.abc import Callable
from typing import Any

import orjson

from feed.exchange.exchange import Exchange
from feed.exchange.instruments import Instrument
from feed.exchange.market import NEVER_NS, Floor
from feed.exchange.options import SECOND_NS, Options

NOW_NS = 1_783_423_200 * SECOND_NS
PERP = "BTC-PERPETUAL"
FUTURE = "BTC-25DEC26"
EXPIRY_NS = 1_798_185_600 * SECOND_NS
INSTRUMENTS = (
    Instrument(PERP, "BTCUSD", "perpetual", 10**8, 10**5, 1, 0, 1_625_040_000 * SECOND_NS),
    Instrument("ETH-PERPETUAL", "ETHUSD", "perpetual", 10**7, 10**6, 1, 0, 1_625_040_000 * SECOND_NS),
    Instrument(FUTURE, "BTCUSD", "future", 10**8, 10**5, 1, EXPIRY_NS, 1_766_736_001 * SECOND_NS),
)


class ScriptedMarket:
    """Acts at given times; ``depth`` levels of the crowd around each index fill the books at the start."""

    def __init__(self, depth: int = 0, instruments: tuple[Instrument, ...] = INSTRUMENTS) -> None:
        self.instruments = instruments
        self.depth = depth
        self.index = {"BTCUSD": 78_000.0, "ETHUSD": 3_500.0}
        self.acts: list[tuple[int, Callable[[Floor], None]]] = []
        self.floor: Floor | None = None

    def start(self, floor: Floor, now_ns: int) -> None:
        self.floor = floor
        for name, price in self.index.items():
            floor.set_index(name, price)
        for spec in self.instruments:
            mid = round(self.index[spec.underlying] / spec.tick_usd)
            for away in range(1, self.depth + 1):
                floor.insert(spec.name, True, mid - 10 * away, 1000)
                floor.insert(spec.name, False, mid + 10 * away, 1000)

    def at(self, due_ns: int, act: Callable[[Floor], None]) -> None:
        self.acts.append((due_ns, act))
        self.acts.sort(key=lambda entry: entry[0])

    def next_ns(self) -> int:
        return self.acts[0][0] if self.acts else NEVER_NS

    def advance(self, now_ns: int) -> None:
        assert self.floor is not None
        while self.acts and self.acts[0][0] <= now_ns:
            self.acts.pop(0)[1](self.floor)


class Client:
    """An in-memory session: ``call`` returns the result, ``fails`` the error code; notifications gather in ``got``."""

    def __init__(self, exchange: Exchange, key: str | None = "K123456789", timeout_secs: int = 0) -> None:
        self.exchange = exchange
        self.raw: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.connection = exchange.connect(self.raw.append, exchange.now_ns, self._close)
        self.next_id = 0
        if key is not None:
            self.call("public/login", token=token(key, exchange))
        if timeout_secs:
            self.call("private/set_cancel_on_disconnect", timeout_secs=timeout_secs)

    def _close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self.next_id += 1
        request = {"method": method, "params": params, "id": f"r{self.next_id}"}
        self.connection.receive(orjson.dumps(request), self.exchange.now_ns)
        replies = [m for m in map(orjson.loads, self.raw) if m.get("id") == request["id"]]
        assert len(replies) == 1, replies
        return replies[0]

    def call(self, method: str, **params: Any) -> Any:
        reply = self.send(method, **params)
        assert "error" not in reply, reply
        return reply["result"]

    def fails(self, method: str, **params: Any) -> int:
        reply = self.send(method, **params)
        assert "result" not in reply, reply
        return int(reply["error"]["code"])

    def got(self, channel: str) -> list[Any]:
        """Notifications of a channel so far, oldest first."""
        messages = [orjson.loads(raw) for raw in self.raw if raw.startswith(b'{"channel_name"')]
        return [m["notification"] for m in messages if m["channel_name"] == channel]

    def clear(self) -> None:
        self.raw.clear()

    def insert(self, direction: str, price: float | None, amount: float, **more: Any) -> Any:
        if price is not None:
            more["price"] = price
        name = more.pop("instrument_name", PERP)
        return self.call("private/insert", direction=direction, instrument_name=name, amount=amount, **more)

    def quote(self, bids: list[list[float]] | None, asks: list[list[float]] | None, **more: Any) -> Any:
        entry: dict[str, Any] = {"i": more.pop("instrument_name", PERP)}
        if bids is not None:
            entry["b"] = bids
        if asks is not None:
            entry["a"] = asks
        return self.call("private/mass_quote", quotes=[entry], **more)


_KEYS: dict[str, Any] = {}


def private_pem() -> str:
    """One RSA key for all tests; making one takes longer than most of them."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if "key" not in _KEYS:
        _KEYS["key"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _KEYS["pem"] = (
            _KEYS["key"]
            .private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
            .decode()
        )
    return str(_KEYS["pem"])


def public_pem() -> str:
    from cryptography.hazmat.primitives import serialization

    private_pem()
    encoded = (
        _KEYS["key"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return str(encoded.decode())


_ISSUED = [0.0]


def token(kid: str, exchange: Exchange | None = None, iat: float | None = None, algorithm: str = "RS512") -> str:
    """A login token; strictly later ones for the same clock."""
    import jwt

    if iat is None:
        now = exchange.now_ns / 1e9 if exchange is not None else time.time()
        _ISSUED[0] = max(now, _ISSUED[0] + 1e-4) if abs(now - _ISSUED[0]) < 20 else now
        iat = _ISSUED[0]
    return jwt.encode({"iat": iat}, private_pem(), algorithm=algorithm, headers={"kid": kid})


def opened(depth: int = 0, seed: int = 0, **options: Any) -> Exchange:
    """A started exchange over a scripted market."""
    exchange = Exchange(ScriptedMarket(depth), Options(**options), seed)
    exchange.start(NOW_NS)
    return exchange


def crowd(exchange: Exchange, direction: str, price: int, lots: int, ioc: bool = False, name: str = PERP) -> int:
    """An anonymous order, price in ticks."""
    return exchange.insert(name, direction == "buy", price, lots, ioc=ioc)


def later(exchange: Exchange, secs: float) -> None:
    exchange.advance(exchange.now_ns + round(secs * SECOND_NS))
