"""Latency of a run: only what a live session wrote counts, not the set-up of a connection."""

from kernels.histogram import Histogram


class Latency:
    """Tick to quote over all connections of a run. ``current`` is what the connection's sink records into."""

    def __init__(self) -> None:
        self.current = Histogram()
        self._past = Histogram()
        self._live = False

    def connecting(self) -> None:
        """A new connection begins: keep what the last one recorded while live."""
        if self._live:
            self._past.merge(self.current)
        self.current.reset()
        self._live = False

    def live(self) -> None:
        """Set-up is over: what was recorded until now was no quote."""
        if not self._live:
            self.current.reset()
            self._live = True

    def total(self) -> Histogram:
        """Everything recorded while live, in ns."""
        total = Histogram()
        total.merge(self._past)
        if self._live:
            total.merge(self.current)
        return total
