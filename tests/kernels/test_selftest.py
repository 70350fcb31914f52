"""The self-test passes on these kernels and notices a wrong kernel."""

import itertools
import math

import pytest

from kernels import avellaneda, selftest


def failed(checks: list[selftest.Check]) -> list[selftest.Check]:
    return [check for check in checks if not check.passed]


def test_short_form_passes() -> None:
    checks = selftest.run(short=True)
    assert failed(checks) == []
    assert len(checks) > 40


def test_long_form_reproduces_the_published_tables() -> None:
    checks = selftest.run(short=False)
    assert failed(checks) == []
    names = {check.name for check in checks}
    assert {f"gamma {g} {s} profit" for g in (0.1, 0.01) for s in ("inventory", "symmetric")} <= names
    assert all(check.source for check in checks)


def test_nan_never_passes() -> None:
    assert not selftest.Check("x", 1.0, math.nan, math.inf, "").passed
    assert not selftest.Check("x", 1.0, 1.2, 0.1, "").passed
    assert selftest.Check("x", 1.0, 1.05, 0.1, "").passed


def test_a_wrong_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avellaneda, "total_spread", lambda *_: 2.0)
    assert [check.name for check in failed(list(selftest.published_distances()))] == ["spread with no time left"]


def test_simulation_is_deterministic_and_seeded() -> None:
    first = selftest.simulate(0.1, False, 50, 1)
    assert first == selftest.simulate(0.1, False, 50, 1)
    assert first[1] != selftest.simulate(0.1, False, 50, 2)[1]


def test_generator_is_uniform_and_normal() -> None:
    numbers = [selftest.uniform(7, n) for n in range(20_000)]
    assert min(numbers) >= 0.0
    assert max(numbers) < 1.0
    assert sum(numbers) / 20_000 == pytest.approx(0.5, abs=0.01)
    pairs = sum(a * b for a, b in itertools.pairwise(numbers)) / 19_999
    assert pairs == pytest.approx(0.25, abs=0.01)
    draws = [selftest.normal(7, n) for n in range(20_000)]
    assert sum(draws) / 20_000 == pytest.approx(0.0, abs=0.03)
    assert sum(d * d for d in draws) / 20_000 == pytest.approx(1.0, abs=0.04)
