"""The cheapest clock there is, calibrated; ``ticks.pxd`` reads it."""

import time

from libc.stdint cimport int64_t

cdef enum:
    PAIRS = 20

CALIBRATION_S = 0.01


def invariant(str cpuinfo) -> bool:
    """Whether /proc/cpuinfo says that the counter runs at one rate, through every sleep of the processor."""
    for line in cpuinfo.splitlines():
        if line.startswith("flags"):
            return {"constant_tsc", "nonstop_tsc"} <= set(line.split())
    return False


def _cpuinfo() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return file.read()
    except OSError:
        return ""


cdef class Ticks:
    """Ticks of an invariant counter and their length against CLOCK_MONOTONIC, measured over ``CALIBRATION_S``.

    counted: False leaves the counter alone, None looks whether it is invariant; without it a tick is one ns.
    """

    def __cinit__(self, counted=None):
        cdef int64_t begin, begin_ns, end, end_ns
        self.counted = HAS_COUNTER and (invariant(_cpuinfo()) if counted is None else counted)
        self.ns_per_tick = 1.0
        if self.counted:
            begin, begin_ns = self._pair()
            time.sleep(CALIBRATION_S)
            end, end_ns = self._pair()
            self.ns_per_tick = <double>(end_ns - begin_ns) / (end - begin)

    def _pair(self) -> tuple[int, int]:
        """The counter and the clock at one moment: of several readings the one that was disturbed the least."""
        cdef int64_t before, clock_ns, after, best = -1, at = 0, at_ns = 0
        cdef int _try
        for _try in range(PAIRS):
            before = counter()
            clock_ns = clock_of(CLOCK_MONOTONIC)
            after = counter()
            if best < 0 or after - before < best:
                best = after - before
                at = before + (after - before) // 2
                at_ns = clock_ns
        return at, at_ns

    def now(self) -> int:
        """The present tick."""
        return ticks_c(self.counted)

    def ns(self, int64_t ticks) -> int:
        """How long so many ticks are."""
        return round(ticks * self.ns_per_tick)

    def cost_ns(self) -> float:
        """What one reading costs: the mean of a thousand."""
        cdef int64_t begin = clock_of(CLOCK_MONOTONIC)
        cdef int64_t seen = 0
        cdef int _i
        for _i in range(1000):
            seen |= ticks_c(self.counted)
        return (clock_of(CLOCK_MONOTONIC) - begin) / 1000.0 if seen else 0.0
