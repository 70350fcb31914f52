"""Invariants, judged on the exchange's truth and not on what the core says of itself.

Numbers in ``Violation`` are those of the list in docs/simulation.md. Truth is the exchange's state, belief the core's.
Every check is cheap: sums that the exchange keeps, and the few orders that rest.
"""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

import orjson

from engine.core.step import Core
from engine.sim.bookwatch import BookWatch
from engine.sim.guard import PROTECTION, Guard
from engine.sim.holds import Holds
from engine.sim.ledger import Ledger
from engine.sim.options import LOT_CONTRACTS, LOT_E8, SECOND_NS, SwarmOptions
from engine.sim.twin import Record, Twin
from engine.sim.violation import Violation
from feed.exchange.accounts import Account, Position
from feed.exchange.connection import Connection
from feed.exchange.exchange import Exchange
from feed.exchange.orders import Order

MESSAGE_RATE = 50
COLLAR = 0.015
STP = b'"delete_reason":"self_trade_prevention"'
CHANNEL_AT = len(b'{"channel_name":"')
ORDER_ID = b'"order_id"'
REPLY = b'{"id":'
ORDERS = b'{"channel_name":"session.orders'
CANCEL_SESSION = "private/cancel_session"
ACTIVE = 0
ARMING = "private/set_mm_protection"
MOVING = ("private/insert", "private/amend", "private/mass_quote")


