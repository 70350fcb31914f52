"""The report of a run: what the status line, the summary and ``--json`` show."""

from collections.abc import Mapping
from typing import Any

from kernels.histogram import Histogram


def run_report(
    status: Mapping[str, Any], latency: Histogram, *, reason: str, seconds: float, labels: Mapping[str, Any]
) -> dict[str, Any]:
    """The core's status with latencies in ns, positions in contracts by instrument and net, and how the run ended.

    ``position`` is the net over instruments, ``max_abs_position`` the largest of any one. ``orders_left`` is None when
    the venue was not heard.
    """
    positions: dict[str, float] = dict(status["position"])
    largest: dict[str, float] = dict(status["max_abs_position"])
    left = status["orders_left"]
    return {
        **status,
        **labels,
        "reason": reason,
        "seconds": round(seconds, 3),
        "position": sum(positions.values()),
        "positions": positions,
        "max_abs_position": max(largest.values(), default=0.0),
        "max_abs_positions": largest,
        "orders_left": None if left < 0 else left,
        "latency_ns": {"tick_to_quote": latency.as_dict()},
    }
