"""Public trades that the stream has left out: every ``fetch_ns`` the channels are left and joined again, for a snapshot.

The venue has no history of public trades to ask for; a new subscription to ``recent_trades`` begins with the last of them (protocol
section 8.6). What a snapshot tells is sorted out by ``engine.core.outlook``. A failure costs signals, so it costs no connection: the
next interval tries again, and trades without news grow stale.
"""

from libc.stdint cimport int64_t

from engine.core.instrument cimport Instrument
from engine.core.relisting cimport Relisting

from feed import session_events, venue


cdef class Backfill(Relisting):
    """Base of ``engine.core.conduct.Conduct``."""

    def _forget_fetch(self) -> None:
        """A new connection: its first snapshot fills what was missed between the two."""
        self.next_fetch_ns = 0
        self.fetching = False

    def _plan_fetch(self, int64_t now_ns) -> None:
        """Ask an interval from now at the latest; never, where public trades are not used."""
        cdef int64_t interval_ns = self.plan.signals.fetch_ns
        if interval_ns == 0 or not self.session.is_live:
            self.next_fetch_ns = 0
        elif self.next_fetch_ns == 0 or self.next_fetch_ns > now_ns + interval_ns:
            self.next_fetch_ns = now_ns + interval_ns

    def _fetch(self, int64_t now_ns) -> None:
        """Ask for the last trades of every instrument, unless the last question is still under way."""
        cdef Instrument instrument
        self.next_fetch_ns = 0
        self._plan_fetch(now_ns)
        if self.fetching or self.stopping or self.wants_close is not None or not self.session.is_live:
            return
        channels = [venue.recent_trades(instrument.name.decode()) for instrument in self.instruments if not instrument.delisted]
        if channels:
            self.fetching = True
            self.fetches += 1
            self.session.refetch(channels, now_ns)

    def _fetched(self, event) -> None:
        """The question is answered; the snapshots come by themselves."""
        self.fetching = False
        if isinstance(event, session_events.RefetchFailed):
            self.fetches_failed += 1
            self.last_error = f"recent trades: {event.message} (error {event.code})"
