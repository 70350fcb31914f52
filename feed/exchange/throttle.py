"""Rate limits of one connection (protocol section 10): burst equals rate, and passing it is punished for a while."""

from feed.exchange.options import SECOND_NS


class Throttle:
    """A limit of ``rate`` units a second, as a token bucket or in fixed windows; times epoch ns.

    The bucket is kept as the time at which it would be full again, which needs a single integer.
    """

    __slots__ = ("count", "fixed", "full_ns", "penalty_ns", "penalty_until_ns", "rate", "window_ns")

    def __init__(self, rate: int, penalty_ns: int, fixed: bool) -> None:
        self.rate = rate
        self.penalty_ns = penalty_ns
        self.fixed = fixed
        self.penalty_until_ns = 0
        self.full_ns = 0
        self.window_ns = 0
        self.count = 0

    def admit(self, now_ns: int, units: int = 1) -> bool:
        """Whether ``units`` more may pass now; if not, the penalty starts (or runs on)."""
        if self.rate == 0:
            return True
        if now_ns < self.penalty_until_ns:
            return False
        if self.fixed:
            window_ns = now_ns - now_ns % SECOND_NS
            if window_ns != self.window_ns:
                self.window_ns = window_ns
                self.count = 0
            self.count += units
            admitted = self.count <= self.rate
        else:
            full_ns = max(self.full_ns, now_ns) + units * SECOND_NS // self.rate
            admitted = full_ns <= now_ns + SECOND_NS
            if admitted:
                self.full_ns = full_ns
        if not admitted:
            self.penalty_until_ns = now_ns + self.penalty_ns
        return admitted
