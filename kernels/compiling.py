"""The first start of a build: every kernel that trades compiled, by two processes where there are two processors.

``compile_all`` compiles into Numba's cache: another process one half, this one the other, and each finds in the cache
what both need. Should the other fail, be killed or take far too long, what is missing is compiled here, and the warning
says why. ``compile_beside`` has all of it done by processes that end, without the entries by which Python calls a
kernel, and leaves the object file of ``kernels.kept``: the quickest way, and this process needs no Numba.

Set-up only; starts processes and reads the clock.
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kernels.cache import CacheWarning

# Halves of about the same work. What both need is compiled early in the one and late in the other.
HERE = ("kernels.adverse", "kernels.regime", "kernels.quoting_callbacks")
BESIDE = ("kernels.signal_callbacks",)
PATIENCE = 2.0  # times as long as this half took, and
GRACE_S = 5.0  # more, is what the other half may take after it
WHOLE_S_MAX = 300.0


class OtherFailed(RuntimeError):
    """The other process did not do its work; the message says why."""


def compile_all(spare: str = "") -> None:
    """Compile every kernel that trades, or load it from Numba's cache.

    spare: the directory given to ``kernels.kernel.spare_python``, if that was called.
    """
    code = f"import {', '.join(BESIDE)}"
    if spare:
        code = f"from kernels import kernel; kernel.spare_python({spare!r}); {code}"
    try:
        with _other(code):
            for module in HERE:
                importlib.import_module(module)
    except OtherFailed as failed:
        warnings.warn(f"half of the kernels is compiled here: the process for it {failed}", CacheWarning, stacklevel=2)
    importlib.import_module("kernels.compiled")


def compile_beside(file: Path) -> None:
    """Have the object file made by another process, which runs this module. Raises ``OtherFailed``."""
    with tempfile.TemporaryFile() as errors:
        child = _started(["-m", "kernels.compiling", str(file)], errors.fileno())
        _ended(child, WHOLE_S_MAX, errors)


@contextmanager
def _other(code: str) -> Iterator[None]:
    """Another process runs this meanwhile, where there is a second processor. Raises ``OtherFailed``."""
    if len(os.sched_getaffinity(0)) < 2:
        yield
        return
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        child = _started(["-c", code], errors.fileno())
        try:
            yield
        except BaseException:
            child.kill()
            child.wait()
            raise
        _ended(child, PATIENCE * (time.monotonic() - began) + GRACE_S, errors)


def _started(arguments: list[str], errors: int) -> "subprocess.Popen[bytes]":
    none = subprocess.DEVNULL
    try:
        return subprocess.Popen([sys.executable, *arguments], stdin=none, stdout=none, stderr=errors)
    except OSError as error:
        raise OtherFailed(f"cannot be started: {error}") from None


def _ended(child: "subprocess.Popen[bytes]", seconds: float, errors: IO[bytes]) -> None:
    """Wait for its end. Raises ``OtherFailed`` unless it comes in time and is a good one."""
    try:
        status = child.wait(seconds)
    except subprocess.TimeoutExpired:
        raise OtherFailed("takes too long") from None
    finally:
        child.kill()
        child.wait()
    if status != 0:
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        raise OtherFailed(f"ended with status {status}" + (f": {said}" if said else ""))


def main(file: Path) -> None:
    """What the other process of ``compile_beside`` does."""
    from kernels import kept, kernel

    spare = file.parent / "spare"
    spare.mkdir(mode=0o700, exist_ok=True)
    kernel.spare_python(str(spare))
    compile_all(str(spare))
    kept.make(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
