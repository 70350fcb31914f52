"""A user's strategy: found, compiled, tried; run in the same core; refused in words when it is not sound."""

import importlib.util
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from engine.config import load
from engine.live import strategy
from kernels import compiled
from kernels.records import TARGET
from tests.engine.test_cli_run import check_clean, finished, quoter
from tests.shared import ROOT

HERE = "tests.engine.strategies"


@pytest.fixture(scope="module")
def config():  # type: ignore[no-untyped-def]
    return load().config


@pytest.mark.parametrize("name", [f"{HERE}:plain", "examples.custom_strategy:quote"])
def test_a_sound_strategy_is_taken(name: str, config) -> None:  # type: ignore[no-untyped-def]
    assert strategy.strategy_address(name, config) not in (0, compiled.addresses().quote)


def test_a_wrapped_strategy_gives_the_shipped_bytes(config) -> None:  # type: ignore[no-untyped-def]
    own = strategy.QUOTE(strategy.strategy_address(f"{HERE}:plain", config))
    shipped = strategy.QUOTE(compiled.addresses().quote)
    one, two = np.zeros(1, TARGET), np.zeros(1, TARGET)
    ladders = 0
    for model, market in islice(strategy.probes(config), 0, None, 3):
        codes = [f(market.ctypes.data, model.ctypes.data, t.ctypes.data) for f, t in ((own, one), (shipped, two))]
        assert codes[0] == codes[1]
        if codes[0] == 0:
            assert (one["bid_count"], one["ask_count"]) == (two["bid_count"], two["ask_count"])
            count = int(one["bid_count"][0])
            np.testing.assert_array_equal(one["bid_ticks"][0][:count], two["bid_ticks"][0][:count])
            ladders += 1
    assert ladders > 50


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crossing", "is not below the asks"),
        ("greedy", "exceed its capacity"),
        ("infinite", "not finite"),
        ("overflowing", "raises an exception"),
        ("meddling", "changes the records"),
        ("silent", "never quotes"),
        ("blind", "a quote without a fair price"),
        ("untyped", "does not compile"),
        ("number", "not a function"),
        ("absent", "cannot be imported: AttributeError"),
    ],
)
def test_an_unsound_strategy_is_refused_in_words(name: str, words: str, config) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(strategy.StrategyRefused, match=words):
        strategy.strategy_address(f"{HERE}:{name}", config)


@pytest.mark.parametrize("name", ["", "module", "module:", ":quote", "a:b:c", "a b:c", "../x:y"])
def test_a_name_that_is_none_is_refused(name: str, config) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(strategy.StrategyRefused, match="module:function"):
        strategy.strategy_address(name, config)


def test_absolute_settings_of_one_coin_are_tried_with_an_examples_on_others() -> None:
    absolute = load(ROOT / "examples" / "config.toml").config
    assert strategy.strategy_address(f"{HERE}:plain", absolute)


def test_it_quotes_on_the_local_exchange() -> None:
    name = "examples.custom_strategy:quote"
    status, out, err = finished(quoter("--network", "local", "--for", "3s", "--json", "--strategy", name))
    assert status == 0, err
    report = json.loads(out)
    check_clean(report)
    assert report["strategy"] == name


def test_an_unsound_one_sends_nothing() -> None:
    status, out, err = finished(quoter("--network", "local", "--for", "3s", "--strategy", f"{HERE}:crossing"))
    assert status == 2
    assert "is not below the asks" in err and not out


def test_the_example_is_short() -> None:
    path = Path(ROOT / "examples" / "custom_strategy.py")
    assert len(path.read_text("utf-8").splitlines()) <= 30
    assert importlib.util.find_spec("examples.custom_strategy") is not None
