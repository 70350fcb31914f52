"""The fuzz targets hold on a quick run, and the engine finds what is there to find."""

import random

import pytest

from tests.fuzz import fuzz_decode
from tests.fuzz.engine import Failure, fuzz, mutate, read_corpus

CORPUS = read_corpus(fuzz_decode.CORPUS)


def test_decoders_agree_on_mutated_frames() -> None:
    assert fuzz(fuzz_decode.TestOneInput, CORPUS, 10_000, seed=1) == 10_000 + len(CORPUS)


def test_the_corpus_is_decoded_fast_in_part() -> None:
    kinds = {fuzz_decode.DECODER.decode(frame) for frame in CORPUS}
    assert kinds == set(range(9))


def test_the_canary_is_found() -> None:
    with pytest.raises(Failure, match="seed 1, run") as caught:
        fuzz(fuzz_decode.canary, CORPUS, 20_000, seed=1)
    assert isinstance(caught.value.__cause__, AssertionError)
    with pytest.raises(AssertionError, match="without a bid"):
        fuzz_decode.canary(caught.value.data)


def test_a_seed_gives_the_same_inputs() -> None:
    def inputs(seed: int) -> list[bytes]:
        draw = random.Random(seed)
        return [mutate(draw.choice(CORPUS), draw.choice(CORPUS), draw) for _ in range(200)]

    assert inputs(7) == inputs(7)
    assert inputs(7) != inputs(8)
    assert len(set(inputs(7))) > 150
