"""One client's session, sans-IO: bytes in, bytes out, time as an argument (protocol sections 3, 4 and 10)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from feed.exchange.accounts import Account
from feed.exchange.errors import Code, RequestError
from feed.exchange.listed import Listing
from feed.exchange.orders import Order
from feed.exchange.params import Params, bad
from feed.exchange.protection import Group
from feed.exchange.throttle import Throttle

if TYPE_CHECKING:
    from feed.exchange.exchange import Exchange
    from feed.exchange.feeds import Feed, ListFeed, OrdersFeed

CLOSE_GOING_AWAY = 1001
CLOSE_POLICY = 1008


class Connection:
    """A session is its connection. ``send`` is the one way out, and must not call back into the exchange.

    A session starts persistent; ``set_cancel_on_disconnect`` makes it non-persistent and starts the dead-man's timer,
    which any frame feeds. Times epoch ns.
    """

    def __init__(
        self,
        exchange: "Exchange",
        number: int,
        transmit: Callable[[bytes], None],
        close: Callable[[int, str], None] | None,
        now_ns: int,
    ) -> None:
        options = exchange.options
        fixed = options.throttle_window == "fixed"
        self.exchange = exchange
        self.number = number
        self.transmit = transmit
        self.closing = close
        self.account: Account | None = None
        self.persistent = True
        self.timeout_ns = 0
        self.heard_ns = now_ns
        self.asked_ns = now_ns
        self.open = True
        self.messages = Throttle(options.message_rate_persistent, options.throttle_penalty_ns, fixed)
        self.cancels = Throttle(options.cancel_rate, options.throttle_penalty_ns, fixed)
        self.feeds: dict[str, Feed] = {}
        self.orders_feed: OrdersFeed | None = None
        self.protection_feed: ListFeed | None = None
        self.orders: dict[int, Order] = {}
        self.client_ids: dict[int, Order] = {}
        self.quotes: dict[tuple[Listing, bool], list[Order]] = {}
        self.groups: dict[str, Group] = {}
        self.updates: list[tuple[Order, bytes]] = []
        self.protection_rows: list[dict[str, Any]] = []
        self.held: list[bytes] | None = None
        if options.idle_timeout_ns:
            exchange.at(now_ns + options.idle_timeout_ns, self._watch_idle)

    # --- in -------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> None:
        """One frame, text or binary. Answers it, and sends what it caused."""
        exchange = self.exchange
        exchange.advance(now_ns)
        if not self.open:
            return
        self.heard_ns = now_ns
        try:
            request = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            self.send(self._refusal(b"null", bad(str(error))))
            return
        if not isinstance(request, dict):
            self.send(self._refusal(b"null", bad("expected an object")))
            return
        request_id = request.get("id")
        try:
            echo = orjson.dumps(request_id)
        except orjson.JSONEncodeError:
            self.send(self._refusal(b"null", bad("id is nested too deeply")))
            return
        self.held = [] if exchange.options.reply_first else None
        try:
            method, params = request.get("method"), request.get("params")
            if not isinstance(method, str):
                raise bad("missing field `method`")
            handler = exchange.methods.get(method)
            if handler is None:
                raise RequestError(Code.UNKNOWN_METHOD)
            if not isinstance(params, dict):
                raise bad("missing field `params`")
            result = handler(self, params)
            self.asked_ns = now_ns
            reply = b'{"id":' + echo + b',"result":' + result + b"}"
        except RequestError as error:
            reply = self._refusal(echo, error)
        exchange.execution.commit()
        held, self.held = self.held, None
        self.send(reply)
        if held:
            for notification in held:
                self.send(notification)

    def ping(self, now_ns: int) -> None:
        """A ping frame: a sign of life like any other (the transport answers it)."""
        self.exchange.advance(now_ns)
        self.heard_ns = now_ns

    def disconnect(self, now_ns: int) -> None:
        """The connection is gone: its subscriptions, protection and non-persistent orders go with it."""
        self.exchange.advance(now_ns)
        self.end(now_ns)

    def _refusal(self, echo: bytes, error: RequestError) -> bytes:
        message = self.exchange.options.messages.get(error.code, error.message)
        return b'{"id":' + echo + b',"error":' + orjson.dumps({"code": int(error.code), "message": message}) + b"}"

    # --- out ------------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send one message, after the reply to the request being handled where the options say so."""
        if self.held is not None:
            self.held.append(data)
        elif self.open:
            self.transmit(data)

    def flush(self) -> None:
        """Send the order changes and protection rows of the event that ends."""
        if self.updates:
            updates, self.updates = self.updates, []
            rows = [raw for _, raw in updates]
            if self.orders_feed is not None:
                self.orders_feed.push(rows)
            account = self.account
            if account is not None:
                if account.orders_feed is not None:
                    account.orders_feed.push(rows)
                if account.persistent_feed is not None:
                    account.persistent_feed.push([raw for order, raw in updates if order.persistent])
        if self.protection_rows:
            protection, self.protection_rows = self.protection_rows, []
            if self.protection_feed is not None:
                self.protection_feed.push(protection)

    # --- state ----------------------------------------------------------------------------------------------------

    def owner(self) -> Account:
        """The account, for private requests. Raises RequestError 7 before login."""
        if self.account is None:
            raise RequestError(Code.NOT_LOGGED_IN)
        return self.account

    def spend(self, units: int = 1) -> None:
        """Count matching-engine messages. Raises RequestError 4 beyond the limit."""
        if not self.messages.admit(self.exchange.now_ns, units):
            raise RequestError(Code.THROTTLE_EXCEEDED)

    def spend_cancel(self) -> None:
        """Count a cancel request. Raises RequestError 4 beyond the limit."""
        if not self.cancels.admit(self.exchange.now_ns):
            raise RequestError(Code.THROTTLE_EXCEEDED)

    def opened(self, order: Order) -> None:
        """An order of this session rests."""
        self.orders[order.id] = order
        if order.client_id is not None:
            self.client_ids[order.client_id] = order

    def closed_order(self, order: Order) -> None:
        """An order of this session is gone."""
        self.orders.pop(order.id, None)
        if order.client_id is not None and self.client_ids.get(order.client_id) is order:
            del self.client_ids[order.client_id]
        side = self.quotes.get((order.listing, order.buy))
        if side is not None and order in side:
            side.remove(order)

    def find(self, params: Params) -> Order:
        """The live order named by exactly one of order_id and client_order_id. Raises RequestError 1 or 6."""
        order_id, client_id = params.get("order_id"), params.get("client_order_id")
        if (order_id is None) == (client_id is None):
            raise bad("expected exactly one of `order_id` and `client_order_id`")
        order: Order | None = None
        if order_id is None:
            order = self.client_ids.get(client_id) if isinstance(client_id, int) else None
        elif isinstance(order_id, str):
            try:
                order = self.owner().orders.get(int(order_id, 16))
            except ValueError:
                order = None
        if order is None:
            raise RequestError(Code.ORDER_NOT_FOUND)
        return order

    def quotes_of(self, product: str | None) -> list[Order]:
        """Live quotes of this session, of one product or of all."""
        return [
            order
            for order in self.orders.values()
            if order.quote and (product is None or order.listing.spec.product == product)
        ]

    def protected(self, group: Group, reason: str) -> None:
        """Report a protection group when the event ends."""
        self.protection_rows.append(group.shown(reason))
        self.exchange.execution.queue(self)

    def reset_protection(self, reason: str, product: str | None = None) -> None:
        """Forget protection groups: they must be configured again."""
        for name in [name for name in self.groups if product is None or name == product]:
            group = self.groups.pop(name)
            group.remaining_e8 = 0
            self.protected(group, reason)

    def drop_orders(self, reason: str) -> None:
        """Delete the session's non-persistent orders and reset its protection; the caller commits."""
        orders = [order for order in self.orders.values() if not order.persistent]
        self.exchange.execution.cancel_all(orders, reason)
        self.reset_protection(reason)

    def arm(self, timeout_ns: int) -> None:
        """Become non-persistent: silence of ``timeout_ns`` from now on ends the session."""
        self.persistent = False
        self.timeout_ns = timeout_ns
        self.messages.rate = self.exchange.options.message_rate
        self.exchange.at(self.heard_ns + timeout_ns, self._watch)

    def _watch(self, now_ns: int) -> None:
        if not self.open:
            return
        due_ns = self.heard_ns + self.timeout_ns
        if due_ns > now_ns:
            self.exchange.at(due_ns, self._watch)
        else:
            self.end(now_ns, CLOSE_POLICY, "no message within the timeout")

    def _watch_idle(self, now_ns: int) -> None:
        if not self.open or self.account is not None:
            return
        due_ns = (now_ns if self.feeds else self.asked_ns) + self.exchange.options.idle_timeout_ns
        if due_ns > now_ns:
            self.exchange.at(due_ns, self._watch_idle)
        else:
            self.end(now_ns, CLOSE_POLICY, "idle")

    def end(self, now_ns: int, code: int = 0, reason: str = "") -> None:
        """End the session; with a close code, the transport is told to close too."""
        if not self.open:
            return
        self.open = False
        exchange = self.exchange
        for name in list(self.feeds):
            exchange.channels.leave(self, name)
        self.drop_orders("session_end")
        exchange.execution.commit()
        exchange.connections.pop(self.number, None)
        if self.account is not None:
            self.account.connections.pop(self.number, None)
        if code and self.closing is not None:
            self.closing(code, reason)
