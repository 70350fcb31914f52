"""Limits that act on a position: on a breach the instrument only reduces, until it is flat or back and has cooled down.

Stop-loss, take-profit, losing round trips, and a position above its own limit (which was made smaller, or somebody else trades
on the account). The measure of the first two is the return of the open position: unrealised profit less the fee of closing it,
over what it cost.
A breach is a latch of the process, not of the connection: a reconnect neither ends nor repeats it. It ends once there has been
nothing left to reduce for the whole cool-down, or once the measure has been back under ``recovery`` times its limit for as long.
"""

from libc.math cimport NAN, fabs, isfinite
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from engine.core.instrument cimport (
    BREACH_LOSSES, BREACH_NONE, BREACH_POSITION, BREACH_STOP_LOSS, BREACH_TAKE_PROFIT, Instrument,
)
from engine.core.risk cimport Gate


cdef class Monitors:
    """Watches over all instruments. ``limits``: engine.core.plan.Limits; ``closing_rate``: fee of closing, a fraction of notional."""

    def __cinit__(self, int32_t instruments, limits, double closing_rate, Gate gate):
        self.watch_ = <Watch*>calloc(instruments, sizeof(Watch))
        if not self.watch_:
            raise MemoryError("monitors")
        self.gate = gate
        self.take_limits(limits, closing_rate)

    def take_limits(self, limits, double closing_rate) -> None:
        """Judge by these limits from now on; a breach that has begun ends by them too."""
        self.closing_rate = closing_rate
        self.stop_loss = limits.stop_loss
        self.take_profit = limits.take_profit
        self.max_losses = limits.max_losses
        self.cooldown_ns = limits.cooldown_ns
        self.recovery = limits.recovery

    def __dealloc__(self):
        free(self.watch_)

    cdef double return_c(self, Instrument instrument) noexcept nogil:
        """Unrealised profit at the fair price, less the closing fee, as a fraction of the entry notional; NaN: not known."""
        cdef double lots = instrument.position.lots
        cdef double price = instrument.market.fair_usd / instrument.settings.tick_usd
        # Cash and realised profit differ by the cost of what is still held, exactly, merged FIFO lots included.
        cdef double entry = instrument.position.realised_ticklots - instrument.position.cash_ticklots
        if entry == 0.0 or not isfinite(price):
            return NAN
        return (lots * price - entry - self.closing_rate * fabs(lots) * price) / fabs(entry)

    cdef void watch_c(self, Instrument instrument, int64_t now_ns) noexcept nogil:
        """Judge the position at the fair price of this decision: begin a breach, or end one."""
        cdef Watch* watch = &self.watch_[instrument.index]
        cdef double value
        if instrument.breach == BREACH_NONE:
            if not instrument.reducible_c():
                return
            if not self.gate.allows_c(instrument.index, instrument.position.lots):
                self.begin_c(instrument, BREACH_POSITION)
                return
            value = self.return_c(instrument)
            if value <= -self.stop_loss:
                self.begin_c(instrument, BREACH_STOP_LOSS)
            elif value >= self.take_profit:
                self.begin_c(instrument, BREACH_TAKE_PROFIT)
            return
        if not self.recovered_c(instrument):
            watch.recovered_ns = 0
            return
        if watch.recovered_ns == 0:
            watch.recovered_ns = now_ns
        if now_ns - watch.recovered_ns >= self.cooldown_ns:
            instrument.breach = BREACH_NONE
            watch.recovered_ns = 0
            self.gate.reducing_c(instrument.index, False)

    cdef bint recovered_c(self, Instrument instrument) noexcept nogil:
        """Whether the cause of the breach is over: nothing left to reduce, or the measure well inside its limit again."""
        if not instrument.reducible_c():
            return True
        if instrument.breach == BREACH_POSITION:
            return self.gate.allows_c(instrument.index, instrument.position.lots)
        if instrument.breach == BREACH_STOP_LOSS:
            return self.return_c(instrument) > -self.stop_loss * self.recovery
        if instrument.breach == BREACH_TAKE_PROFIT:
            return self.return_c(instrument) < self.take_profit * self.recovery
        return False

    cdef void traded_c(self, Instrument instrument, int64_t before_lots) noexcept nogil:
        """After every booking: a round trip ends where the position passes zero, and the trade that ends it belongs to it."""
        cdef Watch* watch = &self.watch_[instrument.index]
        cdef int64_t lots = instrument.position.lots
        cdef double booked
        if before_lots == 0 or (before_lots > 0 and lots > 0) or (before_lots < 0 and lots < 0):
            return
        booked = instrument.realised_usd_c() - instrument.position.fees_usd + instrument.position.funding_usd
        watch.losses = watch.losses + 1 if booked < watch.booked_usd else 0
        watch.booked_usd = booked
        instrument.losses = watch.losses
        if self.max_losses and watch.losses >= self.max_losses and instrument.breach == BREACH_NONE:
            self.begin_c(instrument, BREACH_LOSSES)

    cdef void begin_c(self, Instrument instrument, int32_t breach) noexcept nogil:
        """From now on the instrument only reduces."""
        instrument.breach = breach
        instrument.breaches += 1
        instrument.dirty = True
        self.watch_[instrument.index].recovered_ns = 0
        # The count begins anew, or the first trip after the pause would pause it again.
        self.watch_[instrument.index].losses = 0
        instrument.losses = 0
        self.gate.reducing_c(instrument.index, True)

    cdef int64_t release_ns_c(self, Instrument instrument) noexcept nogil:
        """When the cool-down of a breach is over, should nothing happen; 0: it has not begun."""
        cdef Watch* watch = &self.watch_[instrument.index]
        return watch.recovered_ns + self.cooldown_ns if watch.recovered_ns else 0
