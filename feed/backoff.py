"""When to connect again: exponential pauses with jitter, a cap, and a budget of attempts an hour.

The pause goes back to its first length only after the connection has been live for a while: a venue that drops us
right after login would otherwise be hammered for ever. Times in ns of the caller's clock; the random source is the
caller's.
"""

from collections import deque
from dataclasses import dataclass
from random import Random

HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class BackoffSettings:
    """Pauses and budget. The n-th pause in a row is drawn between half and all of ``first_ns * 2**(n - 1)``, at most
    ``cap_ns``."""

    first_ns: int = 250_000_000
    cap_ns: int = 30_000_000_000
    stable_ns: int = 60_000_000_000
    attempts_an_hour: int = 120

    def __post_init__(self) -> None:
        if not 0 < self.first_ns <= self.cap_ns:
            raise ValueError("first_ns and cap_ns must be positive and in order")
        if self.stable_ns <= 0 or self.attempts_an_hour < 1:
            raise ValueError("stable_ns and attempts_an_hour must be positive")


class Backoff:
    """Pauses between the attempts of one connection. Single thread."""

    def __init__(self, random: Random, settings: BackoffSettings | None = None) -> None:
        self.settings = settings or BackoffSettings()
        self.failures = 0
        self._random = random
        self._live_since_ns: int | None = None
        self._attempts_ns: deque[int] = deque()

    def live(self, now_ns: int) -> None:
        """The session is live from now on."""
        if self._live_since_ns is None:
            self._live_since_ns = now_ns

    def pause_ns(self, now_ns: int, at_least_ns: int = 0) -> int | None:
        """The connection or an attempt has failed now: how long to wait before the next attempt.

        ``at_least_ns`` is what the venue asked for (Retry-After, close 1012 or 1013). None: the hour's budget is used
        up and a human is needed; ``budget_free_ns`` tells when an attempt would be allowed again.
        """
        if self._live_since_ns is not None:
            if now_ns - self._live_since_ns >= self.settings.stable_ns:
                self.failures = 0
            self._live_since_ns = None
        self._forget(now_ns)
        if len(self._attempts_ns) >= self.settings.attempts_an_hour:
            return None
        # Beyond 2**32 times the first pause every sensible cap is reached; the exponent stays bounded.
        ceiling_ns = min(self.settings.cap_ns, self.settings.first_ns << min(self.failures, 32))
        self.failures += 1
        pause_ns = max(at_least_ns, ceiling_ns - int(self._random.random() * (ceiling_ns // 2)))
        self._attempts_ns.append(now_ns + pause_ns)
        return pause_ns

    def budget_free_ns(self, now_ns: int) -> int:
        """The first time at which the hour's budget allows an attempt."""
        self._forget(now_ns)
        if len(self._attempts_ns) < self.settings.attempts_an_hour:
            return now_ns
        return self._attempts_ns[0] + HOUR_NS

    def _forget(self, now_ns: int) -> None:
        while self._attempts_ns and now_ns - self._attempts_ns[0] >= HOUR_NS:
            self._attempts_ns.popleft()
