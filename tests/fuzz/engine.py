"""A small mutation engine: drives ``TestOneInput(data)`` targets over a corpus, from a seed, without any other library.

A target raises for an input that it must not survive. The failure names the seed and the run, and the input is written
to a file.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from pathlib import Path

Target = Callable[[bytes], None]

SIZE_MAX = 1 << 16
"""Bytes of a mutated input."""
TOKENS = (
    b"0", b"-1", b"1e999", b"1e-999", b"1e-05", b"9007199254740993", b"18446744073709551616",
    b"0.000000001", b"null", b"true", b"NaN", b'""', b"[]", b"{}", b",", b":", b'"', b"\\",
    b"\\u0041", b"\xc3\xa9", b"\xff", b"\x00", b" ", b'"a":1,', b'"price":',
    b',"snapshot":true', b'{"id":', b'{"channel_name":"',
)  # fmt: skip


class Failure(Exception):
    """A target raised; ``data`` is the input, the cause is the target's exception."""

    def __init__(self, seed: int, run: int, data: bytes) -> None:
        super().__init__(f"seed {seed}, run {run}: {data[:400]!r}")
        self.data = data


def mutate(data: bytes, other: bytes, draw: random.Random) -> bytes:
    """One to four small damages: bytes flipped, cut, doubled, moved in from a token or from another input."""
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        size = draw.choice((1, 1, 2, 4, 16, 64))
        change = draw.randrange(7)
        if change == 0 and data:
            at %= len(data)
            data = data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]
        elif change == 1:
            data = data[:at] + data[at + size :]
        elif change == 2:
            data = data[:at] + data[at : at + size] + data[at:]
        elif change == 3:
            data = data[:at] + draw.choice(TOKENS) + data[at:]
        elif change == 4:
            data = data[:at] + draw.choice(TOKENS) + data[at + size :]
        elif change == 5:
            start = draw.randrange(len(other) + 1)
            data = data[:at] + other[start : start + size] + data[at:]
        else:
            data = data[:at]
    return data[:SIZE_MAX]


def read_corpus(directory: Path) -> list[bytes]:
    """Every file of ``directory``, in the order of the names. Raises FileNotFoundError when there is none."""
    corpus = [path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()]
    if not corpus:
        raise FileNotFoundError(f"no inputs in {directory}")
    return corpus


def fuzz(target: Target, corpus: Sequence[bytes], runs: int, seed: int) -> int:
    """Run ``target`` on the corpus and then on ``runs`` mutations; how many inputs.

    Raises ``Failure`` at the first bad one.
    """
    draw = random.Random(seed)
    for run in range(-len(corpus), runs):
        data = corpus[run] if run < 0 else mutate(draw.choice(corpus), draw.choice(corpus), draw)
        try:
            target(data)
        except Exception as error:
            raise Failure(seed, run, data) from error
    return len(corpus) + runs


def main(target: Target, corpus: Path) -> None:
    """Command line of a target."""
    parser = argparse.ArgumentParser(description=target.__doc__)
    parser.add_argument("corpus", nargs="?", type=Path, default=corpus, help="directory of inputs")
    parser.add_argument("--runs", type=int, default=100_000, help="mutated inputs")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    try:
        done = fuzz(target, read_corpus(arguments.corpus), arguments.runs, arguments.seed)
    except Failure as failure:
        found = Path(f"crash-{arguments.seed}")
        found.write_bytes(failure.data)
        raise SystemExit(f"{failure}\ncaused by {failure.__cause__!r}\ninput in {found}") from failure
    print(f"{done} inputs, seed {arguments.seed}: nothing found")
