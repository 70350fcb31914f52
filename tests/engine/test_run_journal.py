"""``quoter run`` keeps a journal: on by default, replayed to the same bytes, failing loudly; kill -9 loses nothing."""

import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.config_schema import Config
from engine.journal.replay import replay
from engine.live.places import data_directory, made
from engine.live.plan import journal_place, live_plan
from engine.live.run_journal import opened
from feed.journal import Journal, Kind, run_directory
from tests.engine.test_cli_run import ROOT, finished, quoter


def waited(path: Path, seconds: float = 20.0) -> Path:
    """The run directory below ``path``, once it holds requests."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            run = run_directory(path)
            if any(record.kind is Kind.OUTPUT and b'"post_only"' in record.data for record in Journal(run).records()):
                return run
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
        time.sleep(0.1)
    raise AssertionError("no quote was recorded in time")


def writer_of(run: Path) -> int:
    """The process id of the writer of a run."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = process.joinpath("cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"feed.journal_writer" in command and str(run).encode() in command:
            return int(process.name)
    raise AssertionError("no writer")


def test_a_run_replays_to_the_same_bytes(tmp_path: Path) -> None:
    status, out, err = finished(quoter("--for", "4s", "--json", "--journal", str(tmp_path / "j")))
    assert status == 0, err
    report = json.loads(out)
    run = Path(report["journal"]["directory"])
    assert run.parent == tmp_path / "j"
    assert report["journal"]["problem"] is None
    result = replay(run)
    assert result.identical
    assert result.ended == "time is up"
    assert result.records == report["journal"]["records"]
    replayed = result.core.status()
    for name in ("messages_sent", "quotes_sent", "fills", "ticks", "pnl_usd", "connections", "orders_left"):
        assert replayed[name] == report[name], name
    for path in run.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    content = b"".join(record.data for record in Journal(run).records())
    assert b"public/login" in content
    assert not re.search(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+", content)


def test_a_run_with_a_lost_connection_replays(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine.cli.main", "exchange", "--port", "0", "--quiet"]
    exchange = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
    assert exchange.stdout is not None
    url = json.loads(exchange.stdout.readline())["url"]
    process = quoter(
        *("--json", "--for", "10s", "--url", url, "--journal", str(tmp_path)),
        *("--set", "connection.heartbeat_interval=0.5", "--mode", "orders"),
    )
    waited(tmp_path)
    exchange.send_signal(signal.SIGSTOP)
    time.sleep(2.0)
    exchange.send_signal(signal.SIGCONT)
    _, out, _ = finished(process)
    exchange.send_signal(signal.SIGINT)
    exchange.wait(10)
    report = json.loads(out)
    assert report["connections"] >= 2
    result = replay(Path(report["journal"]["directory"]))
    assert result.identical
    assert result.core.connections == report["connections"]
    kinds = {record.kind for record in Journal(Path(report["journal"]["directory"])).records()}
    assert {Kind.DISCONNECTED, Kind.ATTACHED, Kind.TOKEN, Kind.OPERATOR, Kind.END} <= kinds


def test_kill_9_of_the_quoter_leaves_a_journal_that_replays(tmp_path: Path) -> None:
    process = quoter("--journal", str(tmp_path))
    run = waited(tmp_path)
    process.kill()
    finished(process)
    time.sleep(0.5)
    result = replay(run)
    assert result.identical
    assert result.ended is None
    assert result.outputs > 5


def test_a_disk_that_takes_no_more_ends_the_run_with_no_order_left(tmp_path: Path) -> None:
    process = quoter("--journal", str(tmp_path), "--json")
    run = waited(tmp_path)
    resource.prlimit(writer_of(run), resource.RLIMIT_FSIZE, (4096, 4096))
    status, out, _ = finished(process)
    report: dict[str, Any] = json.loads(out)
    assert status == 1
    assert report["reason"] == "failed"
    assert "journal" in report["detail"]
    assert report["orders_left"] == 0


def test_kill_9_of_the_writer_goes_unnoticed(tmp_path: Path) -> None:
    process = quoter("--journal", str(tmp_path), "--json")
    run = waited(tmp_path)
    os.kill(writer_of(run), signal.SIGKILL)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    status, out, err = finished(process)
    assert status == 0, err
    assert json.loads(out)["journal"]["restarts"] == 1
    result = replay(run)
    assert result.identical
    assert result.ended == "stopped"


def test_off_and_unwritable(tmp_path: Path) -> None:
    status, out, _ = finished(quoter("--for", "1s", "--json", "--journal", "off"))
    assert status == 0
    assert json.loads(out)["journal"] is None
    tmp_path.joinpath("file").write_text("")
    status, _, err = finished(quoter("--for", "1s", "--journal", str(tmp_path / "file" / "x")))
    assert status == 2
    assert "--journal off" in err


def test_a_local_run_goes_on_where_there_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    notes: list[str] = []
    assert opened(live_plan(Config()), notes.append) is None
    assert "no journal" in notes[0]


def test_places(tmp_path: Path) -> None:
    assert data_directory("test", {"XDG_STATE_HOME": "/x"}) == Path("/x/thalex-quoter/test")
    assert data_directory("test", {}) == Path.home() / ".local/state/thalex-quoter/test"
    assert stat.S_IMODE(made(tmp_path / "new").stat().st_mode) == 0o700
    assert journal_place("off", tmp_path) is None
    assert journal_place(None, tmp_path) == tmp_path / "journal"
    assert journal_place("/d", tmp_path) == Path("/d")
