"""Two configurations on the same simulated markets: what each earned, what its fills were worth, what it held.

The market is the seeded one with a given share of takers who know the coming price; one seed has the same price path,
the same arrivals and the same reaches whatever the share and whoever quotes, so differences are taken seed by seed.
Edges and markouts are volume-weighted and against the fair price that no client sees, in bps, positive where they are
ours: a markout is what the fill is worth so long after, before the fee.
"""

import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.plan import CorePlan
from engine.sim.options import SECOND_NS
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.seeded import SeededMarket, informed_options

START_NS = 1_795_000_000_000_000_000
GRID_NS = 200_000_000
MARKOUTS_S = (1, 10, 60)
FIGURES = ("profit_usd", "edge_bps", *(f"markout_{s}s_bps" for s in MARKOUTS_S), "inventory_usd", "fills")
"""What is averaged over the seeds."""

Z_95 = 1.959963984540054

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Job:
    """One session to simulate. ``arm`` 0 or 1: which of the two configurations."""

    arm: int
    share: float
    seed: int
    seconds: int
    horizon_s: float | None
    plan: CorePlan


@dataclass(frozen=True, slots=True)
class Session:
    """What one session gave. ``profit_usd``: after fees, the position at the fair price. ``inventory_usd``: mean of
    |position| over time. Figures of fills are NaN without fills. ``mode`` is the core's at the end.
    """

    arm: int
    share: float
    seed: int
    mode: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean over seeds, its standard error, t and the 95 % interval (Student's t)."""

    mean: float
    error: float
    t: float
    low: float
    high: float
    seeds: int


def estimate(values: Sequence[float]) -> Estimate:
    """Mean with its interval; NaN members are left out, fewer than two leave it unknown."""
    known = [value for value in values if math.isfinite(value)]
    n, nan = len(known), math.nan
    if n < 2:
        return Estimate(known[0] if known else nan, nan, nan, nan, nan, n)
    mean = math.fsum(known) / n
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (n - 1) / n)
    wide = student_95(n - 1) * error
    return Estimate(mean, error, mean / error if error > 0.0 else nan, mean - wide, mean + wide, n)


def student_95(freedom: int) -> float:
    """97.5 % quantile of Student's t by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5), within 1 % from 3
    degrees of freedom on.
    """
    z, v = Z_95, float(freedom)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def session(job: Job) -> Session:
    """Run the core of one configuration on the market of one seed."""
    names = set(job.plan.instruments)
    options = informed_options(job.share, job.horizon_s)
    market = SeededMarket([i for i in default_instruments(START_NS) if i.name in names], job.seed, options)
    exchange = Exchange(market, seed=job.seed)
    world = World(job.plan, exchange, throwaway_key().token, START_NS)
    fair = {name: [market.fair_usd(name)] for name in names}
    held_usd, steps = 0.0, job.seconds * SECOND_NS // GRID_NS
    account = ""
    for step in range(1, steps + 1):
        world.run(START_NS + step * GRID_NS)
        account = account or next(iter(exchange.accounts), "")
        for name in names:
            fair[name].append(market.fair_usd(name))
            held_usd += abs(exchange.position(account, name)) * fair[name][-1] if account else 0.0
    worth = sum(exchange.position(account, name) * fair[name][-1] for name in names)
    trades = list(exchange.account(account).trades_history)
    figures = {"profit_usd": exchange.cash_usd(account) + worth, "inventory_usd": held_usd / steps}
    figures |= fill_figures(trades, {name: np.array(path) for name, path in fair.items()}, START_NS, GRID_NS)
    return Session(job.arm, job.share, job.seed, world.core.mode, figures)


def fill_figures(
    trades: Sequence[dict[str, Any]], fair: dict[str, Floats], start_ns: int, grid_ns: int
) -> dict[str, float]:
    """Edge at once and markouts in bps, volume-weighted, of the venue's trade rows; ``fair`` is on a grid.

    A fill's own grid point is the first at or after it. Fills whose markout is after the end are left out of it.
    """
    sums = {s: 0.0 for s in (0, *MARKOUTS_S)}
    weights = dict.fromkeys(sums, 0.0)
    for row in trades:
        path, side = fair[row["instrument_name"]], 1.0 if row["direction"] == "buy" else -1.0
        at = -int(-(row["time"] * SECOND_NS - start_ns) // grid_ns)
        for after_s in sums:
            index = max(at, 0) + after_s * SECOND_NS // grid_ns
            if index < path.size:
                weight = row["amount"] * row["price"]
                sums[after_s] += side * (float(path[index]) / row["price"] - 1.0) * 1e4 * weight
                weights[after_s] += weight
    mean = {s: sums[s] / weights[s] if weights[s] > 0.0 else math.nan for s in sums}
    named = {"edge_bps": mean[0], **{f"markout_{s}s_bps": mean[s] for s in MARKOUTS_S}}
    return {"fills": float(len(trades)), **named}


def sessions(jobs: Sequence[Job], processes: int, progress: Callable[[int], None]) -> list[Session]:
    """Run every job, in this process or in several, in any order; the result is in the order of the jobs."""
    found = []
    for done in _spread(jobs, processes):
        found.append(done)
        progress(1)
    return sorted(found, key=lambda s: (s.share, s.arm, s.seed))


def _spread(jobs: Sequence[Job], processes: int) -> Iterator[Session]:
    if processes <= 1 or len(jobs) <= 1:
        yield from map(session, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(min(processes, len(jobs))) as pool:
        yield from pool.imap_unordered(session, jobs)


@dataclass(frozen=True, slots=True)
class Row:
    """One share of informed takers: every figure of each arm, and the difference (second less first) by seed."""

    share: float
    arms: tuple[dict[str, Estimate], ...]
    difference: dict[str, Estimate]
    halted: tuple[int, ...]


def rows(found: Sequence[Session], arms: int) -> list[Row]:
    """The table: one row a share."""
    table = []
    for share in sorted({s.share for s in found}):
        by_arm = [
            sorted((s for s in found if s.share == share and s.arm == arm), key=lambda s: s.seed) for arm in range(arms)
        ]
        columns = [{name: [s.figures[name] for s in group] for name in FIGURES} for group in by_arm]
        difference = {}
        if arms == 2:
            first, second = columns
            difference = {
                name: estimate([b - a for a, b in zip(first[name], second[name], strict=True)]) for name in FIGURES
            }
        table.append(
            Row(
                share,
                tuple({name: estimate(values) for name, values in column.items()} for column in columns),
                difference,
                tuple(sum(s.mode != "ACTIVE" for s in group) for group in by_arm),
            )
        )
    return table
