"""Random numbers for compiled trials: SplitMix64, one word of state."""

from libc.stdint cimport int64_t, uint64_t

cdef inline int64_t below(uint64_t* state, int64_t bound) noexcept nogil:
    """Uniform in 0 … bound − 1."""
    state[0] += 0x9E3779B97F4A7C15ULL
    cdef uint64_t z = state[0]
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
    return <int64_t>((z ^ (z >> 31)) % <uint64_t>bound)
