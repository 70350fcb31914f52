"""The proof before a connection: passes on the kernels that trade, and notices each of them when it is wrong."""

import ctypes
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kernels import kept, proof
from kernels.addresses import FILL, QUOTE, RESOLVE, VOLATILITY, Addresses


def failed(addresses: Addresses) -> list[str]:
    return [check.name for check in proof.run(addresses) if not check.passed]


def test_the_kernels_that_trade_pass() -> None:
    assert failed(kept.addresses()) == []
    assert len(proof.run(kept.addresses())) > 20


def wrong(right: Addresses, name: str) -> Callable[..., Any]:
    """The kernel with one small fault."""
    resolve, quote, volatility, fill = (
        RESOLVE(right.resolve),
        QUOTE(right.quote),
        VOLATILITY(right.volatility),
        FILL(right.fill),
    )

    def dearer_risk(settings: int, price_usd: float, model: int) -> int:
        return int(resolve(settings, price_usd * 1.001, model))

    def one_more(market: int, model: int, target: int) -> int:
        code = quote(market, model, target)
        bid_count = ctypes.c_int64.from_address(target + 8 * 4)
        bid_count.value = min(4, bid_count.value + 1)
        return int(code)

    def wider(state: int, price_usd: float, t_ns: int) -> float:
        return float(volatility(state, price_usd, t_ns)) * math.sqrt(1.3)

    def forgetful(position: int, lots: int, ticks: int, fee_usd: float) -> int:
        return int(fill(position, lots, ticks + (lots == 7), fee_usd))

    return {"resolve": dearer_risk, "quote": one_more, "volatility": wider, "fill": forgetful}[name]


TYPES = {"resolve": RESOLVE, "quote": QUOTE, "volatility": VOLATILITY, "fill": FILL}


@pytest.mark.parametrize("name", TYPES)
def test_a_wrong_kernel_is_noticed(name: str) -> None:
    right = kept.addresses()
    callback: Any = TYPES[name](wrong(right, name))
    address = ctypes.cast(callback, ctypes.c_void_p).value
    assert address is not None
    changed = replace(right, **{name: address})
    assert failed(changed)
    assert name == "quote" or proof.answers(changed) != proof.answers(right)


def test_the_stream_is_uniform_and_its_own() -> None:
    numbers = proof.uniforms(5, 20_000)
    assert numbers.min() >= 0.0 and numbers.max() < 1.0
    assert numbers.mean() == pytest.approx(0.5, abs=0.01)
    assert (numbers[:5] != proof.uniforms(6, 5)).all()
