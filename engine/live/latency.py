"""Where the time of a live run goes: its waterfall in shared memory, and what beside the ticks costs them.

Another process reads the segments ``quoter.latency-PID-stages`` and ``-slow``; they go when the run ends, and after a
crash when the next one starts.
"""

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from feed.stamps import NAMES
from feed.waterfall import SLOW, Waterfall
from kernels.histogram import Histogram
from kernels.segment import sweep

PREFIX = "quoter.latency"
COUNTED = ("reads", "sampled", "every", "slow", "slow_ns", "interval_ns", "collections")
EVERY = 32
"""Of so many reads one is timed stage by stage."""
BACKLOG = 8
"""More messages in one read are called a backlog."""


class Latency:
    """The waterfall of this process, and its garbage collections while the block runs.

    Where shared memory is missing or full it is kept in private memory, and ``note`` is told.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        try:
            sweep(PREFIX)
            self.waterfall = Waterfall(PREFIX, EVERY)
        except OSError as error:
            note(f"note: `quoter top` cannot see this run: {error}")
            self.waterfall = Waterfall(None, EVERY)
        self._collecting_ns = 0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._collecting)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._collecting)
        self.waterfall.close()

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_ns = time.perf_counter_ns()
        else:
            self.waterfall.collected(time.perf_counter_ns() - self._collecting_ns)

    def brief(self) -> dict[str, dict[str, int]]:
        """What the status line shows; every figure there is would cost the loop a ms."""
        return {"tick_to_quote": self.waterfall.histograms.histograms["tick_to_quote"].as_dict()}

    def whole(self, ahead_ns: int) -> dict[str, Any]:
        """``latency_ns`` and ``waterfall`` of the report; ``ahead_ns`` as of ``told``."""
        waterfall = self.waterfall
        return {
            "latency_ns": figures(waterfall.histograms.histograms),
            "waterfall": told(waterfall.facts(), waterfall.slow, ahead_ns),
        }


def figures(histograms: Mapping[str, Histogram]) -> dict[str, dict[str, int]]:
    """Percentiles by name, in ns; what was never seen is left out, but for tick to quote."""
    return {name: one.as_dict() for name, one in histograms.items() if one.count or name == "tick_to_quote"}


def told(notes: Mapping[str, int], slow: list[Any], ahead_ns: int) -> dict[str, Any]:
    """What the percentiles do not say. ``ahead_ns``: what CLOCK_BOOTTIME lacks to the time since 1970.

    ``exchange_clock``: how far it is ahead of ours and how far that may be wrong; None: not known.
    """
    low, high = notes["offset_low_ns"], notes["offset_high_ns"]
    clock = {"ahead_ns": (low + high) // 2 - ahead_ns, "uncertain_ns": abs(high - low) // 2} if low and high else None
    return {
        **{name: notes[name] for name in COUNTED},
        "clock": "processor's counter" if notes["counted"] else "CLOCK_MONOTONIC",
        "exchange_clock": clock,
        "slow_reads": [slow_read(row) for row in slow],
    }


def slow_read(row: Any) -> dict[str, Any]:
    """One slow read as plain values; ``stages``: where it was sampled."""
    plain = {name: int(row[name]) for name in SLOW.names or () if name not in ("stage_ns", "sampled")}
    stages = dict(zip(NAMES, map(int, row["stage_ns"]), strict=True)) if row["sampled"] else None
    return {**plain, "stages": stages, "causes": causes(row)}


def causes(row: Any) -> list[str]:
    """What a row of ``SLOW`` tells of why it took so long; empty: nothing."""
    found = []
    if row["gc_ns"]:
        found.append(f"garbage collection {row['gc_ns'] / 1e3:.0f} us")
    if row["switches"]:
        found.append("preempted")
    if row["faults"]:
        found.append(f"{row['faults']} page faults")
    if row["cold"]:
        found.append(f"{row['cold']} rare messages")
    if row["messages"] > BACKLOG:
        found.append(f"backlog of {row['messages']} messages")
    return found
