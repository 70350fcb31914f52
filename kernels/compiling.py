"""The first start of a build: every kernel that trades compiled, by two processes where there are two processors.

``compile_beside`` starts a process of its own, so that this one needs no Numba. That one declares the kernels
(``kernels.apart``), forks, and both take one kernel after the other from a common queue, the largest first, until it is
empty. It links what both have made and leaves the object file of ``kernels.kept``. What the fork did not make, because
it failed, was killed or took far too long, is compiled after all.

Set-up only; starts processes and reads the clock.
"""

import gc
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from llvmlite import binding  # type: ignore[import-untyped]

from kernels import linking

if TYPE_CHECKING:
    from kernels.apart import Declared

WHOLE_S_MAX = 300.0
FORK_S_MAX = 15.0  # what the fork may take after the queue is empty: one kernel, and writing what it made
Module = Any


class OtherFailed(RuntimeError):
    """The other process did not do its work; the message says why."""


def compile_beside(file: Path) -> None:
    """Have the object file made by another process, which runs this module. Raises ``OtherFailed``."""
    with tempfile.TemporaryFile() as errors:
        child = _started(["-m", "kernels.compiling", str(file)], errors.fileno())
        _ended(child, WHOLE_S_MAX, errors)


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


def whole() -> Module:
    """LLVM's module of the kernels that trade, not optimised yet. For a process that has imported no kernel."""
    from kernels import apart, kernel

    kernel.declare(apart.Declared)
    from kernels import trading

    entries = {each: linking.symbol(name) for name, each in trading.KERNELS.items()}
    return compiled(apart.reached(entries), entries)


def compiled(work: "list[Declared]", entries: "dict[Declared, str]") -> Module:
    """One module of all these kernels, in their order; the entries have C functions of their names."""
    queue = Queue(len(work))

    def part(wanted: Iterable[int]) -> dict[int, Module]:
        return {n: work[n].compiled(entries.get(work[n], "")) for n in wanted}

    def other() -> bytes:
        return pickle.dumps({n: module.as_bitcode() for n, module in part(queue).items()})

    with tempfile.TemporaryFile() as file, Fork(other, file) as fork:
        made = part(queue)
        answer = fork.answer()
    if answer:
        made |= {n: binding.parse_bitcode(code) for n, code in pickle.loads(answer).items()}
    made |= part(n for n in range(len(work)) if n not in made)
    return linking.join([made[n] for n in range(len(work))], entries.values())


class Queue:
    """The numbers below ``count``, each once for all processes that share it."""

    def __init__(self, count: int) -> None:
        self._read, write = os.pipe()
        os.write(write, b"".join(n.to_bytes(2, "little") for n in range(count)))
        os.close(write)

    def __iter__(self) -> Iterator[int]:
        parent = os.getppid()
        while os.getppid() == parent and (taken := os.read(self._read, 2)):
            yield int.from_bytes(taken, "little")


class Fork:
    """A fork of this process that makes an answer, where there is a second processor; it does not outlive the block.

    ``file``: an empty one, in which the answer is written. ``pid``: of the fork, None where there is none any more.
    """

    def __init__(self, make: Callable[[], bytes], file: IO[bytes]) -> None:
        self._file = file
        self.pid = os.fork() if len(os.sched_getaffinity(0)) > 1 else None
        if self.pid == 0:
            status = 1
            try:
                file.write(make())
                file.flush()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)

    def __enter__(self) -> "Fork":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def answer(self) -> bytes:
        """Its answer; empty where it failed or was too slow, and without a second processor."""
        if self.pid is None:
            return b""
        descriptor = os.pidfd_open(self.pid)
        try:
            select.select([descriptor], [], [], FORK_S_MAX)
        finally:
            os.close(descriptor)
        if self._end() != 0:
            return b""
        self._file.seek(0)
        return self._file.read()

    def _end(self) -> int:
        """Kill it if it runs still; its status."""
        if self.pid is None:
            return 0
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        return status


def main(file: Path) -> None:
    """What the other process of ``compile_beside`` does."""
    from kernels import kept

    gc.disable()  # nothing that is compiled is let go before the end, in a few seconds
    module = whole()
    plain = linking.plain_code(module)
    kept.keep(file, linking.object_code(module), kept.of(plain))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
