"""The first start: another process compiles half of the kernels; that it failed is told, and made good."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kernels import compiling
from kernels.cache import CacheWarning

ROOT = Path(__file__).resolve().parents[2]
needs_two = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor compiles alone")


def test_the_halves_are_all_of_it() -> None:
    """What the two halves import is what the callbacks need: nothing is left for the time after both."""
    code = f"import {', '.join((*compiling.HERE, *compiling.BESIDE))}, sys; before = {{*sys.modules}}\n"
    code += "import kernels.compiled; print(*sorted(m for m in {*sys.modules} - before if m.startswith('kernels.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kernels.addresses", "kernels.compiled"]


@needs_two
def test_the_other_process_does_its_half(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text("from pathlib import Path\nPath('done').touch()\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with compiling._other("import half"):
            pass
    assert (tmp_path / "done").exists()


@needs_two
@pytest.mark.parametrize(
    ("half", "why"),
    [
        ("raise RuntimeError('no compiler')", "status 1: RuntimeError: no compiler"),
        ("import os; os.kill(os.getpid(), 9)", "status -9"),
        ("import os; os.kill(os.getpid(), 19)", "takes too long"),
    ],
)
def test_a_half_that_failed_is_told(tmp_path: Path, half: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.py").write_text(half)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiling, "GRACE_S", 0.5)
    monkeypatch.setattr(compiling, "BESIDE", ("half",))
    with pytest.warns(CacheWarning, match=f"half of the kernels is compiled here.*{why}"):
        compiling.compile_all()
    assert "kernels.compiled" in sys.modules


@needs_two
def test_no_process_is_left_when_this_half_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    real = subprocess.Popen
    monkeypatch.setattr(compiling.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[-1])
    with pytest.raises(KeyboardInterrupt), compiling._other("import time; time.sleep(60)"):
        raise KeyboardInterrupt
    assert started[0].returncode == -9


def test_a_process_for_all_of_it_that_takes_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "WHOLE_S_MAX", 0.01)
    with pytest.raises(compiling.OtherFailed, match="takes too long"):
        compiling.compile_beside(tmp_path / "object")


def test_a_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(compiling.OtherFailed, match="ended with status 1: FileNotFoundError"):
        compiling.compile_beside(tmp_path / "none" / "object")


def test_one_processor_compiles_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(compiling.subprocess, "Popen", lambda *_, **__: pytest.fail("a second process"))
    compiling.compile_all()


def test_a_process_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(compiling.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(compiling.subprocess, "Popen", refuse)
    with pytest.warns(CacheWarning, match="cannot be started: no more processes"):
        compiling.compile_all()
