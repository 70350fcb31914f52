"""Instruments that change or go while they are quoted, as the ``instruments`` channel tells (protocol section 8.11).

Another tick or lot: the quotes are pulled at once, and only when the venue has proven that no order is left is the grid
taken, the position counted anew on it, a new book asked for, and quoted again. Gone: not quoted any more, and what is held
ends at the last price once the venue does not hold it any more.
"""

from libc.stdint cimport int64_t

from engine.core.changing cimport Changing
from engine.core.instrument cimport Instrument

from engine.core.account import grid_of


cdef class Relisting(Changing):
    """Base of ``engine.core.conduct.Conduct``."""

    def _listed(self, changes, int64_t now_ns) -> None:
        """One notification; an instrument that is removed and added in it has changed."""
        cdef Instrument instrument
        told = {}
        for change in changes:
            if change.added or told.get(change.instrument.name) is None:
                told[change.instrument.name] = change.instrument if change.added else None
        for instrument in self.instruments:
            name = instrument.name.decode()
            if name not in told or instrument.tick_e8 == 0:
                continue
            if told[name] is None:
                instrument.list_again(False)
                self.last_error = f"{name}: not listed any more"
            elif instrument.delisted:
                # Its channels may have been left: everything is set up anew.
                self.wants_close = f"{name}: listed again"
            else:
                self._told_grid(instrument, told[name])

    def _told_grid(self, Instrument instrument, listed) -> None:
        """The grid as listed now; another one than is used pulls the quotes."""
        if listed.tick_size is None or listed.volume_tick_size is None:
            return
        grid = grid_of(listed.tick_size, listed.volume_tick_size, listed.min_order_amount, listed.product or instrument.product)
        used = (instrument.tick_e8, instrument.lot_e8, instrument.settings.min_lots, instrument.product)
        if grid == (instrument.coming_grid if instrument.regridding else used):
            return
        if not instrument.regridding:
            self.regrids += 1
        self.last_error = f"{instrument.name.decode()}: tick {grid[0]}e-8, lot {grid[1]}e-8, minimum {grid[2]} lots from now on"
        instrument.begin_regrid(grid)

    def _regrid(self, int64_t now_ns) -> None:
        """Take the grids of instruments on which no order is left."""
        cdef Instrument instrument
        taken = False
        for instrument in self.instruments:
            if not instrument.regridding or instrument.in_flight:
                continue
            if self.table.count_c(instrument.index, 1) or self.table.count_c(instrument.index, -1):
                continue
            instrument.end_regrid()
            self.regrids -= 1
            taken = True
        if taken and self._prices:
            self._protect(self._limit_lots(), now_ns)
            self._resync(now_ns)
