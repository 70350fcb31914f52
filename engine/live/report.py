"""The report of a run: what the status line, the summary and ``--json`` show."""

from collections.abc import Mapping
from typing import Any

from engine.live.log import redacted

CONTRACT_DECIMALS = 8
"""The venue's fixed point (protocol section 3): beyond it a position shows only how floats are stored."""


def run_report(
    status: Mapping[str, Any], latency_ns: Mapping[str, Any], *, reason: str, seconds: float, labels: Mapping[str, Any]
) -> dict[str, Any]:
    """The core's status with percentiles of latencies in ns by name, positions in contracts, and how the run ended.

    ``positions`` are by instrument, ``position`` is their net, ``max_abs_position`` the largest of any one.
    ``orders_left`` is None when the venue was not heard.
    """
    positions = {name: round(value, CONTRACT_DECIMALS) for name, value in status["position"].items()}
    largest = {name: round(value, CONTRACT_DECIMALS) for name, value in status["max_abs_position"].items()}
    left = status["orders_left"]
    # Some of it is the venue's words: escaped for a terminal, and without what looks like a secret.
    status = {name: redacted(value) if isinstance(value, str) else value for name, value in status.items()}
    return {
        **status,
        **labels,
        "reason": reason,
        "seconds": round(seconds, 3),
        "position": round(sum(positions.values()), CONTRACT_DECIMALS),
        "positions": positions,
        "max_abs_position": max(largest.values(), default=0.0),
        "max_abs_positions": largest,
        "orders_left": None if left < 0 else left,
        "latency_ns": dict(latency_ns),
    }
