"""Instructions an operation of the codecs, counted by callgrind: exact where times are not.

    python -m benchmarks.instructions            compare with instructions.json, status 1 beyond one percent
    python -m benchmarks.instructions --write    keep what was counted
    python -m benchmarks.instructions --prove    count beside a process that spins, and with 5 % more work

A count belongs to a compiler and its flags: write a baseline of your own before you compare on another machine.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASELINE = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.01
N = 2_000
SLOWED = 1.05
KINDS = ("ticker", "lwt", "book", "session", "reply")
ENCODE = "encode.mass_quote"
DECODE_CODE = """
import sys
from feed.decode import Decoder
from feed.symbols import SymbolTable
frame = bytes.fromhex(sys.argv[2])
instruments = SymbolTable(64)
instruments.add(b"BTC-PERPETUAL", 0)
decoder = Decoder(SymbolTable(64), instruments, SymbolTable(64))
if frame.startswith(b'{"channel_name":"'):
    decoder.add_channel(frame[17:].partition(b'"')[0].decode())
n = int(sys.argv[1])
assert decoder.repeat(frame, n) == n, "a frame was left to the slow decoder"
"""
ENCODE_CODE = """
import sys
from feed.encode import Encoder
Encoder().repeat_mass_quote(b"BTC-PERPETUAL", 60_000 * 10**8, 10**8, 4_900_000, 3, int(sys.argv[1]))
"""


def count(name: str, frames: dict[str, bytes], work: float = 1.0) -> float:
    """Instructions an operation. ``work``: how much of it is done for each that is counted."""
    code, arguments = (ENCODE_CODE, []) if name == ENCODE else (DECODE_CODE, [frames[name].hex()])
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=__pyx_pw_*repeat*"]
        done = subprocess.run(
            [*command, sys.executable, "-c", code, str(round(N * work)), *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"callgrind failed: {done.stderr[-500:]}")
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)
    if found is None or int(found[1]) == 0:
        raise RuntimeError("callgrind counted nothing: are the extensions stripped of their symbols?")
    return int(found[1]) / N


def recorded_frames() -> dict[str, bytes]:
    """The frames of the other benchmarks, by name."""
    from benchmarks.recorded import frame

    return {f"decode.{kind}": frame(kind) for kind in KINDS}


def compare(frames: dict[str, bytes], names: list[str], work: float = 1.0) -> list[str]:
    """Print one line each; the names that need over one percent more than their baseline."""
    baseline: dict[str, float] = json.loads(BASELINE.read_text())
    slower = []
    for name in names:
        got, before = count(name, frames, work), baseline[name]
        if got > before * (1 + TOLERANCE):
            slower.append(name)
        print(f"{name:<20}{got:>10.1f}{before:>10.1f}{got / before - 1:>+9.2%}  {'slower' if name in slower else 'ok'}")
    return slower


def prove(frames: dict[str, bytes]) -> bool:
    """Whether 5 % more work is caught, and a process that spins beside is not reported."""
    names = ["decode.ticker", ENCODE]
    print("beside a process that spins")
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        disturbed = compare(frames, names)
    finally:
        spinning.kill()
        spinning.wait()
    print("with 5 % more work")
    return not disturbed and compare(frames, names, SLOWED) == names


def main() -> int:
    """Count and judge; the exit status."""
    parser = argparse.ArgumentParser(description="Instructions an operation, by callgrind.")
    parser.add_argument("--write", action="store_true", help="keep what is counted as the baseline")
    parser.add_argument("--prove", action="store_true", help="show that 5 %% is caught and a loaded core is not")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind is missing: apt-get install valgrind", file=sys.stderr)
        return 2
    frames = recorded_frames()
    names = [*frames, ENCODE]
    if options.write:
        BASELINE.write_text(json.dumps({name: count(name, frames) for name in names}, indent=2) + "\n")
        return 0
    if options.prove:
        return 0 if prove(frames) else 1
    return 1 if compare(frames, names) else 0


if __name__ == "__main__":
    sys.exit(main())
