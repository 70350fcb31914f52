"""Bounds and waits of the core that no configuration sets, because there is no reason to: a simulation sets them."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Knobs:
    """The way out (``feed.outbox.Outbox``). ``other_rate``: set-up requests and queries a second, for which the venue
    states no limit. ``queue_bytes`` bounds each queue, ``queue_age_max_ns`` how long the sink may refuse bytes.
    ``rejects_to_open``, ``open_ns``: when the circuit breaker opens, and for how long at first.
    """

    other_rate: int = 50
    queue_bytes: int = 262_144
    queue_age_max_ns: int = 1_000_000_000
    retry_ns: int = 1_000_000
    rejects_to_open: int = 10
    open_ns: int = 1_000_000_000

    def told(self) -> dict[str, Any]:
        """As arguments of ``Outbox``."""
        return asdict(self)
