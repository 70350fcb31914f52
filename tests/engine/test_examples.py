"""The examples do what they say. The strategy has tests of its own; the client runs against the local exchange."""

import subprocess
import sys
from pathlib import Path

import pytest

from examples import calibration, enhanced_candle_buffer_example
from kernels import candles
from kernels.intensity import within_share
from tests.engine.test_cli_run import ROOT


def test_calibration_finds_the_truth_and_the_naive_estimate_does_not() -> None:
    right, wrong, gamma = calibration.main()
    assert right.sufficient
    assert right.intensity_low <= calibration.A <= right.intensity_high
    assert right.kappa_low <= calibration.K <= right.kappa_high
    assert wrong.intensity_low > calibration.A and wrong.kappa < 0.5 * calibration.K
    assert within_share(gamma, right.kappa, right.intensity, calibration.SIGMA_USD, 5) == pytest.approx(0.95, abs=1e-6)


def test_the_candle_buffer_counts_every_trade_once() -> None:
    buffer = enhanced_candle_buffer_example.main()
    tape = list(enhanced_candle_buffer_example.market())
    state = buffer.state
    assert state["traded_lots"] == sum(trade.lots for trade in tape)
    kept = candles.kept_lots(state) + candles.open_lots(state)
    assert state["traded_lots"] == state["evicted_lots"] + kept
    assert buffer.duplicates == len(tape[::7]) + 100


def test_mistake_12_an_own_fill_counts_as_the_public_trade_that_it_is() -> None:
    """First from our own report, then from the tape, or the other way: the same bytes."""
    tape = list(enhanced_candle_buffer_example.market(count=100))
    public, own = (enhanced_candle_buffer_example.CandleBuffer() for _ in range(2))
    for trade in tape:
        public.add(trade)
        own.add(trade._replace(aggressor=0, maker_side=-trade.aggressor))
        own.add(trade)
    assert public.state.tobytes() == own.state.tobytes()


def test_the_predictions_of_the_example_have_the_right_signs() -> None:
    buffer = enhanced_candle_buffer_example.CandleBuffer()
    tape = list(enhanced_candle_buffer_example.market())
    for trade in tape[: len(tape) // 2]:
        buffer.add(trade)
    rising = buffer.predictions(tape[len(tape) // 2].t_ns)
    for trade in tape[len(tape) // 2 :]:
        buffer.add(trade)
    tired = buffer.predictions(tape[-1].t_ns)
    assert rising["momentum"] > 0.2
    assert tired["exhaustion"] < -0.2


@pytest.mark.parametrize("name", ["calibration.py", "enhanced_candle_buffer_example.py"])
def test_it_runs_as_a_script(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(Path("examples") / name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() and not done.stderr
