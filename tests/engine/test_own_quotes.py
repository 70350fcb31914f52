"""Our own quotes out of a journal: exposure, hits, markouts, and A and k with intervals that hold."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine.analysis.own_quotes import AFTER_S, CELL_BPS, from_journal
from engine.cli.main import cli
from engine.sim.tape import Tape
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.path import Regime
from feed.exchange.seeded import SeededMarket, SeededOptions
from feed.journal import segment_files
from kernels.intensity import from_quotes
from tests.engine.simulated import START_NS, plan, run
from tests.engine.test_journal_replay import journal_of

STEADY = (Regime("steady", 0.5, activity=1.0, spread=1.0, dwell_s=1e9, weight=1.0),)


def session(directory: Path, seconds: float) -> tuple[World, SeededMarket]:
    tape = Tape()
    market = SeededMarket(default_instruments(START_NS)[:1], 3, SeededOptions(regimes=STEADY, jumps_per_hour=0.0))
    told = plan()
    w = World(told, Exchange(market, seed=3), throwaway_key().token, START_NS, tape=tape)
    run(w, seconds)
    journal_of(tape, told, directory)
    return w, market


def test_a_journal_gives_fills_markouts_and_the_intensity_of_the_market(tmp_path: Path) -> None:
    w, _ = session(tmp_path / "run", 900)
    (own,) = from_journal(tmp_path / "run")
    account = next(iter(w.exchange.accounts.values()))
    assert len(own.hits) == len(account.trades_history) > 200
    assert {(h.time_s, h.side) for h in own.hits} == {
        (row["time"], 1 if row["direction"] == "buy" else -1) for row in account.trades_history
    }
    # Three levels a side stood nearly all the time.
    assert own.seconds.sum() == pytest.approx(6 * 900, rel=0.15)
    fit = own.fit("both")
    assert fit.sufficient, fit.reason
    # The market's are 0.8 and 0.4 about its own fair price; the middle of the book is that price only on average.
    assert 0.5 < fit.intensity < 1.2 and 0.28 < fit.kappa < 0.5
    rows = {(row.side, row.level, row.after_s): row for row in own.markouts()}
    assert {after for side, level, after in rows if (side, level) == ("both", -1)} == set(AFTER_S)
    assert rows["bid", 0, 1.0].mean_bps < rows["bid", 2, 1.0].mean_bps, (
        "a level further away is filled at a better price"
    )
    history = own.history()
    assert history.trade_ns.size > 500 and set(history.trade_side.tolist()) == {1, -1}
    done = CliRunner().invoke(cli, ["calibrate", str(tmp_path / "run"), "--json"])
    report = json.loads(done.stdout)["recordings"][0]
    assert report["own_quotes"]["sides"]["both"]["kappa"] == pytest.approx(fit.kappa)
    text = CliRunner().invoke(cli, ["calibrate", str(tmp_path / "run")]).stdout
    assert "hits in" in text and "all levels, 300 s after" in text


def test_a_short_run_says_that_it_does_not_suffice(tmp_path: Path) -> None:
    session(tmp_path / "run", 20)
    done = CliRunner().invoke(cli, ["calibrate", str(tmp_path / "run")])
    assert done.exit_code == 1 and "the data do not suffice" in done.stdout
    segment_files(tmp_path / "run")[0].write_bytes(b"no journal\n" * 100)
    done = CliRunner().invoke(cli, ["calibrate", str(tmp_path / "run")])
    assert done.exit_code == 2 and "Traceback" not in done.output


def ladder_session(rng: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three quotes that stand all the time, at distances that wander, hit together by orders that reach them."""
    rate, kappa = 0.8, 0.4
    together, exposure, fills = np.zeros((2, 2)), np.zeros(60), np.zeros(60)
    for second in range(int(seconds)):
        cells = np.array([4, 8, 12]) + int(8 * (1 + np.sin(second / 50)))
        exposure[cells] += 1.0
        for _ in range(rng.poisson(rate)):
            hit = cells[CELL_BPS * (cells + 0.5) <= rng.exponential(1 / kappa)]
            fills[hit] += 1
            score = np.array([float(hit.size), float((CELL_BPS * (hit + 0.5)).sum())])
            together += np.outer(score, score)
    return CELL_BPS * (np.arange(60) + 0.5), exposure, fills, together


def test_intervals_hold_where_one_order_hits_several_levels_and_are_too_narrow_without() -> None:
    rng = np.random.default_rng(5)
    right = wrong = 0
    for _ in range(150):
        distance, exposure, fills, together = ladder_session(rng, 600)
        sandwich, plain = from_quotes(distance, exposure, fills, together), from_quotes(distance, exposure, fills)
        assert sandwich.kappa == plain.kappa
        right += sandwich.intensity_low <= 0.8 <= sandwich.intensity_high
        wrong += plain.intensity_low <= 0.8 <= plain.intensity_high
    assert right >= 134, "0.95 of 150, less three standard errors"
    assert wrong < right
