"""What the machine costs a quoter's tail, each with its remedy; read from the kernel's files, never changed."""

import ctypes
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PR_GET_TIMERSLACK = 30
TIMER_SLACK_NS_MAX = 1_000
CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")


@dataclass(frozen=True, slots=True)
class Finding:
    """One property of the host. ``ok``: None where the kernel does not tell."""

    name: str
    found: str
    ok: bool | None
    costs: str
    remedy: str

    def __str__(self) -> str:
        state = {True: "ok", False: "costs", None: "unknown"}[self.ok]
        why = f": {self.costs}; {self.remedy}" if self.ok is False else ""
        return f"{state:<8}{self.name}: {self.found}{why}"


def findings(root: Path = Path("/")) -> list[Finding]:
    """All of them for this process's processors. ``root``: where the kernel's files are."""
    cpus = sorted(os.sched_getaffinity(0))
    cpu = root / "sys/devices/system/cpu"
    return [
        _processors(cpus),
        _governor(cpu, cpus),
        _isolated(cpu),
        _siblings(cpu, cpus),
        _timer_slack(),
        _huge_pages(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        _clock(root / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
    ]


def report() -> dict[str, Any]:
    """The findings as one object; ``ok`` when nothing is known to cost."""
    found = findings()
    return {"ok": all(f.ok is not False for f in found), "findings": [asdict(f) for f in found]}


def _processors(cpus: list[int]) -> Finding:
    costs = "network, kernel and quoter share one processor"
    return Finding("usable processors", str(len(cpus)), len(cpus) > 1, costs, "give the process at least two")


def _governor(cpu: Path, cpus: list[int]) -> Finding:
    read = {_line(cpu / f"cpu{i}/cpufreq/scaling_governor") for i in cpus}
    found = ", ".join(sorted(name for name in read if name))
    costs = "a slow processor after every pause, tens of us"
    remedy = "cpupower frequency-set -g performance"
    return Finding("frequency governor", found or "not told", found == "performance" if found else None, costs, remedy)


def _isolated(cpu: Path) -> Finding:
    path = cpu / "isolated"
    found = _line(path)
    costs = "other processes are scheduled on the quoter's processor, up to ms at p99.9"
    remedy = "boot with isolcpus=N nohz_full=N rcu_nocbs=N, then quoter run --cpu N"
    return Finding("isolated processors", found or "none", bool(found) if path.exists() else None, costs, remedy)


def _siblings(cpu: Path, cpus: list[int]) -> Finding:
    read = {i: _line(cpu / f"cpu{i}/topology/thread_siblings_list") for i in cpus}
    shared = sorted({text for text in read.values() if text and ("," in text or "-" in text)})
    known = any(read.values())
    costs = "two threads share one core's caches and units, 1.3 to 2 times the time"
    remedy = "leave the sibling idle, or: echo off > /sys/devices/system/cpu/smt/control"
    found = "; ".join(shared) if shared else "none" if known else "not told"
    return Finding("SMT siblings", found, not shared if known else None, costs, remedy)


def _timer_slack() -> Finding:
    slack_ns = ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)
    found = f"{slack_ns} ns" if slack_ns >= 0 else "not told"
    costs = "timers and sleeps end that much later"
    remedy = f"quoter run --spin or --realtime, or write {TIMER_SLACK_NS_MAX} to /proc/PID/timerslack_ns"
    return Finding("timer slack", found, slack_ns <= TIMER_SLACK_NS_MAX if slack_ns >= 0 else None, costs, remedy)


def _huge_pages(path: Path) -> Finding:
    text = _line(path) or ""
    found = text.partition("[")[2].partition("]")[0]
    costs = "memory is merged and moved while trading, pauses of up to ms"
    remedy = f"echo madvise > {path}, or never"
    return Finding("transparent huge pages", found or "not told", found != "always" if found else None, costs, remedy)


def _clock(path: Path) -> Finding:
    found = _line(path)
    costs = "every reading of the clock is a system call, 0.3 to 1 us"
    remedy = "boot with clocksource=tsc tsc=reliable where the processor's counter is invariant"
    return Finding("clock source", found or "not told", found in CLOCKS if found else None, costs, remedy)


def _line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
