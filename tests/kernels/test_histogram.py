"""The histogram against the values themselves: the stated error, the ends of the range, and shared memory."""

import math
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernels.histogram import RANGE_NS, SIZE_BYTES, Histogram

VALUES = st.lists(
    st.one_of(st.integers(1, 600), st.integers(1, RANGE_NS), st.integers(0, 36).map(lambda e: 2**e)),
    min_size=1,
    max_size=60,
)


def of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def at_rank(values: list[int], p: float) -> int:
    return sorted(values)[max(math.ceil(p * len(values) / 100.0), 1) - 1]


@settings(max_examples=200, deadline=None)
@given(VALUES, st.sampled_from([0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentile_is_within_its_error_and_never_low(values: list[int], p: float) -> None:
    histogram = of(values)
    exact = at_rank(values, p)
    assert exact <= histogram.percentile(p) <= exact * (1 + 1 / 128)
    assert histogram.max == max(values)
    assert histogram.count == len(values)
    assert histogram.mean == pytest.approx(np.mean(values))


def test_against_numpy_on_a_latency_like_sample() -> None:
    sample = np.random.default_rng(7).lognormal(7.0, 1.2, 50_000).astype(np.int64) + 1
    histogram = of(sample.tolist())
    for p in (1, 10, 50, 90, 99, 99.9):
        assert histogram.percentile(p) == pytest.approx(np.percentile(sample, p, method="inverted_cdf"), rel=1 / 128)
    assert histogram.as_dict() == {
        "p50": histogram.percentile(50),
        "p99": histogram.percentile(99),
        "p999": histogram.percentile(99.9),
        "max": int(sample.max()),
        "mean": round(float(sample.mean())),
        "n": 50_000,
    }


def test_every_boundary_lands_in_its_own_bucket() -> None:
    """Around each power of two and each sub-bucket edge the order of values survives."""
    for exponent in range(36):
        for value in (2**exponent - 1, 2**exponent, 2**exponent + 1, 3 * 2**exponent // 2):
            if 1 <= value <= RANGE_NS:
                assert value <= of([value, RANGE_NS]).percentile(50.0) <= value * (1 + 1 / 128)


def test_out_of_range_is_counted_and_never_flatters() -> None:
    histogram = of([0, -5, 10, RANGE_NS, RANGE_NS + 1, 2**63 - 1])
    assert (histogram.below, histogram.above, histogram.count) == (2, 2, 4)
    assert histogram.max == histogram.percentile(100) == 2**63 - 1
    assert histogram.percentile(0) == 10


def test_empty_is_defined() -> None:
    assert Histogram().as_dict() == {"p50": 0, "p99": 0, "p999": 0, "max": 0, "mean": 0, "n": 0}
    assert Histogram().mean == 0.0


@pytest.mark.parametrize("p", [-0.1, 100.1, math.nan])
def test_percentile_outside_0_to_100_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="give 0 to 100"):
        Histogram().percentile(p)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5_000), st.integers(1, 700))
def test_corrected_recording_equals_the_loop_of_the_definition(value: int, expected: int) -> None:
    histogram = Histogram()
    histogram.record_corrected(value, expected)
    slow = [value]
    while slow[-1] - expected >= expected:
        slow.append(slow[-1] - expected)
    wanted = of(slow)
    assert histogram.count == wanted.count
    assert (histogram.sum, histogram.max) == (sum(slow), value)
    assert all(histogram.percentile(p) == wanted.percentile(p) for p in range(0, 101, 4))


def test_corrected_recording_of_a_long_stall_is_bounded() -> None:
    histogram = Histogram()
    histogram.record_corrected(RANGE_NS, 1)
    assert histogram.count == RANGE_NS
    assert histogram.percentile(50) == pytest.approx(RANGE_NS / 2, rel=1 / 64)
    histogram.record_corrected(-3, 10)
    assert histogram.below == 1
    with pytest.raises(ValueError, match="expected interval"):
        histogram.record_corrected(5, 0)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_merge_equals_recording_both_and_reset_forgets(first: list[int], second: list[int]) -> None:
    merged = of(first)
    merged.merge(of(second))
    both = of(first + second)
    assert merged.as_dict() == both.as_dict()
    assert merged.mean == pytest.approx(both.mean)
    merged.reset()
    assert merged.as_dict()["n"] == merged.max == merged.below == 0
    merged.record(5)
    assert merged.percentile(50) == 5


def record_thousand(name: str) -> None:
    shared = SharedMemory(name)
    histogram = Histogram(shared.buf)
    for value in range(1, 1001):
        histogram.record(value)
    del histogram
    shared.close()


def test_another_process_writes_the_same_memory() -> None:
    shared = SharedMemory(create=True, size=SIZE_BYTES)
    try:
        histogram = Histogram(shared.buf)
        process = get_context("spawn").Process(target=record_thousand, args=(shared.name,))
        process.start()
        process.join(60)
        assert process.exitcode == 0
        assert histogram.as_dict()["n"] == 1000
        assert histogram.percentile(10) == 100
        del histogram
    finally:
        shared.close()
        shared.unlink()


def test_foreign_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="writable bytes are needed"):
        Histogram(bytearray(SIZE_BYTES - 1))
    with pytest.raises(ValueError, match="writable bytes are needed"):
        Histogram(bytes(SIZE_BYTES))
    with pytest.raises(ValueError, match="something else"):
        Histogram(bytearray(b"\x01" * SIZE_BYTES))
    with pytest.raises(ValueError, match="not aligned"):
        Histogram(memoryview(bytearray(SIZE_BYTES + 8))[1:])
