"""Fuzz target: the fast decoder accepts nothing that the slow one refuses, and both read it the same.

``python -m tests.fuzz.fuzz_decode [CORPUS] --runs N --seed S``; a coverage-guided fuzzer can call ``TestOneInput``.
"""

from pathlib import Path

from tests.feed.codec import differ, new_decoder
from tests.fuzz.engine import main

CORPUS = Path(__file__).parent / "corpus" / "decode"
DECODER = new_decoder()


def TestOneInput(data: bytes) -> None:
    """Decode ``data`` both ways and compare."""
    differ(DECODER, data)


def canary(data: bytes) -> None:
    """A target with a bug that a working engine finds: it raises for every ticker without a bid."""
    kind, _ = differ(DECODER, data)
    if kind == 1 and not DECODER.record(kind)["has"] & 1:
        raise AssertionError("a ticker without a bid")


if __name__ == "__main__":
    main(TestOneInput, CORPUS)
