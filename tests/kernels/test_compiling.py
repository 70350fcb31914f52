"""The first start: two processes compile the kernels; what one of them did not make is made after all."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels import compiling
from kernels.compiling import Fork, Queue

ROOT = Path(__file__).resolve().parents[2]
needs_two = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor compiles alone")


def made(code: str) -> str:
    """Hash of the object code that a process makes after this code, and how many kernels it compiled itself."""
    code = f"""
import hashlib, os
from kernels import apart, compiling, linking
real, own = apart.Declared.compiled, []
def counted(self, entry=""):
    own.append(self.symbol)
    return real(self, entry)
apart.Declared.compiled = counted
{code}
code = linking.object_code(compiling.whole())
print(hashlib.sha256(code).hexdigest(), len(own) == len(set(own)), len(own))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


@needs_two
def test_a_fork_changes_nothing_but_the_time() -> None:
    """Both make a part; alone, after a fork that was killed, and after one that failed, all is made here."""
    found, once, own = made("").split()
    alone, _, whole = made("os.sched_getaffinity = lambda _: {0}").split()
    assert (found, once) == (alone, "True")
    assert 0 < int(own) < int(whole)
    killed = "def counted(self, entry=''):\n    if os.getpid() != here: os.kill(os.getpid(), 9)\n"
    killed += "    own.append(self.symbol)\n    return real(self, entry)\n"
    killed += "here, apart.Declared.compiled = os.getpid(), counted"
    assert made(killed).split() == [alone, "True", whole]


def test_every_number_of_a_queue_is_taken_once() -> None:
    queue = Queue(300)
    first = iter(queue)
    assert next(first) == 0
    assert list(queue) == list(range(1, 300))
    assert list(first) == []


def fails() -> bytes:
    raise RuntimeError("no compiler")


def dies() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b"made"


def sleeps() -> bytes:
    time.sleep(60.0)
    return b"made"


def is_gone(pid: int | None) -> None:
    """It was our child, and has been waited for."""
    assert pid is not None
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@needs_two
@pytest.mark.parametrize(("make", "answer"), [(lambda: b"made", b"made"), (fails, b""), (dies, b""), (sleeps, b"")])
def test_a_fork_answers(make: Callable[[], bytes], answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "FORK_S_MAX", 1.0)
    with tempfile.TemporaryFile() as file, Fork(make, file) as fork:
        pid = fork.pid
        assert fork.answer() == answer
    is_gone(pid)


@needs_two
def test_no_fork_is_left_when_this_process_fails() -> None:
    pid = None
    with pytest.raises(KeyboardInterrupt), tempfile.TemporaryFile() as file, Fork(sleeps, file) as fork:
        pid = fork.pid
        raise KeyboardInterrupt
    is_gone(pid)


def test_a_process_for_all_of_it_that_takes_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "WHOLE_S_MAX", 0.01)
    with pytest.raises(compiling.OtherFailed, match="takes too long"):
        compiling.compile_beside(tmp_path / "object")


def test_a_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(compiling.OtherFailed, match="ended with status 1: FileNotFoundError"):
        compiling.compile_beside(tmp_path / "none" / "object")


def test_a_process_that_cannot_be_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(compiling.subprocess, "Popen", refuse)
    with pytest.raises(compiling.OtherFailed, match="cannot be started: no more processes"):
        compiling.compile_beside(tmp_path / "object")
