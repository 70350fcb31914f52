"""The clocks of the live application; nothing below ``engine.live`` reads one."""

import time


def now_ns() -> int:
    """Monotonic time in ns that goes on during suspend (CLOCK_BOOTTIME)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def ahead_ns() -> int:
    """What ``now_ns`` lacks to the time since 1970; a clock that is set changes it."""
    return time.time_ns() - now_ns()


def wall_s() -> float:
    """Seconds since 1970, for login tokens and log lines alone."""
    return time.time()
