"""Loads, stores and fences of words that two processes share (GCC's __atomic built-ins, the C11 memory model)."""

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t quoter_load_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline uint64_t quoter_load_relaxed(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
    static inline void quoter_store_release(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline void quoter_store_relaxed(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
    static inline void quoter_fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
    static inline void quoter_fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
    """
    uint64_t load_acquire "quoter_load_acquire"(const uint64_t*) noexcept nogil
    uint64_t load_relaxed "quoter_load_relaxed"(const uint64_t*) noexcept nogil
    void store_release "quoter_store_release"(uint64_t*, uint64_t) noexcept nogil
    void store_relaxed "quoter_store_relaxed"(uint64_t*, uint64_t) noexcept nogil
    void fence_acquire "quoter_fence_acquire"() noexcept nogil
    void fence_release "quoter_fence_release"() noexcept nogil
