"""Instructions an operation of the pure parts, counted by callgrind: exact where times are not.

    python -m benchmarks.instructions            compare with instructions.json, status 1 beyond one percent
    python -m benchmarks.instructions --write    keep what was counted
    python -m benchmarks.instructions --prove    count beside a spinning process, and with a quote kernel slowed by 5 %

A count belongs to a compiler, its flags and the processor that Numba compiles for: the baseline names them, and another
build is told apart from a regression. Write a baseline of your own before you compare on another machine.
"""

import argparse
import importlib
import json
import os
import pickle
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llvmlite import binding

from benchmarks.counted import COUNTED, DECODED, DUMPED, PARTS, Played, Work
from benchmarks.recorded import frame, session
from engine.bench.in_process import message_kinds
from engine.bench.tapes import Mode, Session
from feed import encode

ROOT = Path(__file__).resolve().parents[1]
BASELINE = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.01
N = 1_000
TICKS = 40
SLOWED = 1.05
INSTRUCTIONS_A_TURN = 2.5
"""Of the loop that slows."""
TIMEOUT_S = 1200.0
PROCESSOR = "x86-64-v3" if platform.machine() == "x86_64" else "generic"
MODES: tuple[Mode, ...] = ("mass_quote", "orders")


class NotCounted(RuntimeError):
    """There are no counts; the message says why."""


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions an operation, and those of the baseline."""

    name: str
    got: float
    before: float | None

    @property
    def change(self) -> float:
        """How much more than the baseline, as a fraction; NaN without one."""
        return float("nan") if self.before is None else self.got / self.before - 1

    @property
    def slower(self) -> bool:
        """Whether that is a regression."""
        return self.change > TOLERANCE

    def __str__(self) -> str:
        before = "" if self.before is None else f"{self.before:.1f}"
        verdict = "no baseline" if self.before is None else "slower" if self.slower else "ok"
        return f"{self.name:<20}{self.got:>11.1f}{before:>11}{self.change:>+9.2%}  {verdict}"


def work(names: Iterable[str] = tuple(PARTS), n: int = N, ticks: int = TICKS) -> Work:
    """Everything that the parts need, recorded here and not under callgrind."""
    frames = {kind: frame(kind) for kind in DECODED}
    sessions = {mode: played(session(ticks, mode)) for mode in MODES}
    return Work(tuple(names), n, frames, sessions, portable_kernels())


def portable_kernels() -> bytes:
    """The kernels that trade, for a processor whose instructions callgrind knows: it has no AVX-512."""
    code = "import sys; from kernels import compiling, linking\n"
    code += f"sys.stdout.buffer.write(linking.object_code(compiling.whole(), {PROCESSOR!r}))"
    return _made("-c", code)


def _made(*arguments: str) -> bytes:
    """What Python writes, in a process of its own: it has imported no kernel."""
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


def played(made: Session) -> Played:
    """A session without what recorded it."""
    return Played(made.plan, made.tape, made.live_at, tuple(message_kinds(made).tolist()))


def missing() -> str | None:
    """Why nothing can be counted here, or None."""
    return None if shutil.which("valgrind") else "valgrind is missing: apt-get install valgrind"


def count(given: Work) -> dict[str, float]:
    """Instructions an operation by name. Raises ``NotCounted``."""
    with tempfile.TemporaryDirectory() as directory:
        file, out = Path(directory) / "work", Path(directory) / "out"
        file.write_bytes(pickle.dumps(given))
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--dump-after={symbol(*DUMPED)}"]
        command += [f"--toggle-collect={symbol(*each)}" for each in COUNTED]
        done = subprocess.run(
            [*command, sys.executable, "-m", "benchmarks.counted", str(file)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise NotCounted(f"callgrind failed: {done.stderr[-500:]}")
        return _counts(done.stdout, out)


def symbol(module: str, owner: str, name: str) -> str:
    """The C name of a compiled function: callgrind goes wrong with several patterns that begin alike."""
    prefix = "".join(f"{len(part)}{part}_" for part in (*module.split("."), *([owner] if owner else [])))
    pattern = re.compile(rb"\0(__pyx_pw_" + prefix.encode() + rb"\d*" + name.encode() + rb")\0")
    found = pattern.search(Path(str(importlib.import_module(module).__file__)).read_bytes())
    if found is None:
        raise NotCounted(f"{module} has no symbol for {name}: is it stripped?")
    return found[1].decode()


def _counts(said: str, out: Path) -> dict[str, float]:
    """One dump a part, in their order."""
    counts = {}
    for number, line in enumerate(said.splitlines(), 1):
        name, times = line.split()
        found = re.search(r"^(?:summary|totals): (\d+)", out.with_name(f"{out.name}.{number}").read_text(), re.M)
        if found is None or int(found[1]) == 0:
            raise NotCounted(f"callgrind counted nothing for {name}: are the extensions stripped of their symbols?")
        counts[name] = int(found[1]) / int(times)
    return counts


def build() -> dict[str, str]:
    """What counts belong to: the C compiler, Numba's, the processor they compile for, and Python."""
    compiler = re.search(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+", Path(encode.__file__).read_bytes())
    return {
        "compiler": "unknown" if compiler is None else compiler[0].decode(),
        "processor": binding.get_host_cpu_name(),
        "python": sys.version.split()[0],
        **{name: version(name) for name in ("cython", "numba", "llvmlite", "numpy")},
    }


def baseline() -> dict[str, Any]:
    """``build`` and ``counts`` as they were kept."""
    found: dict[str, Any] = json.loads(BASELINE.read_text())
    return found


def another_build() -> str | None:
    """In what this build differs from the baseline's, so that their counts do not compare; None where in nothing."""
    theirs, ours = baseline()["build"], build()
    differs = [f"{name} {ours[name]} instead of {theirs.get(name)}" for name in ours if ours[name] != theirs.get(name)]
    return "the baseline is of another build: " + ", ".join(differs) if differs else None


def compared(counts: Mapping[str, float]) -> list[Count]:
    """The counts beside the baseline's."""
    before = baseline()["counts"]
    return [Count(name, got, before.get(name)) for name, got in counts.items()]


def slowed_quote(share: float, whole: float) -> bytes:
    """Object code of the quote kernel with a loop in front that makes it slower by about this share of ``whole``."""
    return _made("-m", "benchmarks.slowed", str(round(share * whole / INSTRUCTIONS_A_TURN)), PROCESSOR)


def prove() -> bool:
    """Whether a quote kernel slowed by 5 % is caught, and a process that spins beside is not reported."""
    quiet = work()
    print("beside a process that spins")
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        disturbed = shown(compared(count(quiet)))
    finally:
        spinning.kill()
        spinning.wait()
    print("with a quote kernel that is slower by 5 %")
    slow = count(slowed(quiet))
    return not disturbed and shown(compared(slow)) == ["kernels.quote"]


def slowed(given: Work) -> Work:
    """The quote kernel alone, slower by 5 %."""
    code = slowed_quote(SLOWED - 1, baseline()["counts"]["kernels.quote"])
    return replace(given, names=("kernels.quote",), slowed_quote=code)


def shown(counts: list[Count]) -> list[str]:
    """Print them; the names of the slower ones."""
    for one in counts:
        print(one)
    return [one.name for one in counts if one.slower]


def main() -> int:
    """Count and judge; the exit status."""
    parser = argparse.ArgumentParser(description="Instructions an operation, by callgrind.")
    parser.add_argument("--write", action="store_true", help="keep what is counted as the baseline")
    parser.add_argument("--prove", action="store_true", help="show that 5 %% is caught and a loaded core is not")
    options = parser.parse_args()
    if (why := missing()) is not None:
        print(why, file=sys.stderr)
        return 2
    if options.write:
        counted = {"build": build(), "counts": {name: round(got, 2) for name, got in count(work()).items()}}
        BASELINE.write_text(json.dumps(counted, indent=2) + "\n")
        return 0
    if (why := another_build()) is not None:
        print(why, file=sys.stderr)
        return 2
    if options.prove:
        return 0 if prove() else 1
    return 1 if shown(compared(count(work()))) else 0


if __name__ == "__main__":
    sys.exit(main())
