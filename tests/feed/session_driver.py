"""A session walked by a script: every request answered well, apart from the ones told otherwise."""

import json
from typing import Any

from feed import messages
from feed.decode_slow import decode
from feed.messages import VenueError
from feed.session import Session
from feed.session_plan import SessionPlan

SECOND = 1_000_000_000


def answer_to(request_id: Any, result: Any = None, error: VenueError | None = None) -> messages.Reply:
    return messages.Reply(request_id, result, error)


def notification(channel: str, payload: Any, *, snapshot: bool = False) -> messages.Notification:
    flag = {"snapshot": True} if snapshot else {}
    decoded = decode(json.dumps({"channel_name": channel, "notification": payload} | flag).encode())
    assert isinstance(decoded, messages.Notification)
    return decoded


PLAN = SessionPlan(
    instruments=("BTC-PERPETUAL", "ETH-PERPETUAL"),
    channels_public=("ticker.BTC-PERPETUAL.raw", "ticker.ETH-PERPETUAL.raw", "system"),
    environment="testnet",
    account="A123",
    mass_quote=True,
    protection={"FBTCUSD": (10_000_000, 250_000_000), "FETHUSD": (100_000_000, 100_000_000)},
)
POSITION = {"instrument_name": "BTC-PERPETUAL", "position": -0.25}
INSTRUMENTS = [{"instrument_name": name} for name in ("BTC-PERPETUAL", "ETH-PERPETUAL", "BTC-26DEC25")]

ORDER = [
    "public/login",
    "public/system_info",
    "private/set_cancel_on_disconnect",
    "private/cancel_session",
    "private/subscribe",
    "private/open_orders",
    "private/portfolio",
    "unsubscribe",
    "public/instruments",
    "public/ticker",
    "public/ticker",
    "private/set_mm_protection",
    "private/set_mm_protection",
    "public/subscribe",
]


def good_result(request: dict[str, Any]) -> Any:
    method, params = request["method"], request["params"]
    return {
        "public/login": {"account_number": "A123"},
        "public/system_info": {"environment": "testnet", "api_version": "2.60.0", "banners": []},
        "private/set_cancel_on_disconnect": {"message_rate": 50},
        "private/cancel_session": None,
        "private/subscribe": params.get("channels"),
        "public/subscribe": params.get("channels"),
        "unsubscribe": params.get("channels"),
        "private/open_orders": [],
        "private/portfolio": [POSITION],
        "public/instruments": INSTRUMENTS,
        "public/ticker": {"mark_price": 60_000.5},
        "private/set_mm_protection": None,
    }[method]


class Driver:
    """Answers every request well, apart from the ones told otherwise."""

    def __init__(self, plan: SessionPlan = PLAN) -> None:
        self.session = Session(plan)
        self.now = 0
        self.sent: list[dict[str, Any]] = []
        self.events: list[Any] = []
        self.snapshots = True

    def connect(self) -> "Driver":
        self.session.connected(self.now)
        return self

    def take(self) -> list[dict[str, Any]]:
        requests = [json.loads(text) for text in self.session.take_requests()]
        self.sent += requests
        self.events += self.session.take_events()
        return requests

    def answer(self, request: dict[str, Any], result: Any = ..., error: tuple[int, str] | None = None) -> None:
        if error is not None:
            self.session.receive(answer_to(request["id"], error=VenueError(*error)), self.now)
        else:
            self.session.receive(answer_to(request["id"], good_result(request) if result is ... else result), self.now)
        self.events += self.session.take_events()

    def run(self, until: str | None = None) -> list[dict[str, Any]]:
        """Walk until a request of the method ``until`` waits for its answer (returned), or to the end of set-up."""
        for _ in range(40):
            if self.session.wants_token:
                self.session.provide_token("header.payload.signature", self.now)
            requests = self.take()
            if any(request["method"] == until for request in requests):
                return requests
            for request in requests:
                self.answer(request)
                if request["method"] == "private/subscribe" and self.snapshots:
                    self.session.on_snapshot("session.orders", self.now)
                    self.session.on_snapshot("account.portfolio", self.now)
                    self.session.on_snapshot("account.orders", self.now)
            if not requests:
                break
        self.events += self.session.take_events()
        return []

    def told(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def live(plan: SessionPlan = PLAN) -> Driver:
    driver = Driver(plan).connect()
    driver.run()
    driver.session.synced(driver.now)
    driver.take()
    driver.events.clear()
    return driver
