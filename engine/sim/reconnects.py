"""Attempts to connect, counted apart from the counter that grants them."""

from collections import deque

from engine.sim.violation import Violation
from feed.backoff import HOUR_NS, BackoffSettings


class Reconnects:
    """Invariant 29: attempts within the budget of an hour, and pauses that double until a connection has been live
    for long enough. Each process begins anew, with a connection that nothing precedes.
    """

    def __init__(self, settings: BackoffSettings) -> None:
        self._settings = settings
        self._attempts_ns: deque[int] = deque()
        self._failures = 0
        self._lost_ns: int | None = None
        self._live_ns: int | None = None

    def live(self, now_ns: int) -> None:
        """A session is live."""
        self._live_ns = now_ns if self._live_ns is None else self._live_ns

    def lost(self, now_ns: int) -> None:
        """A connection has ended."""
        if self._live_ns is not None and now_ns - self._live_ns >= self._settings.stable_ns:
            self._failures = 0
        self._live_ns = None
        self._lost_ns = now_ns

    def connecting(self, now_ns: int) -> None:
        """An attempt is made."""
        if self._lost_ns is None:
            return
        settings = self._settings
        least_ns = min(settings.cap_ns, settings.first_ns << min(self._failures, 32)) // 2
        if now_ns - self._lost_ns < least_ns:
            raise Violation(29, f"connected again after {now_ns - self._lost_ns} ns, the pause is {least_ns} or more")
        self._failures += 1
        self._attempts_ns.append(now_ns)
        while now_ns - self._attempts_ns[0] >= HOUR_NS:
            self._attempts_ns.popleft()
        if len(self._attempts_ns) > settings.attempts_an_hour:
            raise Violation(
                29, f"{len(self._attempts_ns)} attempts to connect again, {settings.attempts_an_hour} allowed"
            )
