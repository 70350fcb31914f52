"""Faults that befall single messages between exchange and core, all within what the venue's protocol allows.

Requests may be refused, or executed and reported as failed; replies may be lost or late (requests and notifications are
not ordered among each other, thalex protocol section 3); market data may be lost or absurd; positions of record lag.
Order reports of one connection may be late, as a channel; they are never lost and never change places.
"""

from collections import Counter
from random import Random

import orjson

from engine.sim.options import CHANCES, MS, SwarmOptions

REPLY = b'{"id":'
BOOK = b'{"channel_name":"book.'
TICKER = b'{"channel_name":"ticker.'
PORTFOLIO = b'{"channel_name":"account.portfolio'
ORDERS = b'{"channel_name":"session.orders'
OPEN = b'"status":"open"'
OPEN_ORDERS = b'"result":[{"order_id"'
THROTTLE_EXCEEDED = 4
TEMPORARY_FAILURE = 20
PARTITION_UNAVAILABLE = 10
MATCHING = ("private/mass_quote", "private/insert", "private/amend", "private/set_mm_protection")
REPORTS_LATE_MS = 900
"""How much later than the reply the report of the same thing may come: the core takes it for certain after a second."""
ABSURD: tuple[tuple[str, object], ...] = (
    ("mark_price", None),
    ("mark_price", 0),
    ("mark_price", -1),
    ("mark_price", 1e15),
    ("mark_price", 0.01),
    ("index", 0),
    ("index", -5.5),
    ("index", None),
    ("index", 1e12),
    ("best_bid_price", None),
    ("mark_timestamp", 0),
    ("funding_mark", 1e9),
    ("something_new", {"a": [1, 2, {"b": None}]}),
)
"""What a broken mark or index publisher may write into a ticker: member and value, one at a time."""


class Wire:
    """Decides the fate of each message. ``healed``: no more faults."""

    def __init__(self, options: SwarmOptions, marks: Counter[str]) -> None:
        self.healed = False
        self.mute_ticker_until_ns = 0
        self.mute_book_until_ns = 0
        self.set_up = True
        """The session is not live yet: what is asked is what the set-up asks."""
        self._chances = options.faults
        self._reply_ns = options.reply_ns
        self._marks = marks
        self._rng: dict[str, Random] = {name: options.rng(name) for name in options.faults if name in CHANCES}
        self._lag_until_ns = 0
        self._reports_until_ns = 0
        self._fate: str | None = None
        """What becomes of the next reply."""

    def strikes(self, fault: str) -> bool:
        """Whether this fault happens now; counts it."""
        chance = self._chances.get(fault)
        if chance is None or self.healed or self._rng[fault].random() >= chance:
            return False
        self._marks[fault] += 1
        return True

    def request(self, text: bytes) -> bytes | None:
        """A request reaches the exchange: None when it is executed, else the answer instead of that."""
        self._fate = None
        if not self._chances or self.healed:
            return None
        if self.strikes("execute_but_fail"):
            self._fate = "execute_but_fail"
        elif self.strikes("refuse_temporarily"):
            return self._error(text, self._rng["refuse_temporarily"].choice((TEMPORARY_FAILURE, PARTITION_UNAVAILABLE)))
        elif self._chances.get("throttle") and orjson.loads(text)["method"] in MATCHING and self.strikes("throttle"):
            return self._error(text, THROTTLE_EXCEEDED)
        return None

    def down(self, data: bytes, now_ns: int) -> tuple[bytes | None, int]:
        """A message leaves the exchange: what leaves (None: nothing) and how late, in ns; 0 keeps its place."""
        # A channel keeps its order, also with what was late before it was healed.
        if now_ns < self._lag_until_ns and data.startswith(PORTFOLIO):
            return data, self._lag_until_ns - now_ns
        if now_ns < self._reports_until_ns and data.startswith(ORDERS):
            return data, self._reports_until_ns - now_ns
        if self.healed or not self._chances:
            return data, 0
        if data.startswith(REPLY):
            return self._reply(data)
        if data.startswith(ORDERS):
            if OPEN in data and self.strikes("odd_status"):
                data = data.replace(OPEN, b'"status":"resting"', 1)
            if self.strikes("lag_orders"):
                lag_ns = round(self._rng["lag_orders"].uniform(1, REPORTS_LATE_MS)) * MS
                self._reports_until_ns = now_ns + lag_ns
                return data, lag_ns
            return data, 0
        if data.startswith(BOOK):
            if now_ns < self.mute_book_until_ns or (b'"snapshot":true' not in data and self.strikes("lose_delta")):
                return None, 0
            if b'"ask_changes":[[' in data and self.strikes("cross_book"):
                return self._crossed(data), 0
        elif data.startswith(TICKER):
            if now_ns < self.mute_ticker_until_ns:
                return None, 0
            if self.strikes("odd_ticker"):
                return self._odd(data), 0
        elif data.startswith(PORTFOLIO) and b'"snapshot":true' not in data and self.strikes("lag_portfolio"):
            self._lag_until_ns = now_ns + round(self._rng["lag_portfolio"].uniform(1, 2000)) * MS
            return data, self._lag_until_ns - now_ns
        return data, 0

    def _reply(self, data: bytes) -> tuple[bytes | None, int]:
        if self._fate == "execute_but_fail":
            self._fate = None
            return self._error(data, TEMPORARY_FAILURE), 0
        if self.set_up and OPEN_ORDERS in data and self.strikes("deny_orders"):
            return orjson.dumps({"id": orjson.loads(data)["id"], "result": []}), 0
        if self.strikes("swallow_reply"):
            return None, 0
        if self.strikes("delay_reply"):
            return data, round(self._rng["delay_reply"].uniform(0, 1.3) ** 3 * self._reply_ns)
        return data, 0

    @staticmethod
    def _error(text: bytes, code: int) -> bytes:
        return orjson.dumps({"id": orjson.loads(text)["id"], "error": {"code": code, "message": "simulated"}})

    @staticmethod
    def _crossed(data: bytes) -> bytes:
        """A bid where an ask is, counted in the totals: what follows shows that it never was."""
        message = orjson.loads(data)
        book = message["notification"]
        price, amount, outright = book["ask_changes"][0]
        others = [row for row in book.get("bid_changes", ()) if row[0] != price]
        book["bid_changes"] = [[price, amount, outright], *others]
        book["total_bid_amount"] = round(book["total_bid_amount"] + amount, 8)
        return orjson.dumps(message)

    def _odd(self, data: bytes) -> bytes:
        message = orjson.loads(data)
        name, value = self._rng["odd_ticker"].choice(ABSURD)
        message["notification"][name] = value
        return orjson.dumps(message)
