"""Two configurations on the same simulated markets."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli.compare import command
from engine.sim.compare import Job, Session, estimate, fill_figures, rows, session, sessions, student_95
from tests.engine.simulated import plan


def test_quantiles_of_student() -> None:
    for freedom, known in ((3, 3.182446), (9, 2.262157), (49, 2.009575), (1000, 1.962339)):
        assert student_95(freedom) == pytest.approx(known, rel=0.01 if freedom < 5 else 1e-3)


def test_an_estimate_is_the_mean_with_its_interval() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0, math.nan])
    assert (found.mean, found.seeds) == (2.5, 4)
    assert found.error == pytest.approx(math.sqrt(5 / 3 / 4))
    assert found.t == pytest.approx(2.5 / found.error)
    assert found.high - found.mean == pytest.approx(3.182446 * found.error, rel=0.01)
    assert math.isnan(estimate([1.0]).error) and math.isnan(estimate([]).mean)
    assert math.isnan(estimate([2.0, 2.0]).t)


def test_markouts_are_ours_when_positive_and_weighted_by_volume() -> None:
    """A buy at 99 while the price is 100, then 101 after a second; a sale twice as large at 102."""
    fair = {"X": np.array([100.0] * 5 + [101.0] * 10)}
    trades = [
        {"instrument_name": "X", "direction": "buy", "price": 99.0, "amount": 1.0, "time": 0.0},
        {"instrument_name": "X", "direction": "sell", "price": 102.0, "amount": 2.0, "time": 1.0},
    ]
    found = fill_figures(trades, fair, 0, 200_000_000)
    bought, sold = 99.0, 204.0
    edges = ((100 / 99 - 1) * bought - (101 / 102 - 1) * sold) / (bought + sold) * 1e4
    assert found["edge_bps"] == pytest.approx(edges)
    later = ((101 / 99 - 1) * bought - (101 / 102 - 1) * sold) / (bought + sold) * 1e4
    assert found["markout_1s_bps"] == pytest.approx(later)
    assert math.isnan(found["markout_10s_bps"])
    assert found["fills"] == 2


def test_a_session_is_its_seed_and_the_share_costs_a_maker_money() -> None:
    job = Job(0, 0.0, 5, 300, None, plan())
    one = session(job)
    assert one == session(job)
    assert one.mode == "ACTIVE" and one.figures["fills"] > 50 and one.figures["inventory_usd"] > 0
    # The same market takes the same amounts: with everybody informed each fill is worth less a minute later.
    every = session(replace(job, share=1.0))
    assert every.figures["markout_60s_bps"] < one.figures["markout_60s_bps"] - 0.5


def test_processes_change_nothing_and_differences_are_taken_by_seed() -> None:
    jobs = [Job(arm, 0.0, seed, 70, None, plan()) for seed in (1, 2) for arm in (0, 1)]
    alone = sessions(jobs, 1, lambda done: None)
    assert sessions(jobs, 2, lambda done: None) == alone
    (row,) = rows(alone, 2)
    assert row.difference["profit_usd"].mean == 0.0

    def made(arm: int, seed: int, profit: float) -> Session:
        return replace(alone[0], arm=arm, seed=seed, figures=alone[0].figures | {"profit_usd": profit})

    (row,) = rows([made(0, 1, 10.0), made(1, 2, 102.0), made(0, 2, 100.0), made(1, 1, 11.0)], 2)
    assert row.difference["profit_usd"].mean == pytest.approx(1.5)
    assert row.difference["profit_usd"].error == pytest.approx(0.5)


def test_the_command_prints_a_table_and_refuses_what_is_no_configuration() -> None:
    arguments = ["--seeds", "2", "--minutes", "1", "--informed", "0.2", "--jobs", "1"]
    changed = ["--against", "trading_strategy.avellaneda.min_edge_bps=3"]
    done = CliRunner().invoke(command, [*arguments, *changed, "--json"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["rows"]
    assert row["share"] == 0.2 and len(row["arms"]) == 2
    assert row["difference"]["edge_bps"]["mean"] > 0.5
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0 and "| 20% | A |" in done.stdout
    done = CliRunner().invoke(command, [*arguments, "--against", "risk.no_such_key=1"])
    assert done.exit_code == 2 and "unknown key" in done.output
