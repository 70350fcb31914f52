"""``quoter set`` and SIGHUP: a running quoter's configuration changes whole, or is refused with every reason."""

import json
import logging
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.config import Loaded, load
from engine.config_errors import ConfigRefused
from engine.config_source import from_settings
from engine.core.plan import CorePlan
from engine.journal.replay import replay
from engine.live.settings import RunSettings
from feed.journal import Journal, Kind
from tests.engine import test_control
from tests.engine.test_cli_run import ROOT, finished, quoter
from tests.engine.test_control import command, status_of, until

home = test_control.home
LEVELS = "trading_strategy.avellaneda.max_levels"


class Taken:
    """Stands for the core: keeps the plans it was given."""

    def __init__(self) -> None:
        self.plans: list[CorePlan] = []
        self.labels: list[dict[str, Any]] = []

    def configure(self, plan: CorePlan, now_ns: int, labels: dict[str, Any]) -> None:
        if plan.label == "refused":
            raise ValueError("not now")
        self.plans.append(plan)
        self.labels.append(labels)


def settings(reread: Callable[[], Loaded] = load) -> tuple[RunSettings, Taken]:
    core, log = Taken(), logging.getLogger("test.settings")
    return RunSettings(load(), reread, lambda loaded: loaded.config, core.configure, lambda: 1, log), core


def test_a_change_is_taken_on_top_of_the_last() -> None:
    run, core = settings()
    before = run.told
    (change,) = run.set([f"{LEVELS}=2"], "test")
    assert str(change) == f"{LEVELS}: 3 -> 2"
    run.set(["risk.collar_bps=200"], "test")
    assert [int(plan.settings["levels"][0]) for plan in core.plans] == [2, 2]
    assert core.plans[1].limits.collar_bps == 200
    assert core.labels[1]["changes"] == {"risk.collar_bps": ["150.0", "200.0"]}
    assert run.told["version"] == 2
    assert run.told["sha256"] == core.labels[1]["config_sha256"] != before["sha256"]


def test_what_changes_nothing_is_not_a_change() -> None:
    run, core = settings()
    assert run.set([f"{LEVELS}=3"], "test") == []
    assert core.plans == []
    assert run.told["version"] == 0


def test_every_reason_is_told_at_once_and_nothing_changes() -> None:
    run, core = settings()
    with pytest.raises(ConfigRefused) as refused:
        run.set(["risk.max_positon=1", "risk.collar_bps=5", "market.label=x", "volatility.floor=-1"], "test")
    paths = {problem.path for problem in refused.value.problems}
    assert paths == {"risk.max_positon", "risk.collar_bps", "market.label", "volatility.floor"}
    assert "restart" in str(refused.value)
    assert core.plans == []
    assert run.told["version"] == 0


def test_a_file_that_needs_a_restart_is_refused_by_name() -> None:
    run, core = settings(lambda: load(flags=from_settings(["connection.retry_delay=1", f"{LEVELS}=2"])))
    with pytest.raises(ConfigRefused, match=r"connection\.retry_delay = 1\.0: cannot change while running"):
        run.reread("test")
    assert core.plans == []


def test_reading_again_takes_back_what_was_set() -> None:
    run, _ = settings()
    run.set([f"{LEVELS}=2"], "test")
    (change,) = run.reread("test")
    assert str(change) == f"{LEVELS}: 2 -> 3"
    assert run.told["version"] == 2


def test_a_running_quoter_takes_changes_and_replays_to_the_same_bytes(home: Path) -> None:
    """Fills, a change, a refusal, a halt and a resume, the configuration read again: one journal, the same bytes."""
    file = home.parent / "c.toml"
    home.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[risk]\ncollar_bps = 160\n")
    log = home.parent / "log"
    process = quoter("--json", "--network", "local", "--config", str(file), "--log", str(log), "--journal", str(home))
    until(home, session="LIVE")
    status, _, err = command("set", f"{LEVELS}=0", "market.label=x", "nonsense=1")
    assert status == 2
    assert all(name in err for name in (LEVELS, "market.label = 'x': cannot change while running", "nonsense"))
    assert status_of(home)["config"]["version"] == 0
    status, out, _ = command("set", f"{LEVELS}=2", "risk.max_position_usd=20000", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["changes"] == [[LEVELS, "3", "2"], ["risk.max_position_usd", "45000.0", "20000.0"]]
    assert told["config"] == status_of(home)["config"]
    assert command("halt", "--network", "local")[0] == 0
    assert command("resume", "--network", "local", "--account", "local")[0] == 0
    file.write_text("[risk]\ncollar_bps = 170\nmax_position_usd = -1\n")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert status_of(home)["config"]["version"] == 1
    file.write_text("[risk]\ncollar_bps = 170\n")
    process.send_signal(signal.SIGHUP)
    until(home, session="LIVE")
    time.sleep(1.0)
    assert status_of(home)["config"]["version"] == 2
    process.send_signal(signal.SIGINT)
    status, out, err = finished(process)
    assert status == 0, err
    report = json.loads(out)
    assert report["config"]["version"] == report["config_version"] == 2
    events = [json.loads(line) for line in log.read_text().splitlines()]
    changes = [event for event in events if event.get("event", event.get("message")) == "configuration changed"]
    assert [event["changes"].get("risk.collar_bps") for event in changes] == [None, ["160.0", "170.0"]]
    run = Path(report["journal"]["directory"])
    assert [record.kind for record in Journal(run).records()].count(Kind.CONFIG) == 2
    result = replay(run)
    assert result.identical
    assert result.core.status()["config_version"] == 2


def test_nobody_to_set(home: Path) -> None:
    status, _, err = command("set", f"{LEVELS}=2")
    assert status == 1
    assert "found: none" in err


def test_a_closed_terminal_stops_the_run(tmp_path: Path) -> None:
    """SIGHUP reads the configuration again, except when it comes because the run has lost its terminal."""
    ours, theirs = pty.openpty()
    report = tmp_path / "report"
    program = (
        "import fcntl, os, sys, termios\n"
        f"terminal = os.open({os.ttyname(theirs)!r}, os.O_RDWR)\n"
        "fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)\n"
        "os.close(terminal)\n"
        "from engine.cli.main import main\n"
        "main()\n"
    )
    with report.open("w") as out:
        arguments = ["run", "--network", "local", "--json", "--journal", "off"]
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(theirs)
        place = tmp_path / "thalex-quoter" / "local"
        until(place, session="LIVE")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        os.close(ours)
        assert process.wait(30) == 0
    told = json.loads(report.read_text())
    assert told["reason"] == "stopped"
    assert told["orders_left"] == 0
