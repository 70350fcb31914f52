"""Requests over one connection at a time: sent by priority and budget, matched with their answers by id.

Owner thread: the event loop's. Requests that the budgets do not admit wait here, by priority; cancels never wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import ujson

from feed.client_errors import ClientError, NotSent, OutcomeUnknown, VenueError
from feed.commands import Priority, build, priority_of
from feed.frames import MessageHandler
from feed.outbox import Outbox
from feed.transport import WsSink, now_ns
from feed.venue import RATE_PERSISTENT, ErrorCode

SUBMIT_FULL = -1
SUBMIT_REFUSED = 0
MINUTE_NS = 60_000_000_000
RETRY_S = 0.002


class _Call:
    """A request under way. ``sent``: it may have left the process."""

    __slots__ = ("answer", "method", "priority", "sent", "text")

    def __init__(self, method: str, priority: Priority, text: bytes, answer: "asyncio.Future[Any]") -> None:
        self.method = method
        self.priority = priority
        self.text = text
        self.answer = answer
        self.sent = False


class Requester(MessageHandler):
    """Sends requests to ``sink`` and resolves their futures; notifications go to ``on_notification``.

    ``rate_limit``: requests a minute over all but cancels, None for no limit beside the venue's.
    """

    def __init__(self, on_notification: Callable[[dict[str, Any], int], None]) -> None:
        self.sink = WsSink()
        self.outbox = Outbox(self.sink)
        self.rate_limit: int | None = None
        self.is_connected = False
        self.unmatched = 0
        self._on_notification = on_notification
        self._next_id = 1
        self._calls: dict[int, _Call] = {}
        self._waiting: dict[Priority, deque[_Call]] = {priority: deque() for priority in Priority}
        self._minute_ns: deque[int] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def call(self, method: str, params: Mapping[str, Any], timeout_s: float) -> Any:
        """The result of a request of ``feed.commands``.

        Raises ``BadRequest`` and ``NotSent`` (nothing left), ``VenueError`` (refused), ``OutcomeUnknown`` (no answer).
        """
        command, wire = build(method, params)
        if not self.is_connected:
            raise NotSent(f"{method}: not connected")
        request_id = self._next_id
        self._next_id += 1
        request = {"method": method, "params": wire, "id": request_id}
        text = ujson.dumps(request, allow_nan=False, escape_forward_slashes=False).encode()
        call = _Call(method, priority_of(command, wire), text, asyncio.get_running_loop().create_future())
        self._calls[request_id] = call
        self._waiting[call.priority].append(call)
        self._pump()
        try:
            async with asyncio.timeout(timeout_s):
                return await call.answer
        except TimeoutError:
            if call.sent:
                raise OutcomeUnknown(f"{method}: no answer within {timeout_s:g} s") from None
            raise NotSent(f"{method}: not admitted by the message budget within {timeout_s:g} s") from None
        finally:
            del self._calls[request_id]

    # -- the way out ---------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Send what may leave now, most urgent first, and come back when more may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = now_ns()
        if self.outbox.flush(now) == SUBMIT_FULL:
            self._give_up()
            return
        next_ns = [at for priority in Priority if (at := self._pump_one(priority, now)) is not None]
        if self.outbox.stats()["waiting"]:
            next_ns.append(now)
        if next_ns and self.is_connected:
            pause_s = max((min(next_ns) - now) / 1e9, RETRY_S)
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._pump)

    def _pump_one(self, priority: Priority, now: int) -> int | None:
        """Send from one queue; when to come back for the rest of it."""
        queue = self._waiting[priority]
        while queue:
            call = queue[0]
            if call.answer.done():
                queue.popleft()
                continue
            if priority is not Priority.CANCEL:
                free_ns = max(self._minute_free_ns(now), self.outbox.next_admission(priority, now))
                if free_ns > now:
                    return free_ns
            code = self.outbox.submit(priority, call.text, now)
            if code == SUBMIT_FULL:
                self._give_up()
                return None
            if code == SUBMIT_REFUSED:
                return self.outbox.next_admission(priority, now)
            call.sent = True
            queue.popleft()
            if priority is not Priority.CANCEL:
                self._minute_ns.append(now)
        return None

    def _minute_free_ns(self, now: int) -> int:
        while self._minute_ns and now - self._minute_ns[0] >= MINUTE_NS:
            self._minute_ns.popleft()
        if self.rate_limit is None or len(self._minute_ns) < self.rate_limit:
            return now
        return self._minute_ns[len(self._minute_ns) - self.rate_limit] + MINUTE_NS

    def _give_up(self) -> None:
        self.sink.close("the peer does not take our requests")

    # -- the way in ----------------------------------------------------------------------------------------------------

    def on_connected(self, now_ns: int) -> None:
        """Start with empty queues on the new connection."""
        self.outbox.attach(self.sink)
        self.outbox.set_message_rate(RATE_PERSISTENT)
        self.is_connected = True

    def on_disconnected(self, now_ns: int, reason: str) -> None:
        """Fail what is under way: unknown if it may have left."""
        self.is_connected = False
        for queue in self._waiting.values():
            queue.clear()
        for call in self._calls.values():
            if not call.answer.done():
                kind: type[ClientError] = OutcomeUnknown if call.sent else NotSent
                call.answer.set_exception(kind(f"{call.method}: {reason}"))

    def on_message(self, message: bytes, now_ns: int, last_in_batch: bool) -> None:
        """An answer or a notification; anything else poisons the connection."""
        decoded = orjson.loads(message)
        if "channel_name" in decoded:
            self._on_notification(decoded, now_ns)
            return
        call = self._calls.get(decoded["id"])
        if call is None or call.answer.done():
            self.unmatched += 1
            return
        if "error" in decoded:
            error = VenueError(decoded["error"]["code"], decoded["error"]["message"])
            self._tell_breaker(call, error.code, now_ns)
            call.answer.set_exception(error)
        else:
            self._tell_breaker(call, 0, now_ns)
            call.answer.set_result(decoded["result"])

    def _tell_breaker(self, call: _Call, code: int, now: int) -> None:
        if code == ErrorCode.THROTTLE_EXCEEDED:
            self.outbox.on_throttled(now)
        elif call.priority in (Priority.REDUCE, Priority.QUOTE):
            (self.outbox.on_rejected if code else self.outbox.on_accepted)(now)
