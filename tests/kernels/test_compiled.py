"""C pointers: same answers as the Python twins, kept alive, found in the cache, nothing compiled later."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels import compiled, quote, selftest
from kernels.records import MODEL, POSITION, SETTINGS, TARGET, VOLATILITY

ROOT = Path(__file__).resolve().parents[2]
POINTER = ctypes.c_void_p
RESOLVE = ctypes.CFUNCTYPE(ctypes.c_int32, POINTER, ctypes.c_double, POINTER)
QUOTE = ctypes.CFUNCTYPE(ctypes.c_int32, POINTER, POINTER, POINTER)
UPDATE = ctypes.CFUNCTYPE(ctypes.c_double, POINTER, ctypes.c_double, ctypes.c_int64)
FILL = ctypes.CFUNCTYPE(ctypes.c_int32, POINTER, ctypes.c_int64, ctypes.c_int64, ctypes.c_double)


def one(record: np.void) -> np.ndarray:
    array = np.zeros(1, record.dtype)
    array[0] = record
    return array


def resolved() -> tuple[np.ndarray, np.ndarray]:
    settings, model = one(selftest.example_settings()), np.zeros(1, MODEL)
    assert RESOLVE(compiled.addresses().resolve)(settings.ctypes.data, 60_000.0, model.ctypes.data) == 0
    return settings, model


def test_pointers_give_the_twins_answers() -> None:
    _, model = resolved()
    market, by_pointer, by_name = (
        one(selftest.example_market(60_000.0, 6.0, 500)),
        np.zeros(1, TARGET),
        np.zeros(1, TARGET),
    )
    code = QUOTE(compiled.addresses().quote)(market.ctypes.data, model.ctypes.data, by_pointer.ctypes.data)
    assert code == quote.quote(market[0], model[0], by_name[0]) == 0
    assert by_pointer.tobytes() == by_name.tobytes()
    assert by_pointer["bid_count"][0] == 4
    state = np.zeros(1, VOLATILITY)
    state["default_rate"] = state["ceiling_rate"] = 1e-4
    assert UPDATE(compiled.addresses().volatility)(state.ctypes.data, 50_000.0, 1) == pytest.approx(5.0)
    position = np.zeros(1, POSITION)
    assert FILL(compiled.addresses().fill)(position.ctypes.data, -3, 100, 0.5) == 0
    assert (position["lots"][0], position["cash_ticklots"][0], position["fees_usd"][0]) == (-3, 300, 0.5)


def test_warm_up_compiles_nothing() -> None:
    before = compiled.compile_count()
    assert compiled.warm_up() == before == compiled.compile_count()


def test_a_twin_refuses_another_type_instead_of_compiling() -> None:
    before = compiled.compile_count()
    with pytest.raises(TypeError, match="No matching definition"):
        quote.quote(np.zeros(1, SETTINGS)[0], np.zeros(1, MODEL)[0], np.zeros(1, TARGET)[0])
    assert compiled.compile_count() == before


def test_a_strategy_is_compiled_counted_and_callable() -> None:
    def one_sided(market, model, target):  # type: ignore[no-untyped-def]
        code = quote.quote(market, model, target)
        target.ask_count = 0
        if market.now_ns < 0:
            raise ValueError("a strategy's mistake")
        return code

    before = compiled.compile_count()
    strategy = QUOTE(compiled.compile_strategy(one_sided))
    assert compiled.compile_count() > before
    _, model = resolved()
    market, target = one(selftest.example_market(60_000.0, 6.0, 0)), np.zeros(1, TARGET)
    assert strategy(market.ctypes.data, model.ctypes.data, target.ctypes.data) == 0
    assert (target["bid_count"][0], target["ask_count"][0]) == (4, 0)
    market["now_ns"] = -1
    assert strategy(market.ctypes.data, model.ctypes.data, target.ctypes.data) == -1
    assert (target["bid_count"][0], target["ask_count"][0]) == (0, 0)


def test_a_strategy_that_cannot_be_compiled_says_why() -> None:
    with pytest.raises(TypeError, match=r"strategy <lambda> does not compile.*no_such_member"):
        compiled.compile_strategy(lambda market, _model, _target: market.no_such_member)


def run(code: str, **environment: str) -> str:
    """Standard output of a fresh interpreter."""
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return found.stdout.strip()


def test_a_second_start_compiles_nothing() -> None:
    assert run("from kernels import compiled, selftest; print(compiled.warm_up())") == "0"


BOUNDS = """
import numpy as np
from kernels import ladder, quote, selftest
from kernels.records import MODEL, TARGET
failed = [check for check in selftest.run(short=True) if not check.passed]
model, target = np.zeros(1, MODEL)[0], np.zeros(1, TARGET)[0]
model["levels"] = 99
model["level_lots"] = 1
try:
    ladder.write_bids(target, model, 100, 1.0, 100)
    print("unchecked", end=" ")
except IndexError:
    print("checked", end=" ")
codes = [quote.quote(selftest.example_market(100.0, 1.0, n), model, target) for n in (-5, 0, 5)]
print(failed, codes)
"""


def test_kernels_stay_inside_their_arrays() -> None:
    assert run(BOUNDS, NUMBA_BOUNDSCHECK="1") == "checked [] [5, 5, 5]"
