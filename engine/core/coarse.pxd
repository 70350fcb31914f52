"""A ladder on a coarser grid than the venue's: prices away from the market, sizes down."""

from libc.stdint cimport int32_t, int64_t


cdef inline int64_t units_c(int64_t unit_e8, int64_t coarse_e8) noexcept nogil:
    """The least number of units that is a whole multiple of both; 1 where the coarse one is 0 or no coarser."""
    cdef int64_t a = unit_e8, b = coarse_e8
    if unit_e8 <= 0 or coarse_e8 <= 0:
        return 1
    while b:
        a, b = b, a % b
    return coarse_e8 // a


cdef inline int32_t coarsen_c(int32_t side, int32_t count, int64_t* ticks, int64_t* lots, int64_t ticks_a_step, int64_t lots_a_step,
                              int64_t min_lots) noexcept nogil:
    """Round a side of ``count`` levels in place, bids (side +1) down and asks up; how many are left.

    A level below the minimum size or without a price is left out, and one that falls on the level before it.
    """
    cdef int32_t i, kept = 0
    cdef int64_t price, size
    for i in range(count):
        price = (ticks[i] if side > 0 else ticks[i] + ticks_a_step - 1) // ticks_a_step * ticks_a_step
        size = lots[i] // lots_a_step * lots_a_step
        if size < min_lots or price <= 0 or kept and price == ticks[kept - 1]:
            continue
        ticks[kept] = price
        lots[kept] = size
        kept += 1
    return kept
