"""Book imbalance, weighted mid and Stoikov's micro-price.

The micro-price (Stoikov, Quantitative Finance 18(12), 2018) is the mid plus the expected sum of all its future moves,
given imbalance and spread, which form a Markov chain estimated from recorded tops of the book: set-up time, NumPy. The
sample is symmetrised, so the adjustment is antisymmetric in the imbalance. Looking it up is a kernel. Prices in ticks.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.kernel import Record, f8, i8, kernel

SPREADS_MAX = 16  # wider spreads have no state: no adjustment
BUCKETS_MAX = 50
SAMPLES_LEAST = 1000  # fewer transitions estimate nothing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel(f8(i8, i8))
def imbalance(bid_lots: int, ask_lots: int) -> float:
    """(bid - ask)/(bid + ask) lots, in [-1, 1]; 0.0 unless both sides are there."""
    if bid_lots <= 0 or ask_lots <= 0:
        return 0.0
    return (float(bid_lots) - float(ask_lots)) / (float(bid_lots) + float(ask_lots))


@kernel(f8(i8[::1], i8[::1], f8))
def imbalance_levels(bid_lots: Record, ask_lots: Record, keep: float) -> float:
    """The same over levels, best first, level i weighted with keep^i (keep in [0, 1]); negative lots count as none."""
    bids = 0.0
    asks = 0.0
    weight = 1.0
    keep = 0.0 if math.isnan(keep) else min(max(keep, 0.0), 1.0)
    for i in range(min(bid_lots.size, ask_lots.size)):
        bids += weight * max(bid_lots[i], 0)
        asks += weight * max(ask_lots[i], 0)
        weight *= keep
    return (bids - asks) / (bids + asks) if bids > 0.0 and asks > 0.0 else 0.0


@kernel(i8(f8, i8))
def bucket(side_imbalance: float, buckets: int) -> int:
    """Bucket of an imbalance in [-1, 1], 0 to buckets - 1, mirror-symmetric; the middle one holds 0 where the number
    is odd.
    """
    if math.isnan(side_imbalance) or buckets < 1:
        return 0
    share = 0.5 + 0.5 * min(max(abs(side_imbalance), 0.0), 1.0)
    upper = min(int(share * buckets), buckets - 1)
    return upper if side_imbalance >= 0.0 else buckets - 1 - upper


@kernel(f8(f8, i8, i8, i8, i8, f8[:, ::1]))
def microprice(
    mid_ticks: float, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int, adjustment: Record
) -> float:
    """mid + adjustment[bucket of the imbalance, spread - 1] in ticks; the mid where there is no such state."""
    spread = ask_ticks - bid_ticks
    if bid_lots <= 0 or ask_lots <= 0 or spread < 1 or spread > adjustment.shape[1] or adjustment.shape[0] < 1:
        return mid_ticks
    return float(mid_ticks + adjustment[bucket(imbalance(bid_lots, ask_lots), adjustment.shape[0]), spread - 1])


@dataclass(frozen=True, slots=True)
class Estimate:
    """``adjustment[bucket, spread - 1]`` in ticks; ``transitions`` seen, mirrored ones counted as well; ``sufficient``
    tells whether they were enough, else the adjustment is 0.
    """

    adjustment: Floats
    transitions: int
    sufficient: bool


def estimate(
    bid_ticks: Ints, bid_lots: Ints, ask_ticks: Ints, ask_lots: Ints, *, buckets: int = 9, spreads: int = 3
) -> Estimate:
    """Estimate the adjustment from successive tops of the book (one array element each).

    Transitions between states (imbalance bucket, spread) are counted while the mid stays, moves of the mid by half
    ticks up to one spread state's width, and states after a move; every one also mirrored. With Q, T, R their
    probabilities: g1 = (1-Q)^-1 R K, B = (1-Q)^-1 T, adjustment = sum of B^i g1, solved as a fixed point. Raises
    ValueError for buckets or spreads out of range, or arrays of different lengths.
    """
    if not 2 <= buckets <= BUCKETS_MAX or not 1 <= spreads <= SPREADS_MAX:
        raise ValueError(f"buckets must be 2 to {BUCKETS_MAX} and spreads 1 to {SPREADS_MAX}")
    if not bid_ticks.size == bid_lots.size == ask_ticks.size == ask_lots.size:
        raise ValueError("the four arrays must have one length")
    spread = ask_ticks - bid_ticks
    fine = (bid_lots > 0) & (ask_lots > 0) & (spread >= 1) & (spread <= spreads)
    states = np.where(fine, _buckets(bid_lots, ask_lots, buckets) * spreads + spread - 1, -1)
    mirrored = np.where(fine, (buckets - 1 - states // spreads) * spreads + states % spreads, -1)
    moves = np.diff(bid_ticks + ask_ticks) * 0.5
    count = buckets * spreads
    still, after, push = np.zeros((count, count)), np.zeros((count, count)), np.zeros(count)
    pairs = 0
    for path, sign in ((states, 1.0), (mirrored, -1.0)):
        before, behind = path[:-1], path[1:]
        both = (before >= 0) & (behind >= 0)
        resting, moving = both & (moves == 0.0) & (before != behind), both & (moves != 0.0)
        np.add.at(still, (before[resting], behind[resting]), 1.0)
        np.add.at(after, (before[moving], behind[moving]), 1.0)
        np.add.at(push, before[moving], sign * moves[moving])
        pairs += int(resting.sum() + moving.sum())
    if pairs < 2 * SAMPLES_LEAST:
        return Estimate(np.zeros((buckets, spreads)), pairs, False)
    adjustment = _adjustment(still, after, push)
    if adjustment is None:
        return Estimate(np.zeros((buckets, spreads)), pairs, False)
    return Estimate(adjustment.reshape(buckets, spreads), pairs, True)


def _buckets(bid_lots: Ints, ask_lots: Ints, buckets: int) -> Ints:
    total = np.maximum(bid_lots + ask_lots, 1)
    side = (bid_lots - ask_lots) / total
    upper = np.minimum(((0.5 + 0.5 * np.abs(side)) * buckets).astype(np.int64), buckets - 1)
    result: Ints = np.where(side >= 0.0, upper, buckets - 1 - upper)
    return result


def _adjustment(still: Floats, after: Floats, push: Floats) -> Floats | None:
    """Sum over i of B^i g1, or None where it does not converge. A state never left has no adjustment."""
    total = still.sum(axis=1) + after.sum(axis=1)
    seen = total > 0.0
    scale = np.where(seen, total, 1.0)
    q, t, first = still / scale[:, None], after / scale[:, None], push / scale
    # The least-squares solution exists also where the chain has closed parts; a component without drift gets none.
    g = np.linalg.lstsq(np.eye(len(push)) - q, first, rcond=None)[0]
    b = np.linalg.lstsq(np.eye(len(push)) - q, t, rcond=None)[0]
    result = g.copy()
    for _ in range(10_000):
        g = b @ g
        result += g
        if np.abs(g).max() <= 1e-9 * max(np.abs(result).max(), 1e-9):
            return np.where(seen, result, 0.0)
    return None
