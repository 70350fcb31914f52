"""The cheapest clock there is: the processor's time stamp counter where it is invariant, else CLOCK_MONOTONIC."""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <time.h>
    static inline int64_t quoter_clock_ns(clockid_t clock)
    {
        struct timespec time;
        clock_gettime(clock, &time);
        return time.tv_sec * 1000000000LL + time.tv_nsec;
    }
    #if defined(__x86_64__)
    #include <x86intrin.h>
    #define QUOTER_COUNTER 1
    static inline int64_t quoter_counter(void) { return (int64_t)__rdtsc(); }
    #else
    #define QUOTER_COUNTER 0
    static inline int64_t quoter_counter(void) { return quoter_clock_ns(CLOCK_MONOTONIC); }
    #endif
    """
    ctypedef int clockid_t
    int64_t clock_of "quoter_clock_ns"(clockid_t clock) noexcept nogil
    int64_t counter "quoter_counter"() noexcept nogil
    bint HAS_COUNTER "QUOTER_COUNTER"
    clockid_t CLOCK_MONOTONIC
    clockid_t CLOCK_BOOTTIME

cdef class Ticks:
    cdef readonly bint counted          # the counter is used
    cdef readonly double ns_per_tick

# Not ordered with the instructions around it: good to about ten ns.
cdef inline int64_t ticks_c(bint counted) noexcept nogil:
    return counter() if counted else clock_of(CLOCK_MONOTONIC)
