"""Bounds that several kernels share, apart from the kernels, so that who needs a bound compiles nothing for it."""

LEVELS_MAX = 10  # levels a side: length of the records' arrays
LOTS_MAX = 2**31  # one level's lots; the position's bound
TICKS_MAX = 2**29  # highest price in ticks; a double then still resolves a tick to ladder.SNAP_TICKS