class Checker:
    """Watches one core. ``reset`` for a new connection; ``foreign_lots`` is what others traded on its account."""

    def __init__(
        self,
        options: SwarmOptions,
        exchange: Exchange,
        core: Core,
        account: str,
        read: Callable[[Record], Record],
    ) -> None:
        self.options = options
        self.exchange = exchange
        self.core = core
        self.number = account
        self.foreign_lots: dict[str, int] = {}
        self.halted = False
        self.halts_expected = False
        self._connection: Connection | None = None
        self._was_live = False
        self._ticker_ns: dict[str, int] = {}
        self._references: dict[str, list[float]] = {}
        self._account: Account | None = None
        self._names = [instrument.name.decode() for instrument in core.instruments]
        self._client_ids: set[int] = set()
        self._sent_ns: deque[int] = deque(maxlen=MESSAGE_RATE)
        self._moving: dict[Any, tuple[int, int]] = {}
        self._keys_of: dict[int, list[Any]] = {}
        self._now_ns = 0
        self._sides = 0
        self._since: dict[int, int] = {}
        self._rested_e8 = self._looks = 0
        self._limit_before = self._limit_until_ns = 0
        products = {name: exchange.listings[name].spec.product for name in self._names}
        self.guard = Guard(core, products)
        self.ledger = Ledger(core)
        self.holds = Holds(core, options)
        self.books = BookWatch(core, exchange)
        self._twin = Twin(core, options.seed, read)
        self.cleared = 0
        """Sessions that were cancelled because the message rate left no room for a clear."""

    def reset(self, connection: Connection | None) -> None:
        """A new connection, or none."""
        self._connection = connection
        self._was_live = False
        self._ticker_ns.clear()
        self._references.clear()
        self._sent_ns.clear()
        self._moving.clear()
        self._keys_of.clear()
        self._since.clear()
        self.guard.reset()
        self.ledger.reset()
        self.books.reset()

    def restarted(self, core: Core) -> None:
        """A new process of the core: client order ids may begin anew, because every session does."""
        self.core = core
        self._client_ids.clear()
        self._sides = 0
        self.guard.restarted(core)
        self.ledger.restarted(core)
        self.holds.restarted(core)
        self.books.restarted(core)

    def reconfigured(self, options: SwarmOptions, now_ns: int) -> None:
        """Another configuration; what was sent under the last one may rest until it must have been cancelled."""
        self._limit_before = max(self.options.max_lots, self._limit_before if now_ns < self._limit_until_ns else 0)
        self._limit_until_ns = now_ns + options.patience_ns
        self.options = options

    def _limit_lots(self, now_ns: int) -> int:
        """What a position and the open orders of a side may come to."""
        limit = self.options.max_lots
        return max(limit, self._limit_before) if now_ns < self._limit_until_ns else limit

    @property
    def account(self) -> Account | None:
        """The core's account, once it has logged in."""
        if self._account is None:
            self._account = self.exchange.accounts.get(self.number)
        return self._account

    def ours(self) -> list[Order]:
        """Open orders of the core's sessions, by their label."""
        account = self.account
        label = self.core.plan.label
        return [order for order in account.orders.values() if order.label == label] if account is not None else []

    def liquidated(self) -> bool:
        """Whether the exchange has closed positions of the account by force: to the core, trades of somebody else."""
        account = self.account
        return account is not None and any(position.liquidated_e8 for position in account.positions.values())

    # --- what passes the wire -------------------------------------------------------------------------------------

    def delivered(self, data: bytes, now_ns: int) -> None:
        """A message reaches the core."""
        self._twin.delivered(data)
        if data.startswith(REPLY):
            if self._keys_of:
                self._answered(int(data[len(REPLY) : data.index(b",")]))
            if ORDER_ID in data:
                self.ledger.answered(data)
            return
        channel = data[CHANNEL_AT : CHANNEL_AT + 4]
        if channel == b"book":
            self.books.delivered(data)
        elif channel == b"tick":
            self._priced(data, now_ns)
        elif channel == b"sess":
            if data.startswith(ORDERS):
                rows = orjson.loads(data)["notification"]
                self.ledger.told(rows)
                self.holds.told(rows, now_ns)
                if self._moving and self.options.mode == "orders":
                    self._reported(rows)
                if STP in data and not self.foreign_lots:
                    raise Violation(10, f"the venue prevented a self-trade: {data!r}")
            elif data.startswith(PROTECTION):
                self.guard.delivered(data)

    def _priced(self, data: bytes, now_ns: int) -> None:
        """A ticker reaches the core: what prices are measured against."""
        message = orjson.loads(data)
        name = message["channel_name"].split(".")[1]
        line = message["notification"]
        self._ticker_ns[name] = now_ns
        self._references[name] = [
            price for price in (line["mark_price"], line["index"]) if isinstance(price, int | float) and price > 0
        ]

    def sent(self, text: bytes, now_ns: int) -> None:
        """The core wrote a request."""
        request = orjson.loads(text)
        if request["method"] == ARMING:
            self._rate(now_ns)
            self.guard.armed(request["params"]["product"])
        elif request["method"] in MOVING:
            self._now_ns = now_ns
            self._rate(now_ns)
            getattr(self, "_" + request["method"].removeprefix("private/"))(request["id"], request["params"])
            if self._sides > self.core.gate.passed:
                raise Violation(3, f"{self._sides} sides were sent, and the gate has passed {self.core.gate.passed}")
        elif request["method"] == CANCEL_SESSION and self.core.session.is_live and self.core.gate.mode == ACTIVE:
            self.cleared += 1

    def _insert(self, request_id: int, params: dict[str, Any]) -> None:
        self._exposing(params["instrument_name"])
        number = params["client_order_id"]
        if number in self._client_ids:
            raise Violation(8, f"client order id {number} was used before")
        self._client_ids.add(number)
        self._change(request_id, number)
        self._side(params["instrument_name"], params["direction"] == "buy", params["amount"])
        self._level(params["instrument_name"], params["price"], params["amount"])
        self._apart(params["instrument_name"], params["direction"] == "buy", params["price"])

    def _amend(self, request_id: int, params: dict[str, Any]) -> None:
        self._change(request_id, params["client_order_id"])
        order = next((o for o in self.ours() if o.client_id == params["client_order_id"]), None)
        name = order.listing.name if order is not None else None
        self._exposing(name)
        if name is not None and order is not None:
            self._side(name, order.buy, params["amount"] - order.filled * LOT_CONTRACTS)
            self._level(name, params["price"], params["amount"])
            self._apart(name, order.buy, params["price"])

    def _mass_quote(self, request_id: int, params: dict[str, Any]) -> None:
        for entry in params["quotes"]:
            levels = [*entry.get("b", ()), *entry.get("a", ())]
            if not levels:
                # In order on one connection: once this is answered, nothing of an earlier quote is left.
                self._moving.pop(entry["i"], None)
                self._change(request_id, entry["i"])
            if levels:
                self._exposing(entry["i"])
                self.guard.quoting(entry["i"])
                self._change(request_id, entry["i"])
            for price, amount in levels:
                self._level(entry["i"], price, amount)
            for buy, side in ((True, "b"), (False, "a")):
                if entry.get(side):
                    self._side(entry["i"], buy, sum(amount for _, amount in entry[side]))
            bids, asks = ([price for price, _ in entry.get(side, ())] for side in "ba")
            if bids and asks and max(bids) >= min(asks):
                raise Violation(10, f"a quote that crosses itself: {entry}")

    def _exposing(self, name: str | None) -> None:
        """Something that may add exposure leaves: is it allowed to now?"""
        core = self.core
        if not core.session.is_live:
            raise Violation(12, f"quoted in state {core.session.state.name}")
        if self.halted:
            raise Violation(14, "quoted while halted")
        self.holds.quoting(self._now_ns)
        if self._connection is not None and self._connection.persistent:
            raise Violation(12, "quoted before cancel-on-disconnect was set")
        if name is None:
            return
        age_ns = self._now_ns - self._ticker_ns.get(name, 0)
        if age_ns > self.options.data_stale_ns:
            raise Violation(13, f"quoted {name} on data {age_ns / SECOND_NS:.3f} s old")
        if not core.instruments[self._names.index(name)].book_synced:
            raise Violation(13, f"quoted {name} on a book that is not consistent")

    def _level(self, name: str, price: float, amount: float) -> None:
        """Grid, size and collar of one order; the collar is against what the core was last told."""
        listing = self.exchange.listings[name]
        price_e8, amount_e8 = round(price * 1e8), round(amount * 1e8)
        if price_e8 <= 0 or amount_e8 <= 0 or price_e8 % listing.tick_e8 or amount_e8 % LOT_E8:
            raise Violation(16, f"{amount} at {price} is off the grid of {name}")
        if amount_e8 // LOT_E8 > 2 * self.options.max_lots:
            raise Violation(2, f"{amount} of {name} exceeds the largest order")
        for reference in self._references.get(name, ()):
            if abs(price - reference) > COLLAR * reference * 1.000001:
                raise Violation(16, f"{price} of {name} is outside of the collar around {reference}")

    def _side(self, name: str, buy: bool, amount: float) -> None:
        """One side that the gate must have passed; what only reduces may not add to the position, nor turn it."""
        self._sides += 1
        instrument = self.core.instruments[self._names.index(name)]
        reducible = -instrument.position_lots if buy else instrument.position_lots
        reduces = instrument.breach or self.core.restraint.reason is not None
        if reduces and round(amount / LOT_CONTRACTS) > max(reducible, 0):
            raise Violation(4, f"{amount} of {name} sent on side {'b' if buy else 'a'} while it only reduces")

    def _apart(self, name: str, buy: bool, price: float) -> None:
        """A single order must not reach an own one on the other side: the venue would have to prevent a self-trade."""
        listing = self.exchange.listings[name]
        ticks = round(price * 1e8) // listing.tick_e8
        for order in self.ours():
            if (
                order.listing is listing
                and order.buy is not buy
                and (order.price <= ticks if buy else order.price >= ticks)
            ):
                raise Violation(10, f"{price} of {name} would meet an own order at {order.price} ticks")

    def _rate(self, now_ns: int) -> None:
        if len(self._sent_ns) == MESSAGE_RATE and now_ns - self._sent_ns[0] < SECOND_NS:
            raise Violation(17, f"more than {MESSAGE_RATE} matching messages in a second")
        self._sent_ns.append(now_ns)

    def _change(self, request_id: int, key: Any) -> None:
        """One change in flight an order or a quoted instrument, unless the first is overdue."""
        if self._now_ns < self._moving.get(key, (0, 0))[1]:
            raise Violation(9, f"a second change of {key} while one is in flight")
        self._moving[key] = (request_id, self._now_ns + self.options.reply_ns)
        self._keys_of.setdefault(request_id, []).append(key)

    def _answered(self, request_id: int) -> None:
        for key in self._keys_of.pop(request_id, ()):
            if self._moving.get(key, (0, 0))[0] == request_id:
                del self._moving[key]

    def _reported(self, rows: list[dict[str, Any]]) -> None:
        """An order's report is as good an answer as the reply."""
        for line in rows:
            self._moving.pop(line.get("client_order_id"), None)

    # --- what is ---------------------------------------------------------------------------------------------------

    def after_event(self, now_ns: int) -> None:
        """Limits and exposure after every event."""
        core = self.core
        live = core.session.is_live
        if live and not self._was_live:
            self._entered_live()
        self._was_live = live
        if core.halt_reason is not None and not self.halted:
            self.halted = True
            limits, word = core.plan.limits, core.halt_reason.split()[0]
            given = {
                "drawdown": limits.max_drawdown_usd,
                "loss": limits.max_loss_usd,
                "fills:": limits.max_fills or inf,
            }
            if not (self.halts_expected or given.get(word, inf) < inf or self.liquidated()):
                raise Violation(14, f"halted without cause: {core.halt_reason}")
        if self.ledger.moved:
            self.ledger.positions()
        account = self.account
        if account is None:
            return
        rested_e8, limit = 0, self._limit_lots(now_ns)
        for index, name in enumerate(self._names):
            position = account.positions.get(name)
            if position is not None:
                self._bounded(index, position, live, limit)
                rested_e8 = max(rested_e8, position.open_buy_e8, position.open_sell_e8)
        if self._connection is not None:
            for group in self._connection.groups.values():
                if group.remaining_e8 <= 0:
                    self.guard.judge(group, self._rested_e8)
        self._rested_e8 = rested_e8

    def _bounded(self, index: int, position: Position, live: bool, limit: int) -> None:
        """The worst that may become of a position is within the limit, and the core believes at least as much."""
        name = self._names[index]
        held = position.amount_e8 // LOT_E8
        slack = self.foreign_lots.get(name, 0) + position.liquidated_e8 // LOT_E8
        for side, open_e8 in ((1, position.open_buy_e8), (-1, position.open_sell_e8)):
            open_lots = open_e8 // LOT_E8
            worst = side * held + open_lots
            if open_lots and worst > limit + slack:
                raise Violation(1, f"{name}: {held} lots and {open_lots} open on side {side:+d}")
            if live:
                believed = side * self.core.instruments[index].position_lots
                believed += self.core.table.exposure(index, side)
                if believed < worst - slack:
                    raise Violation(5, f"{name} side {side:+d}: worst case {worst} lots, believed {believed}")

    def _entered_live(self) -> None:
        """A new session begins to quote: nothing of an earlier one may be left."""
        left = [order for order in self.ours() if order.session is not self._connection]
        if left:
            raise Violation(12, f"{len(left)} orders of an earlier session are open as quoting begins")

    def deep(self, now_ns: int, quiet: bool) -> None:
        """Every order that can trade is believed possible. ``quiet``: nothing is on its way to the core."""
        self.guard.reported()
        self.holds.judge()
        if not self.core.session.is_live:
            return
        self.ledger.positions()
        self._looks += 1
        if quiet and self._looks % 2:
            self.books.judge(now_ns)
        believed = self.core.table.orders()
        self.ledger.orders(believed)
        self._decided(believed, now_ns)
        by_id = {order["order_id"]: order for order in believed}
        ours = self.ours()
        true_ids = {f"{order.id:016X}" for order in ours}
        # A level that was repeated in flight may have ended and been put back under another id.
        nameless = [order for order in believed if order["order_id"] not in true_ids]
        for order in ours:
            if f"{order.id:016X}" in by_id or self._explained(order, nameless):
                continue
            raise Violation(5, f"order {order.id:016X} at {order.price} ticks is open and not believed")
        if self.core.table.used > 128 * self.options.instruments:
            raise Violation(32, f"{self.core.table.used} orders believed")

    def _decided(self, believed: list[dict[str, Any]], now_ns: int) -> None:
        """No order stays in between for longer than its requests may take, their reports, and a frozen process."""
        bound_ns = 2 * self.options.reply_ns + 8 * SECOND_NS
        since = self._since
        between = {order["client_order_id"]: order["state"] for order in believed if order["state"] != "live"}
        self._since = {number: since.get(number, now_ns) for number in between}
        for number, at_ns in self._since.items():
            if now_ns - at_ns > bound_ns:
                raise Violation(7, f"an order is {between[number]} for {(now_ns - at_ns) / SECOND_NS:.1f} s")

    @staticmethod
    def _explained(order: Order, nameless: list[dict[str, Any]]) -> bool:
        """Whether a request in flight stands for an order whose id the core has not been told."""
        for guess in nameless:
            if order.client_id is not None and guess["client_order_id"] == order.client_id:
                return True
            if guess["side"] == (1 if order.buy else -1) and guess["price_ticks"] == order.price:
                return True
        return False

    # --- at rest ---------------------------------------------------------------------------------------------------

    def difference(self) -> str | None:
        """Nothing moves any more: where belief and truth differ, None when they agree."""
        account = self.account
        for instrument in self.core.instruments:
            name = instrument.name.decode()
            position = account.positions.get(name) if account is not None else None
            held = position.amount_e8 // LOT_E8 if position is not None else 0
            if held != instrument.position_lots:
                return f"{name}: position {held} lots, believed {instrument.position_lots}"
        if self.core.requests.pending:
            return f"{self.core.requests.pending} requests without an answer"
        believed = self.core.table.orders()
        odd = [order for order in believed if order["state"] != "live"]
        if odd:
            return f"an order is {odd[0]['state']} with nothing under way"
        names = {i.index: i.name.decode() for i in self.core.instruments}
        belief = sorted(
            (names[o["instrument"]], o["side"], o["price_ticks"], o["lots"] - o["filled_lots"]) for o in believed
        )
        truth = sorted((o.listing.name, 1 if o.buy else -1, o.price, o.remaining) for o in self.ours())
        if belief != truth:
            return f"orders {truth}, believed {belief}"
        return None
