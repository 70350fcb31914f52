"""Out of the box the quoter earns its spread net of fees and holds its inventory, on the seeded market."""

import math
import multiprocessing
import statistics

import pytest

from tests.engine.simulated import run, world

SEEDS = 20
MINUTES = 30


def half_an_hour(seed: int) -> tuple[float, float, float, float]:
    """(profit after fees, fees, largest position, position limit), USD and contracts."""
    w = world(seed)
    status = run(w, MINUTES * 60)
    assert status["mode"] == "ACTIVE", status["halt_reason"]
    limit = w.plan.limits.max_position_usd / status["instruments"]["BTC-PERPETUAL"]["mark_usd"]
    return status["pnl_usd"], status["fees_usd"], status["max_abs_position"]["BTC-PERPETUAL"], limit


@pytest.mark.timeout(600)
def test_it_earns_its_spread_and_holds_its_inventory() -> None:
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        runs = pool.map(half_an_hour, range(SEEDS), chunksize=1)
    profits = [profit for profit, _, _, _ in runs]
    mean, error = statistics.mean(profits), statistics.stdev(profits) / math.sqrt(SEEDS)
    assert mean - 3 * error > 0, f"mean profit after fees {mean:.1f} USD, standard error {error:.1f}"
    assert all(fees > 0 for _, fees, _, _ in runs)
    # Limits are taken in lots at the first price: a price that moved by 2 % moves the limit in contracts by as much.
    assert all(largest <= limit * 1.02 for _, _, largest, limit in runs)


def test_a_coin_at_one_dollar_earns_with_the_same_settings() -> None:
    from dataclasses import replace

    from feed.exchange.listing import default_instruments
    from tests.engine.simulated import START_NS

    bitcoin = default_instruments(START_NS)[0]
    small = replace(bitcoin, name="XRP-PERPETUAL", underlying="XRPUSD", tick_e8=10_000, lot_e8=100_000_000, min_lots=1)
    profits = []
    for seed in range(4):
        w = world(seed, listed=(small,), instruments=("XRP-PERPETUAL",))
        profits.append(run(w, 600)["pnl_usd"])
    assert statistics.mean(profits) > 0
