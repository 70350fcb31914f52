"""Orders through the local exchange (parse, check, match, report), against parsing and printing alone."""

import orjson

from benchmarks.conftest import Race
from engine.bench.mover import MovingMarket
from engine.bench.tapes import INSTRUMENT, START_NS, START_USD
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.options import Options

PAIRS = 50


def request(method: str, **params: object) -> bytes:
    return orjson.dumps({"method": method, "params": params, "id": 1})


def test_exchange(race: Race) -> None:
    n = 2 * (2 if race.smoke else PAIRS)
    (listed,) = (i for i in default_instruments(START_NS) if i.name == INSTRUMENT)
    market = MovingMarket(listed, START_USD, 10**18, 1)
    exchange = Exchange(market, Options(message_rate_persistent=0, message_rate=0, cancel_rate=0))
    exchange.start(START_NS)
    got: list[bytes] = []
    connection = exchange.connect(got.append, START_NS)
    connection.receive(request("public/login", token=throwaway_key().token(START_NS / 1e9)), START_NS)
    order = {"instrument_name": INSTRUMENT, "direction": "buy", "price": 59_000, "amount": 0.1, "client_order_id": 7}
    insert, cancel = request("private/insert", **order), request("private/cancel", client_order_id=7)

    def ours() -> None:
        got.clear()
        for _ in range(n // 2):
            connection.receive(insert, START_NS)
            connection.receive(cancel, START_NS)
        assert len(got) == n and b'"error"' not in got[-1] + got[-2], got[-2:]

    def theirs() -> None:
        for _ in range(n // 2):
            orjson.dumps(orjson.loads(insert))
            orjson.dumps(orjson.loads(cancel))

    race("exchange.insert_cancel", ours, theirs, "orjson round trip", ops=n, their_ops=n)
