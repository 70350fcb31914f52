"""``quoter run`` end to end on the local exchange: the report, both ways to quote, Ctrl-C, and every refusal."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from engine.cli.main import cli
from engine.cli.run import Duration
from engine.live.app import exit_status
from engine.live.loop import Cause, Ending
from feed.exchange.recording import base_of
from tests.shared import DATA

ROOT = Path(__file__).resolve().parents[2]
STARTED: list["subprocess.Popen[str]"] = []
SPEEDS = {
    "binance_spot_nexousdt_20240723-24": (400, 5, 3),
    "binance_usdm_btcusdt_20230404-05": (60, 8, 3),
}
"""Speed, seconds and fewest fills by recording, for those that must trade: enough of each for many times as many."""


def quoter(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "engine.cli.main", "run", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    STARTED.append(process)
    return process


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """A test that fails half way leaves no quoter behind; the exchanges end with them."""
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def finished(process: "subprocess.Popen[str]", timeout: float = 60.0) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, out, err


def gone(pid: int) -> bool:
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.02)
    return False


def check_clean(report: dict[str, Any]) -> None:
    assert report["orders_left"] == 0
    assert report["mode"] == "ACTIVE"
    assert report["ticks"] > 0
    assert report["quotes_sent"] > 0
    assert report["messages_sent"] > 0
    assert report["counters"]["malformed"] == 0
    assert {"p50", "p99", "p999", "n"} <= set(report["latency_ns"]["tick_to_quote"])
    assert report["latency_ns"]["tick_to_quote"]["n"] > 0
    assert isinstance(report["pnl_usd"], float)
    assert gone(report["exchange_pid"]), "the local exchange must end with the run"


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_timed_run_reports_and_leaves_nothing(mode: str) -> None:
    arguments = (
        "--network",
        "local",
        "--for",
        "4s",
        "--json",
        "--mode",
        mode,
        "--instruments",
        "BTC-PERPETUAL,ETH-PERPETUAL",
    )
    status, out, err = finished(quoter(*arguments))
    assert status == 0, err
    report = json.loads(out)
    check_clean(report)
    assert report["quote_mode"] == mode
    start = report["start_seconds"]
    assert 0.0 < start["ready"] < start["first_quote"] < start["ready"] + 4.0
    assert set(report["positions"]) == {"BTC-PERPETUAL", "ETH-PERPETUAL"}
    assert all(line["quotes"] > 0 for line in report["instruments"].values())
    assert report["max_abs_positions"]["BTC-PERPETUAL"] * 60_000 < 50_000
    assert err.count("ACTIVE | ticks") <= 1


def test_ctrl_c_ends_with_a_summary_and_no_order_left(tmp_path: Path) -> None:
    log = tmp_path / "quoter.log"
    process = quoter("--log", str(log), "--seed", "5")
    status_line(process)
    process.send_signal(signal.SIGINT)
    status, out, err = finished(process)
    assert status == 0, err
    assert out.startswith("stopped after")
    assert "no order left" in out
    events = [json.loads(text)["event"] for text in log.read_text().splitlines()]
    assert events[0] == "start"
    assert "connected" in events
    assert {"mode", "session"} <= set(events)
    assert events[-1] == "end"
    assert "PRIVATE" not in log.read_text()


def status_line(process: "subprocess.Popen[str]") -> str:
    """The next status line of a run; the first start of a build says before it that it compiles."""
    assert process.stderr is not None
    while "quotes" not in (line := process.stderr.readline()):
        assert "compiling" in line
    return line


def child_of(process: "subprocess.Popen[str]") -> int:
    """The local exchange of a run that quotes, by its status line."""
    while "quotes 0 " in status_line(process):
        continue
    (child,) = (pid for pid in children_of(process.pid) if b"exchange" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return child


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_early_end_is_never_swallowed(number: signal.Signals) -> None:
    for seconds in (0.0, 0.3, 0.8):
        process = quoter("--for", "60s")
        while not catches(process.pid, signal.SIGTERM):  # until then the interpreter starts, and a signal ends that
            time.sleep(0.001)
        time.sleep(seconds)
        sent = time.monotonic()
        process.send_signal(number)
        status, _, err = finished(process)
        assert status in (0, 130), err  # 0: it had begun to quote, and stopped in order
        assert "Traceback" not in err
        assert time.monotonic() - sent < 50, "it ran to its end"


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(caught, 16) & 1 << (number - 1))


def test_a_second_ctrl_c_ends_at_once() -> None:
    process = quoter("--set", "connection.stop_timeout=60", "--set", "connection.reply_timeout=60")
    child = child_of(process)
    os.kill(child, signal.SIGSTOP)  # the stop is not answered
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    status, out, _ = finished(process, 10)
    assert status == 130
    assert "ORDERS MAY BE LEFT" in out
    assert gone(child)


def test_a_venue_that_is_silent_at_the_end_is_status_1() -> None:
    process = quoter("--json", "--set", "connection.stop_timeout=0.5")
    child = child_of(process)
    os.kill(child, signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    status, out, _ = finished(process, 15)
    assert status == 1
    assert json.loads(out)["orders_left"] != 0


def test_a_killed_quoter_leaves_no_process() -> None:
    process = quoter()
    child_of(process)
    children = children_of(process.pid)
    process.kill()
    finished(process)
    assert all(gone(child) for child in children)


def test_a_lost_exchange_is_tried_again_and_then_given_up() -> None:
    process = quoter("--for", "30s", "--json", "--set", "connection.max_reconnect_attempts=2")
    os.kill(child_of(process), signal.SIGKILL)
    status, out, _ = finished(process)
    assert status == 3
    assert json.loads(out)["reason"] == "unreachable"


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["--instruments", "BTC-PERPETUALL"], 2, "BTC-PERPETUALL"),
        (["--network", "test"], 2, "network test needs a key"),
        (["--network", "prod"], 2, "production needs a second opt-in"),
        (["--cpu", "4095"], 2, "may not use that processor"),
        (["--url", "ws://192.0.2.1:9/ws/api/v2"], 2, "is not this machine"),
        (["--url", "ws://127.0.0.1:9/ws/api/v2", "--set", "connection.max_reconnect_attempts=1"], 3, "127.0.0.1"),
        (["--network", "test", "--market", "somewhere"], 2, "this run starts none"),
        (["--market", "/no/such/recording"], 2, "/no/such/recording"),
        (["--set", "trading_strategy.avellaneda.max_spread=10"], 2, "cannot pay its fees"),
        (["--log", "/no/such/directory/a.log"], 2, "/no/such/directory"),
    ],
)
def test_what_cannot_work_is_refused_with_its_status(arguments: list[str], status: int, why: str) -> None:
    got, out, err = finished(quoter(*arguments, "--for", "20s"))
    assert (got, why in err) == (status, True), err + out
    assert "Traceback" not in err


def test_all_problems_come_as_json_too() -> None:
    done = CliRunner().invoke(cli, ["run", "--json", "--gamma", "-1", "--levels", "11", "--for", "5s"])
    assert done.exit_code == 2
    assert len(json.loads(done.stdout)["problems"]) == 2


def recorded_sets() -> list[str]:
    """Every recording that is here, and those that are expected whether they are or not."""
    here = {path.name for path in DATA.iterdir() if (path / "trades.parquet").exists()} if DATA.is_dir() else set()
    return sorted(here | set(SPEEDS))


@pytest.mark.parametrize("name", recorded_sets())
def test_a_recorded_market_is_quoted_from_end_to_end(name: str) -> None:
    """Real input through the whole program: quotes on the recorded instrument, trades where they must, nothing left."""
    if not (DATA / name / "trades.parquet").exists():
        pytest.skip(f"the recording {name} is not on this machine")
    speed, seconds, least = SPEEDS.get(name, (20, 5, 0))
    arguments = ("--market", str(DATA / name), "--speed", str(speed), "--for", f"{seconds}s", "--json")
    status, out, err = finished(quoter("--network", "local", *arguments))
    assert status == 0, err
    report = json.loads(out)
    check_clean(report)
    assert list(report["positions"]) == [f"{base_of(name)}-PERPETUAL"]
    assert report["fills"] >= least, report
    assert (report["fees_usd"] > 0) == (report["fills"] > 0)


@pytest.mark.parametrize(
    ("cause", "changes", "status"),
    [
        (Cause.STOPPED, {}, 0),
        (Cause.TIME_IS_UP, {}, 0),
        (Cause.STOPPED, {"clean": False}, 1),
        (Cause.STOPPED, {"connected": False}, 3),
        (Cause.UNREACHABLE, {}, 3),
        (Cause.ABORTED, {"clean": False}, 130),
        (Cause.FAILED, {}, 1),
        (Cause.FATAL, {}, 1),
    ],
)
def test_exit_statuses(cause: Cause, changes: dict[str, bool], status: int) -> None:
    ending = Ending(cause, "", changes.get("connected", True), changes.get("clean", True), "ACTIVE")
    assert exit_status(ending, {"quotes_sent": 5, "halt_reason": None}) == status


def test_a_refusal_before_the_first_quote_is_status_2_and_a_halt_is_1() -> None:
    assert exit_status(Ending(Cause.FATAL, "", True, True, "ACTIVE"), {"quotes_sent": 0}) == 2
    halted = {"quotes_sent": 5, "halt_reason": "drawdown"}
    assert exit_status(Ending(Cause.TIME_IS_UP, "", True, True, "HALTED"), halted) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20s", 20.0), ("1.5m", 90.0), ("2h", 7200.0), ("7", 7.0), ("0s", None), ("x", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(click.BadParameter):
            Duration().convert(text, None, None)
    else:
        assert Duration().convert(text, None, None) == seconds
