"""Calls of Python's allocators, counted: stricter than a count of blocks, which does not see what is freed at once.

A hook stands in front of the three domains (raw, memory, objects; PEP 445) while a tape is played, and counts what asks
for memory. One thread plays; others must not start or end meanwhile.
"""

from libc.stdint cimport int32_t, int64_t

from engine.bench.harness cimport Player
from engine.core.step cimport Core

cdef extern from "Python.h" nogil:
    ctypedef struct PyMemAllocatorEx:
        void* ctx
        void* (*malloc)(void*, size_t) noexcept nogil
        void* (*calloc)(void*, size_t, size_t) noexcept nogil
        void* (*realloc)(void*, void*, size_t) noexcept nogil
        void (*free)(void*, void*) noexcept nogil
    ctypedef enum PyMemAllocatorDomain:
        PYMEM_DOMAIN_RAW
    void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator)
    void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator)

cdef enum:
    DOMAINS = 3

cdef PyMemAllocatorEx[DOMAINS] behind
cdef int64_t calls = 0


cdef void* counted_malloc(void* ctx, size_t size) noexcept nogil:
    global calls
    calls += 1
    return (<PyMemAllocatorEx*>ctx).malloc((<PyMemAllocatorEx*>ctx).ctx, size)


cdef void* counted_calloc(void* ctx, size_t count, size_t size) noexcept nogil:
    global calls
    calls += 1
    return (<PyMemAllocatorEx*>ctx).calloc((<PyMemAllocatorEx*>ctx).ctx, count, size)


cdef void* counted_realloc(void* ctx, void* memory, size_t size) noexcept nogil:
    global calls
    calls += 1
    return (<PyMemAllocatorEx*>ctx).realloc((<PyMemAllocatorEx*>ctx).ctx, memory, size)


cdef void passed_free(void* ctx, void* memory) noexcept nogil:
    (<PyMemAllocatorEx*>ctx).free((<PyMemAllocatorEx*>ctx).ctx, memory)


def allocator_calls(Player player not None, Core core not None, int32_t start, int32_t stop):
    """Play the inputs from ``start`` up to ``stop``; how often each asked an allocator for memory.

    Raises ValueError for inputs that the tape does not have.
    """
    cdef PyMemAllocatorEx hook
    cdef int64_t before
    cdef int32_t i
    if not 0 <= start <= stop <= player.count:
        raise ValueError(f"inputs {start} to {stop} of a tape with {player.count}")
    result = [0] * (stop - start)
    hook.malloc = counted_malloc
    hook.calloc = counted_calloc
    hook.realloc = counted_realloc
    hook.free = passed_free
    for i in range(DOMAINS):
        PyMem_GetAllocator(<PyMemAllocatorDomain>i, &behind[i])
        hook.ctx = &behind[i]
        PyMem_SetAllocator(<PyMemAllocatorDomain>i, &hook)
    try:
        for i in range(start, stop):
            before = calls
            player.play_c(core, i)
            result[i - start] = calls - before
    finally:
        for i in range(DOMAINS):
            PyMem_SetAllocator(<PyMemAllocatorDomain>i, &behind[i])
    return result
