"""What the process asks of the operating system: a processor, a scheduler class, locked memory, a quiet collector.

Everything is asked for by a flag. What cannot work at all (a processor that does not exist) is refused before anything
is sent; what a missing privilege forbids is said, and the run goes on without it.
"""

import ctypes
import gc
import os
from dataclasses import dataclass
from typing import Literal

from engine.config_errors import Problem

REALTIME_PRIORITY = 20
"""SCHED_FIFO priority: above every ordinary process, below the kernel's own threads."""

_MCL_CURRENT_AND_FUTURE = 3

Collector = Literal["freeze", "off", "default"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was asked for. ``spin`` keeps the event loop polling instead of sleeping."""

    cpu: int | None = None
    spin: bool = False
    realtime: bool = False
    lock_memory: bool = False
    collector: Collector = "freeze"

    def problems(self) -> list[Problem]:
        """What cannot work on this machine."""
        usable = sorted(os.sched_getaffinity(0))
        found = []
        if self.cpu is not None and self.cpu not in usable:
            why = "this process may not use that processor"
            found.append(Problem("--cpu", why, str(self.cpu), f"one of {', '.join(map(str, usable))}"))
        if self.spin and self.realtime and len(usable) == 1:
            why = "a spinning process of realtime priority starves a machine of one processor"
            found.append(Problem("--realtime", why, remedy="drop --spin"))
        return found


def before_start(tuning: Tuning) -> list[str]:
    """Apply what must come before memory is filled; returns what could not be done and why."""
    missing = []
    if tuning.cpu is not None:
        os.sched_setaffinity(0, {tuning.cpu})
    if tuning.lock_memory:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mlockall(_MCL_CURRENT_AND_FUTURE):
            error = os.strerror(ctypes.get_errno())
            missing.append(f"--lock-memory: {error}; needs CAP_IPC_LOCK or a larger limit (ulimit -l unlimited)")
    if tuning.realtime:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
        except OSError as error:
            why = f"{error.strerror}; needs CAP_SYS_NICE or ulimit -r {REALTIME_PRIORITY}"
            missing.append(f"--realtime: {why}")
    return missing


def after_start(tuning: Tuning) -> None:
    """Quieten the garbage collector once everything long-lived exists.

    ``freeze`` takes what is there out of every later collection; ``off`` also stops collections. The little garbage of
    the start stays with it: a collection now would cost the first quote tens of milliseconds.
    """
    if tuning.collector != "default":
        gc.freeze()
    if tuning.collector == "off":
        gc.disable()
