"""What the machine offers: processors, governor, scheduler and memory rights; read, never changed."""

import os
import resource
from pathlib import Path
from typing import Any


def facts() -> dict[str, Any]:
    """Processors this process may use, frequency governor, clock source, and the limits that tuning runs into."""
    return {
        "cpus": sorted(os.sched_getaffinity(0)),
        "governor": _line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "isolated_cpus": _line("/sys/devices/system/cpu/isolated"),
        "clock_source": _line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "memlock_bytes": _limit(resource.RLIMIT_MEMLOCK),
        "realtime_priority": _limit(resource.RLIMIT_RTPRIO),
    }


def hints(found: dict[str, Any]) -> list[str]:
    """What would make the tail shorter on this machine."""
    advice = []
    if len(found["cpus"]) < 2:
        advice.append("one processor: the exchange's end and the kernel share it with the quoter")
    if found["governor"] not in (None, "performance"):
        advice.append(f"frequency governor {found['governor']}: performance avoids slow wake-ups")
    if found["clock_source"] not in (None, "tsc", "kvm-clock", "arch_sys_counter"):
        advice.append(f"clock source {found['clock_source']}: reading the clock is slow, tsc is better")
    return advice


def kernel_cache() -> dict[str, Any]:
    """Where compiled kernels are kept and whether they are there: a start without them takes some seconds more."""
    from kernels import cache, kept

    return {"cache": str(cache.root() / cache.key()), "compiled": kept.is_kept()}


def _line(path: str) -> str | None:
    try:
        return Path(path).read_text().strip() or None
    except OSError:
        return None


def _limit(which: int) -> int | None:
    soft, _ = resource.getrlimit(which)
    return None if soft == resource.RLIM_INFINITY else soft
