"""``quoter calibrate`` as a user meets it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.cli.main import cli
from kernels.signals import NAMES
from tests.shared import DATA, needs_data

DAY = DATA / "gemini_ethusd_2021-07-01"
BUSY = DATA / "binance_usdm_btcusdt_20230404-05"


def calibrate(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["calibrate", *map(str, arguments)])


@needs_data
def test_a_day_gives_numbers_intervals_and_the_keys_to_set() -> None:
    done = calibrate(DAY, "--hold", 5, "--order", 0.5)
    assert done.exit_code == 0, done.output
    assert "the data suffice" in done.stdout
    assert "trading_strategy.avellaneda.kappa_per_bp=" in done.stdout
    assert "for ±5 contracts 95 % of the time" in done.stdout


@needs_data
def test_json_of_several_recordings_is_strict_and_tells_which_does_not_suffice() -> None:
    done = calibrate(DAY, BUSY, "--json", "--signals", "--hold", 5)
    assert done.exit_code == 1
    report = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    day, busy = report["recordings"]
    assert (report["ok"], day["sufficient"], busy["sufficient"]) == (False, True, False)
    low, high = (day["sides"][0]["fit"][name] for name in ("kappa_low", "kappa_high"))
    assert 0.0 < low < day["sides"][0]["fit"]["kappa"] < high
    assert day["gamma"]["gamma"] > 0.0 and busy["gamma"]["gamma"] is None
    assert {row["signal"] for row in day["signals"]} == {*NAMES, "toxicity"}
    assert all(row["counts"] == (row["low"] is not None and row["low"] * row["high"] > 0) for row in day["signals"])


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    done = calibrate(tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "no recording" in done.stderr


def test_an_order_without_a_target_is_refused(tmp_path: Path) -> None:
    assert calibrate(tmp_path, "--order", 1).exit_code == 2
    assert calibrate(tmp_path, "--hold", 1, "--order", 2).exit_code == 2
