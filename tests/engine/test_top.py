"""`quoter top`: what a running quoter shows in shared memory, read from outside; a crash leaves nothing for long."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.cli.main import cli
from engine.live.board import PREFIX, RECORD_BYTES, Board, BoardReader, running
from engine.live.clock import now_ns
from engine.live.latency import PREFIX as LATENCY
from engine.live.latency import Latency
from engine.live.top import SILENT_S, Seen, head, instruments, waterfall
from kernels.segment import segments

ROOT = Path(__file__).resolve().parents[2]
MINE = f"{PREFIX}-{os.getpid()}-status"


def report(**changes: Any) -> dict[str, Any]:
    line = {
        "position": 0.25,
        "pnl_usd": 1.5,
        "bid_usd": 59_990.0,
        "ask_usd": None,
        "fair_usd": 60_000.0,
        "reservation_usd": 0.75,
        "fills": 3,
        "why": "stop loss",
    }
    return {
        "network": "local",
        "quote_mode": "orders",
        "mode": "ACTIVE",
        "session": "LIVE",
        "seconds": 61.0,
        "halt_reason": None,
        "reduce_reason": None,
        "hold_reason": None,
        "ticks": 12,
        "messages_sent": 7,
        "quotes_sent": 5,
        "fills": 3,
        "positions": {"BTC-PERPETUAL": 0.25},
        "pnl_usd": math.nan,
        "instruments": {"BTC-PERPETUAL": line},
        "latency_ns": {"tick_to_quote": {"n": 0}},
        **changes,
    }


@pytest.fixture
def board() -> Iterator[Board]:
    with Board(pytest.fail) as made:
        yield made
    assert MINE not in segments(PREFIX)


def test_the_newest_report_is_read_whole(board: Board) -> None:
    reader = BoardReader(MINE)
    assert reader.read() is None and reader.alive and MINE in running()
    board.publish(report(), 1_000)
    board.publish(report(mode="HALTED", halt_reason="operator"), 2_000)
    found = reader.read()
    assert found is not None
    assert (found["mode"], found["at_ns"], found["pnl_usd"]) == ("HALTED", 2_000, None)


def test_a_report_too_large_is_shown_without_its_instruments(board: Board) -> None:
    many = {f"I{i}": report()["instruments"]["BTC-PERPETUAL"] for i in range(2_000)}
    board.publish(report(instruments=many), 1)
    found = BoardReader(MINE).read()
    assert found is not None and found["cut"] and found["instruments"] == {}
    board.publish(report(why="x" * RECORD_BYTES), 2)
    again = BoardReader(MINE).read()
    assert again is not None and again["at_ns"] == 1, "what does not fit at all is not shown"


def test_the_text_says_what_an_operator_asks(board: Board) -> None:
    with Latency(pytest.fail) as latency:
        latency.waterfall.counts()
        for _ in range(3):
            latency.waterfall.begin(now_ns())
            latency.waterfall.lap(2)
            latency.waterfall.written()
            latency.waterfall.end(9)
            time.sleep(0.011)
        latency.waterfall.look(now_ns(), 1)
        latency.waterfall.begin(now_ns())
        latency.waterfall.end(9)
        board.publish(report(halt_reason="drawdown"), now_ns() - int(2 * SILENT_S * 1e9))
        seen = Seen(MINE)
        found = seen.look(now_ns(), 0)
        assert found is not None and found["pid"] == os.getpid()
        assert "drawdown" in head(found) and "SILENT for 6" in head(found) and "BTC-PERPETUAL +0.25" in head(found)
        line = instruments(found).splitlines()[1].split()
        assert line[:6] == ["BTC-PERPETUAL", "59,990.00", "-", "60,000.00", "0.75", "+0.25"]
        assert line[-2:] == ["stop", "loss"]
        text = waterfall(found, now_ns())
        assert "decode" in text and "slow reads (above 0 us)" in text and "backlog of 9 messages" in text
        assert "not known" in text
        assert len(found["waterfall"]["slow_reads"]) == 1
        again = seen.look(now_ns(), 0)
        assert again is not None and len(again["waterfall"]["slow_reads"]) == 1, "told once, kept for every look"
    assert "no waterfall" in waterfall({**found, "waterfall": None}, 0)


def test_no_shared_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.live.board.RingWriter", full)
    said: list[str] = []
    with Board(said.append) as board:
        board.publish(report(), 1)
    assert "quoter top" in said[0]


def test_nothing_runs() -> None:
    result = CliRunner().invoke(cli, ["top", "--once", "--pid", "1"])
    assert result.exit_code == 3 and "process 1 is no running quoter" in result.stderr
    result = CliRunner().invoke(cli, ["top", "--json", "--pid", "1"])
    assert result.exit_code == 3 and json.loads(result.stdout) == {"ok": False, "quoters": []}


def looked(pid: int, *arguments: str) -> str:
    """What ``quoter top`` prints of a process, as soon as it prints something."""
    for _ in range(200):
        result = CliRunner().invoke(cli, ["top", "--pid", str(pid), *arguments])
        if result.exit_code == 0:
            return result.stdout
        time.sleep(0.1)
    raise AssertionError(result.output)


def test_a_real_quoter_is_watched_and_killed_and_the_next_start_cleans_up() -> None:
    command = [sys.executable, "-m", "engine.cli.main", "run", "--for", "60s", "--journal", "off"]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(200):
            (found,) = json.loads(looked(child.pid, "--json"))["quoters"]
            if {"ack_mass_quote", "decode"} <= found["latency_ns"].keys() and found["waterfall"]["exchange_clock"]:
                break
            time.sleep(0.1)
        latency = found["latency_ns"]
        assert found["session"] == "LIVE" and latency["decode"]["n"] > 0 and latency["tick_done"]["n"] > 0
        assert abs(found["waterfall"]["exchange_clock"]["ahead_ns"]) < 1e9
        assert "BTC-PERPETUAL" in looked(child.pid, "--once")
        assert "sum of the stages" in looked(child.pid, "--once", "--latency")
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    left = [name for prefix in (PREFIX, LATENCY) for name in segments(prefix) if f"-{child.pid}-" in name]
    assert len(left) == 3, "a crash leaves the names"
    assert not [name for name in running() if f"-{child.pid}-" in name], "but nobody takes them for a quoter"
    with Board(pytest.fail), Latency(pytest.fail):
        left = [name for prefix in (PREFIX, LATENCY) for name in segments(prefix) if f"-{child.pid}-" in name]
        assert left == [], "the next start sweeps"
