"""Which trades of the account's history explain a position that changed while there was no connection."""

from collections.abc import Sequence


def newest(signed: Sequence[int], missed: int) -> int:
    """How many of the newest trades to book where times say nothing: the fewest that sum to ``missed``, else none."""
    rest = missed
    for count, lots in enumerate(reversed(signed)):
        if rest == 0:
            return count
        rest -= lots
    return len(signed) if rest == 0 else 0


def explaining(signed: Sequence[int], missed: int) -> int:
    """How many of the newest trades to book; the others are left out.

    ``signed``: lots of the unseen trades, oldest first. ``missed``: lots by which the position of record differs. All
    of them when they sum to it; else the longest run of the newest that does, because an older one may have been
    counted before; else all if they explain a part of it (the history lags), or none.
    """
    total = sum(signed)
    if total == missed:
        return len(signed)
    if missed:
        rest = total
        for skipped, lots in enumerate(signed):
            if rest == missed:
                return len(signed) - skipped
            rest -= lots
    return len(signed) if abs(missed - total) < abs(missed) else 0
