"""The first start of a build: every kernel compiled into Numba's cache, by two processes where two processors are.

The other process compiles one half, this one the other, and each finds in the cache what both need. Should the other
fail, be killed or take far too long, what is missing is compiled here, and the warning says why.

Set-up only; starts a process and reads the clock.
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

from kernels.cache import CacheWarning

# Halves of about the same work. What both need is compiled early in the one and late in the other.
HERE = ("kernels.adverse", "kernels.regime", "kernels.quoting_callbacks")
BESIDE = ("kernels.signal_callbacks",)
PATIENCE = 2.0  # times as long as this half took, and
GRACE_S = 5.0  # more, is what the other half may take after it


class OtherFailed(RuntimeError):
    """The other process did not compile its half; the message says why."""


def compile_all() -> None:
    """Compile every kernel that trades, or load it from Numba's cache."""
    try:
        with _other(BESIDE):
            for module in HERE:
                importlib.import_module(module)
    except OtherFailed as failed:
        warnings.warn(f"half of the kernels is compiled here: the process for it {failed}", CacheWarning, stacklevel=2)
    importlib.import_module("kernels.compiled")


@contextmanager
def _other(modules: tuple[str, ...]) -> Iterator[None]:
    """Another process imports these modules meanwhile, where there is a second processor. Raises ``OtherFailed``."""
    if len(os.sched_getaffinity(0)) < 2:
        yield
        return
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        none = subprocess.DEVNULL
        command = [sys.executable, "-c", f"import {', '.join(modules)}"]
        try:
            child = subprocess.Popen(command, stdin=none, stdout=none, stderr=errors)
        except OSError as error:
            raise OtherFailed(f"cannot be started: {error}") from None
        try:
            yield
            status = child.wait(PATIENCE * (time.monotonic() - began) + GRACE_S)
        except subprocess.TimeoutExpired:
            raise OtherFailed("takes too long") from None
        finally:
            child.kill()
            child.wait()
        if status != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise OtherFailed(f"ended with status {status}" + (f": {said}" if said else ""))
