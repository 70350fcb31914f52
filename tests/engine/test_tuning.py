"""Processor, priority, memory: what cannot work is refused before anything is sent, what is forbidden is told."""

import ctypes
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.live.tuning import Tuning, before_start

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EINVAL])
def test_realtime_that_is_not_granted_is_told_with_its_remedy(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    (missing,) = before_start(Tuning(realtime=True))
    assert missing.startswith(f"--realtime: {os.strerror(code)}; needs CAP_SYS_NICE")


def test_memory_that_may_not_be_locked_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def mlockall(flags: int) -> int:
        assert flags == 3
        ctypes.set_errno(errno.ENOMEM)
        return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(mlockall=mlockall))
    (missing,) = before_start(Tuning(lock_memory=True))
    assert missing.startswith(f"--lock-memory: {os.strerror(errno.ENOMEM)}; needs CAP_IPC_LOCK")


def test_what_is_granted_is_asked_for_once_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda *given: asked.append(given[1]))
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cpus: asked.append(cpus))
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(mlockall=lambda _: 0))
    assert before_start(Tuning(cpu=0, realtime=True, lock_memory=True)) == []
    assert asked == [{0}, os.SCHED_FIFO]


def test_one_processor_is_not_starved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    (problem,) = Tuning(spin=True, realtime=True).problems()
    assert "one processor" in str(problem) and "drop --spin" in str(problem)
    assert Tuning(spin=True).problems() == Tuning(realtime=True).problems() == []


FULL = "os.posix_fallocate = refuse"
MISSING = "given = os.open; os.open = lambda path, *more: (refuse if '/dev/shm' in str(path) else given)(path, *more)"
RUN = """
import errno, os, sys
def refuse(*_):
    raise OSError({code}, os.strerror({code}))
{how}
sys.argv = ["quoter", "run", "--network", "local", "--for", "2s", "--json"]
from engine.cli.main import main
main()
"""


@pytest.mark.parametrize(("how", "code"), [(FULL, errno.ENOSPC), (MISSING, errno.ENOENT)], ids=["full", "missing"])
def test_a_local_run_goes_on_without_shared_memory_and_says_what_it_lacks(how: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(how=how, code=code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["quotes_sent"] > 0 and report["orders_left"] == 0 and report["journal"] is None
    notes = [line for line in done.stderr.splitlines() if os.strerror(code) in line]
    assert any("no journal is written" in line for line in notes), done.stderr
    assert any("cannot see this run" in line for line in notes), done.stderr
