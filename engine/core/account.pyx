"""What a connection tells of the account and its instruments: leftovers, grids and limits, positions of record, protection.

Taken once a connection during set-up, and again when the venue corrects it. None of it is on the path from a tick to a quote.
"""

from libc.math cimport isfinite
from libc.stdint cimport int64_t

from decimal import Decimal

from engine.core.instrument cimport PULL_COOLDOWN, Instrument
from feed.frames cimport MessageHandler

from engine.core.missed import explaining, newest
from feed.fields import e8
from feed.session_results import Unexpected, open_orders, positions_e8
from kernels.inventory import bound_of, hold_skew

cdef enum:
    PROTECTION_COOLDOWN_NS = 3000000000
    POSITION_AGAIN_NS = 500000000    # a position of record that differs is asked for again


def grid_of(tick_size, volume_tick_size, min_order_amount, product) -> tuple:
    """(tick_e8, lot_e8, min_lots, product) of an instrument as the venue lists it."""
    lot_e8 = e8(Decimal(volume_tick_size))
    minimum_e8 = max(e8(Decimal(min_order_amount or volume_tick_size)), lot_e8)
    return e8(Decimal(tick_size)), lot_e8, -(-minimum_e8 // lot_e8), product


cdef class Account(MessageHandler):
    """Base of ``engine.core.conduct.Conduct``, which fills in its members."""

    def _leftovers(self, orders) -> None:
        """Open orders that are not of this session. Those with our label are the last connection's: wait until they are gone."""
        self.leftover_orders = len(orders)
        try:
            ours = [order for order in open_orders(list(orders))
                    if order.get("label") == self.plan.label and not order.get("persistent")]
        except Unexpected as error:
            self.wants_close = f"the answer to private/open_orders: {error}"
            return
        if ours:
            self.wants_close = f"{len(ours)} orders of an earlier connection are still open"

    def _take_grids(self, listed) -> None:
        """Ticks and lots as the venue lists them. The walk has passed the query of open orders: no order of ours is left."""
        cdef Instrument instrument
        if self.wants_close is None:
            self.table.forget_all_c()
            if self.stopping:
                self.orders_left = 0
                self.stopped = True
        by_name = {line["instrument_name"]: line for line in listed}
        for instrument in self.instruments:
            line = by_name.get(instrument.name.decode())
            instrument.list_again(line is not None)
            if line is None:
                continue
            grid = grid_of(line["tick_size"], line["volume_tick_size"], line.get("min_order_amount"), line["product"])
            instrument.configure(*grid)

    def _take_prices(self, prices, int64_t now_ns) -> None:
        """Turn limits given in USD into lots, adopt the positions of record, and say how much protection to arm."""
        cdef Instrument instrument
        self._prices = dict(prices)
        protection = self._limit_lots()
        if not self.session.asks_history:
            for instrument in self.instruments:
                self._adopt_position(instrument)
        self.session.set_protection(protection, now_ns)

    def _take_trades(self, trades, bint any_time, int64_t now_ns) -> None:
        """Book what was traded while there was no connection, each trade once and at its own price; then adopt the positions.

        ``any_time``: the times of the trades are not to be trusted; what is missing is newer than the last one that was seen.
        """
        cdef Instrument instrument
        unseen = {instrument.name.decode(): [] for instrument in self.instruments}
        for trade in trades:
            if trade.instrument in unseen and not self.reports.seen(trade.trade_id):
                unseen[trade.instrument].append(trade)
            elif any_time and trade.instrument in unseen:
                unseen[trade.instrument].clear()
        complete = True
        choose = newest if any_time else explaining
        for instrument in self.instruments:
            told = sum([trade.signed_e8 for trade in unseen[instrument.name.decode()]])
            complete = complete and told == self._missed_lots(instrument) * instrument.lot_e8
        # The database may not know of the last ones yet.
        if not complete and self.session.history_taken(now_ns, complete=False):
            return
        for instrument in self.instruments:
            found = unseen[instrument.name.decode()]
            count = choose([trade.signed_e8 for trade in found], self._missed_lots(instrument) * instrument.lot_e8)
            for trade in found[len(found) - count:]:
                self._book_trade(instrument, trade)
            self._adopt_position(instrument)
        self.session.history_taken(now_ns, complete=True)

    def _settled(self, Instrument instrument, int64_t held_lots) -> None:
        """An instrument that is gone was settled: what the venue does not hold any more ended at the last price."""
        missed = held_lots - instrument.position.lots
        price = instrument.last_usd()
        if missed == 0:
            return
        if not isfinite(price):
            self.reports.halt = f"{instrument.name.decode()}: not listed any more, {missed} lots ended at a price that is not known"
            return
        self.missed_lots += abs(missed)
        self.marked_lots += abs(missed)
        self.last_error = f"{instrument.name.decode()}: not listed any more, {missed} lots ended at {price:g} USD"
        self.reports.book_missed(instrument, missed, price)

    def _missed_lots(self, Instrument instrument) -> int:
        """Lots by which the position of record differs from the fills."""
        return self._positions.get(instrument.name.decode(), 0) // instrument.lot_e8 - instrument.position.lots

    def _book_trade(self, Instrument instrument, trade) -> None:
        """One trade of the history; off the grid it stays with what is booked at the mark."""
        if trade.price_e8 % instrument.tick_e8 or trade.signed_e8 % instrument.lot_e8:
            return
        lots = trade.signed_e8 // instrument.lot_e8
        if self.reports.book_trade(instrument, trade.trade_id, lots, trade.price_e8 // instrument.tick_e8, trade.fee_usd):
            self.missed_lots += abs(lots)
            self.history_fills += 1

    def _limit_lots(self) -> dict:
        """Set the gate's limits in lots at the prices of this connection; protection in 1e-8 contracts, by product."""
        cdef Instrument instrument
        limits = self.plan.limits
        protection = {}
        for instrument in self.instruments:
            if instrument.delisted:
                continue
            price = self._prices[instrument.name.decode()]
            lot = instrument.settings.lot_contracts
            max_position = min(limits.max_position, limits.max_position_usd / price, limits.max_notional_usd / price)
            max_order = min(limits.max_order, limits.max_order_usd / price)
            instrument.settings.max_position = max_position
            instrument.outlook.size_candles_c(lot, price)
            self.gate.set_limits(instrument.index, int(max_position / lot), int(min(max_order, max_position) / lot),
                                 limits.collar_bps * 1e-4, instrument.settings.tick_usd)
            self._solve_hold(instrument, price)
            trade, quote = protection.get(instrument.product, (0, 0))
            quote = max(quote, int(min(max_order, max_position) / lot) * instrument.lot_e8)
            lots = int(self.plan.protection[0] * self._side_contracts(instrument, price) / lot)
            trade = max(trade, lots * instrument.lot_e8, instrument.lot_e8)
            protection[instrument.product] = (min(trade, quote), quote)
        return protection

    def _solve_hold(self, Instrument instrument, double price) -> None:
        """Turn a position to hold into a skew; without one the model refuses and nothing is quoted."""
        instrument.refusal = ""
        instrument.settings.hold_skew = 0.0
        if not (instrument.settings.hold_within > 0.0 or instrument.settings.hold_within_usd > 0.0):
            return
        instrument.settings.hold_skew = 1.0          # stands in for what is sought, which the ladder does not depend on
        if self.quoter.resolve(&instrument.settings, price, &instrument.model) == 0:
            records = instrument.records()
            try:
                skew = hold_skew(records["model"], bound_of(records["settings"], price), instrument.settings.hold_share)
            except ValueError as error:
                instrument.refusal = str(error)
                skew = 0.0
            instrument.settings.hold_skew = skew
        instrument.model.resolved_at_usd = 0.0

    def _side_contracts(self, Instrument instrument, double price) -> float:
        """Contracts of one full side of the ladder."""
        cdef double base = instrument.settings.base_size
        cdef double total = 0.0
        cdef int i
        if not isfinite(base):
            base = instrument.settings.size_usd / price
        for i in range(instrument.settings.levels):
            total += base * instrument.settings.size_multipliers[i]
        return total

    def _adopt_position(self, Instrument instrument) -> None:
        """The position of record becomes ours; what no fill and no trade of the history explains is booked at the mark."""
        if instrument.delisted:
            if instrument.lot_e8:
                self._settled(instrument, self._positions.get(instrument.name.decode(), 0) // instrument.lot_e8)
            return
        price = self._prices[instrument.name.decode()]
        lots = self._positions.get(instrument.name.decode(), 0) // instrument.lot_e8
        missed = lots - instrument.position.lots
        if not instrument.based:
            instrument.rebase(lots, price)
        elif missed:
            self.missed_lots += abs(missed)
            self.marked_lots += abs(missed)
            self.last_error = f"{instrument.name.decode()}: {missed} lots are in no history: booked at the mark of {price:g} USD"
            self.reports.book_missed(instrument, missed, price)
        # What the channel has told on this connection may be newer than the answer that is adopted.
        instrument.reported_lots = self._reported.get(instrument.name.decode(), lots * instrument.lot_e8) // instrument.lot_e8
        instrument.has_reported = True
        instrument.mismatch_since_ns = 0
        instrument.mismatches = 0

    def _ask_positions(self, int64_t now_ns) -> None:
        """Channel and fills disagree for too long: ask, because either may be late. At most one question at a time."""
        if self._position_query == 0 and self.session.is_live:
            self._position_query = self.session.request("private/portfolio", {}, now_ns)
            self._pump(now_ns)

    def _positions_answered(self, event, int64_t now_ns) -> None:
        """The position of record as answered; one that differs again counts, and is looked at again soon."""
        cdef Instrument instrument
        if event.id != self._position_query:
            return
        self._position_query = 0
        self.next_audit_ns = min(self.next_audit_ns, now_ns + POSITION_AGAIN_NS)
        if event.code != 0:
            return
        try:
            held = positions_e8(event.result)
        except Unexpected as error:
            self.wants_close = f"the answer to private/portfolio: {error}"
            return
        for instrument in self.instruments:
            instrument.reported_lots = held.get(instrument.name.decode(), 0) // instrument.lot_e8
            if instrument.mismatch_since_ns and instrument.reported_lots != instrument.position.lots:
                instrument.mismatches += 1

    def _arm(self, product) -> None:
        cdef Instrument instrument
        for instrument in self.instruments:
            if instrument.product == product:
                instrument.armed = True
                instrument.dirty = True

    def _arm_again(self, int64_t now_ns) -> None:
        """Quotes were refused or removed for want of protection, whether or not its own channel has told so."""
        cdef Instrument instrument
        self.reports.disarmed = False
        for instrument in self.instruments:
            if not instrument.armed:
                self._rearm_after.setdefault(instrument.product, now_ns + PROTECTION_COOLDOWN_NS)

    def _protection(self, product, remaining, int64_t now_ns) -> None:
        """Protection fired or was reset: pull, cool down, arm again on purpose."""
        cdef Instrument instrument
        if remaining > 0:
            return
        if remaining < 0:
            self.overshoots += 1
            self.overshoot_e8 = max(self.overshoot_e8, -e8(remaining))
        for instrument in self.instruments:
            if instrument.product == product:
                instrument.armed = False
                instrument.dirty = True
                instrument.hold_c(now_ns + PROTECTION_COOLDOWN_NS, PULL_COOLDOWN)
        self._rearm_after[product] = now_ns + PROTECTION_COOLDOWN_NS
