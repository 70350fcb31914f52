"""``quoter halt`` and ``quoter resume`` from another terminal: running, connecting, not running, hung; latched."""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from engine.cli import halt, resume
from engine.cli.main import cli
from engine.live import latch
from engine.live.control import ask, running
from engine.live.places import data_directory
from engine.plan_builder import Network
from feed.journal import Journal, Kind, run_directory
from tests.engine.simulated import run, world
from tests.engine.test_cli_run import finished, quoter


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory of this test alone, with a long name: longer than a socket's address may be."""
    long = tmp_path / ("d" * 60)
    monkeypatch.setenv("XDG_STATE_HOME", str(long))
    yield data_directory("local")


def command(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def status_of(home: Path) -> dict[str, Any]:
    return ask(running(home)[0], {"act": "status"}, 5)


def until(home: Path, **wanted: Any) -> dict[str, Any]:
    end_s = time.monotonic() + 20
    while True:
        if running(home):
            told = status_of(home)
            if all(told[name] == value for name, value in wanted.items()):
                return told
        assert time.monotonic() < end_s, f"not in time: {wanted}"
        time.sleep(0.05)


def test_halt_and_resume_a_running_quoter(home: Path) -> None:
    process = quoter("--json", "--journal", str(home / "j"))
    until(home, session="LIVE")
    time.sleep(1.0)
    assert stat.S_IMODE(running(home)[0].stat().st_mode) == 0o600
    status, out, _ = command("halt", "--network", "local", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["quoters"][0]["orders_left"] == 0
    assert told["quoters"][0]["mode"] == "HALTED"
    assert latch.read(home) is not None
    assert command("resume", "--account", "A-1")[0] == 2
    assert command("resume", "--json")[0] == 2
    assert status_of(home)["mode"] == "HALTED"
    assert ask(running(home)[0], {"act": "resume", "name": "wrong"}, 5)["error"]
    status, out, err = command("resume", "--network", "local", "--account", "local")
    assert (status, out) == (0, "local: resumed, 1 running\n"), err
    assert latch.read(home) is None
    until(home, mode="ACTIVE")
    process.send_signal(signal.SIGINT)
    status, out, _ = finished(process)
    assert status == 0
    assert json.loads(out)["orders_left"] == 0
    acts = [r.data for r in Journal(run_directory(home / "j")).records() if r.kind is Kind.OPERATOR]
    assert acts == [b"halt", b"resume", b"stop"]


def test_a_halt_is_latched_and_the_next_start_says_so(home: Path) -> None:
    status, out, _ = command("halt")
    assert status == 0
    assert "no quoter is running" in out
    status, out, err = finished(quoter("--for", "2s", "--json"))
    report = json.loads(out)
    assert status == 1
    assert "HALTED since" in err
    assert report["mode"] == "HALTED"
    assert report["quotes_sent"] == 0
    assert report["orders_left"] == 0
    assert command("resume", "--account", "local")[0] == 0
    status, out, _ = finished(quoter("--for", "2s", "--json"))
    assert status == 0
    assert json.loads(out)["quotes_sent"] > 0


def test_halt_while_connecting(home: Path) -> None:
    process = quoter("--json", "--url", "ws://127.0.0.1:9/ws/api/v2")
    until(home, mode="ACTIVE")
    status, out, _ = command("halt", "--network", "local", "--timeout", "2", "--json")
    told = json.loads(out)["quoters"][0]
    assert status == 1  # halted, but the venue has not said that nothing is left
    assert (told["mode"], told["orders_left"]) == ("HALTED", None)
    assert latch.read(home) is not None
    process.send_signal(signal.SIGINT)
    finished(process)


def test_a_hung_quoter_is_named(home: Path) -> None:
    process = quoter("--json")
    until(home, session="LIVE")
    os.kill(process.pid, signal.SIGSTOP)
    status, out, _ = command("halt", "--network", "local", "--timeout", "0.5")
    assert status == 1
    assert f"kill -9 {process.pid}" in out
    os.kill(process.pid, signal.SIGCONT)
    until(home, mode="HALTED")
    process.send_signal(signal.SIGINT)
    assert finished(process)[0] == 1


def test_a_second_halt_is_verified_anew() -> None:
    w = world(seed=3)
    run(w, 5)
    for _ in range(2):
        w.operator("halt")
        assert w.core.orders_left == -1
        run(w, 1)
        assert w.core.orders_left == 0
        w.operator("resume")
        run(w, 5)
        assert w.core.table.used > 0


def test_every_network_can_be_halted_and_resumed() -> None:
    assert get_args(Network) == halt.NETWORKS
    asked = next(option for option in resume.command.params if option.name == "typed")
    assert not asked.required  # asked for at the terminal


def test_sockets_of_the_dead_are_removed(home: Path) -> None:
    home.mkdir(parents=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    (home / f"control-{gone.pid}.sock").write_text("")
    assert running(home) == []
    assert not list(home.iterdir())


def test_the_latch_errs_on_the_side_of_halted(home: Path) -> None:
    assert latch.read(home) is None
    assert not latch.clear(home)
    first = latch.write(home, "drawdown")
    assert latch.write(home, "operator") == first == latch.read(home)
    assert stat.S_IMODE((home / latch.NAME).stat().st_mode) == 0o600
    (home / latch.NAME).write_text("{")
    damaged = latch.read(home)
    assert damaged is not None
    assert "damaged" in damaged.reason
    assert latch.clear(home)


def test_nonsense_on_the_socket_changes_nothing(home: Path) -> None:
    process = quoter("--json")
    until(home, session="LIVE")
    path = running(home)[0]
    assert "is not one of" in ask(path, {"act": "sell"}, 5)["error"]
    assert "not a request" in ask(path, {"deed": 1}, 5)["error"]
    with pytest.raises(OSError, match="ended before"):
        ask(path, {"act": "x" * 100_000}, 5)
    until(home, mode="ACTIVE")
    process.send_signal(signal.SIGINT)
    assert finished(process)[0] == 0
    assert not running(home)
