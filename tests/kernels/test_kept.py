"""The kept kernels: Numba's answers without Numba; refused where damaged, foreign or able to raise."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba import carray

from kernels import compiled, kept, linking, proof
from kernels.cache import CacheWarning
from kernels.compiling import OtherFailed
from kernels.kept import NotKept

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    bool(os.environ.get("NUMBA_BOUNDSCHECK")), reason="kernels that check their bounds can raise, and are not kept"
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this build's object file."""
    kept.addresses()
    copy = tmp_path_factory.mktemp("kept") / kept.FILE
    copy.write_bytes(kept.path().read_bytes())
    return copy


def test_they_leave_the_bytes_of_numbas_own(file: Path) -> None:
    loaded = kept.load(file)
    assert loaded != compiled.addresses()
    assert proof.answers(loaded) == proof.answers(compiled.addresses())
    assert any(proof.answers(loaded))


@pytest.mark.parametrize(
    "start", ["from kernels import kept; kept.addresses()", "import engine.cli.run, engine.live.app"]
)
def test_a_start_with_kept_kernels_imports_no_compiler(file: Path, start: str) -> None:
    code = f"import sys; {start}; print(*sorted({{'numba', 'duckdb', 'kernels.kernel'}} & {{*sys.modules}}))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout.strip()) == (0, ""), found.stderr


@pytest.mark.parametrize("where", [40, -40])
def test_a_damaged_file_is_not_loaded(file: Path, tmp_path: Path, where: int) -> None:
    data = bytearray(file.read_bytes())
    data[where] ^= 1
    (tmp_path / kept.FILE).write_bytes(data)
    with pytest.raises(NotKept):
        kept.load(tmp_path / kept.FILE)


def test_no_file_and_one_of_another_build_are_not_loaded(file: Path, tmp_path: Path) -> None:
    with pytest.raises(NotKept, match="No such file"):
        kept.load(tmp_path / "none")
    head, _, code = file.read_bytes().partition(b"\n")
    for member, value in (("layouts", "0"), ("numba", "0.1"), ("processor", "+none"), ("kernels", ["resolve"])):
        told = json.loads(head)
        assert member in told
        (tmp_path / kept.FILE).write_bytes(json.dumps(told | {member: value}).encode() + b"\n" + code)
        with pytest.raises(NotKept, match="another build"):
            kept.load(tmp_path / kept.FILE)


def test_a_kernel_that_may_raise_is_not_kept() -> None:
    @numba.cfunc("int64(CPointer(int64), int64)", error_model="numpy", boundscheck=True)
    def checked(values, index):  # type: ignore[no-untyped-def]
        return carray(values, 4)[index]

    with pytest.raises(NotKept, match="numba_"):
        linking.object_code(linking.together({"checked": checked}))


def test_a_process_that_fails_is_made_good_here(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: Path) -> None:
        raise OtherFailed("ended with status -9")

    monkeypatch.setattr(kept, "compile_beside", killed)
    with pytest.warns(CacheWarning, match="compiled here: the process for it ended with status -9"):
        made = kept._compiled(tmp_path / kept.FILE)
    assert proof.answers(made) == proof.answers(kept.load(file))
    assert kept.load(tmp_path / kept.FILE) != made


def test_one_that_needs_only_libm_is(file: Path) -> None:
    @numba.cfunc("float64(float64)", error_model="numpy")
    def plain(value):  # type: ignore[no-untyped-def]
        return value / 0.0 if value < 0.0 else value**1.5

    assert linking.object_code(linking.together({"plain": plain})).startswith(b"\x7fELF")
    with pytest.raises(NotKept, match="no kernel"):
        linking.together({})
    assert ctypes.sizeof(ctypes.c_void_p) == 8
