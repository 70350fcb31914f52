"""The configuration: layers, views, every key by a table, all errors at once, no secret in any message."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import (
    BOT_CONFIG,
    CONNECTION_CONFIG,
    DEFAULT_VOLATILITY_CONFIG,
    MARKET_CONFIG,
    RISK_LIMITS,
    TRADING_CONFIG,
    load,
    load_process,
    views,
)
from engine.config_errors import ConfigRefused
from engine.config_schema import Config, Key, all_keys
from engine.config_source import Given, from_settings
from engine.core.plan import DIRECTED
from engine.live.plan import live_plan
from engine.plan_builder import core_plan

ROOT = Path(__file__).resolve().parents[2]
KEYS = all_keys()

# A valid value other than the default where type and bounds suggest none, with what must be given beside it.
OTHER: dict[str, tuple[Any, dict[str, Any]]] = {
    "market.underlying": ("ETH-PERPETUAL", {}),
    "market.instruments": (["ETH-PERPETUAL"], {}),
    "market.network": ("test", {}),
    "market.production": (True, {"market.network": "prod", "credentials.account": "A1"}),
    "market.label": ("mine", {}),
    "trading_strategy.execution.mode": ("orders", {}),
    "trading_strategy.avellaneda.size_multipliers": ([1.0, 2.0], {}),
    "trading_strategy.avellaneda.time_horizon": (60.0, {}),
    "trading_strategy.avellaneda.max_spread": (40.0, {}),
    "trading_strategy.avellaneda.size_usd": (2000.0, {}),
    "trading_strategy.avellaneda.hold_within_usd": (9000.0, {}),
    "credentials.account": ("A1", {"market.network": "test"}),
    "credentials.key_id": ("K1", {"credentials.key_file": "key.pem"}),
    "credentials.key_file": ("key.pem", {"credentials.key_id": "K1"}),
    "credentials.key_env": ("THALEX_KEY", {"credentials.key_id": "K1"}),
    "credentials.keys_py": ("keys.py", {}),
    "credentials.supervisor_key_id": ("K2", {"credentials.supervisor_key_file": "watch.pem"}),
    "credentials.supervisor_key_file": ("watch.pem", {"credentials.supervisor_key_id": "K2"}),
    "log.file": ("quoter.log", {}),
    "log.level": ("debug", {}),
    "journal.directory": ("runs", {}),
    "risk.foreign_trades": ("reduce", {}),
    "trading_strategy.signals.confidence": (0.9, {}),
}


def problems(**given: Any) -> str:
    with pytest.raises(ConfigRefused) as refused:
        load(**given)
    return str(refused.value)


def flags(**values: Any) -> list[Given]:
    return [Given(path, value, "test") for path, value in values.items()]


def with_values(values: dict[str, Any]) -> Config:
    return load(flags=flags(**values)).config


def fingerprint(config: Config) -> str:
    plan = core_plan(config)
    arrays = {name: plan.__getattribute__(name).tobytes().hex() for name in ("settings", "volatility")}
    rest = {name: plan.__getattribute__(name) for name in plan.__slots__ if name not in arrays}
    return repr((arrays, rest, live_plan(config), config.market.production))


def other_value(leaf: Key) -> tuple[Any, dict[str, Any]]:
    if leaf.path in OTHER:
        return OTHER[leaf.path]
    if isinstance(leaf.default, bool):
        return not leaf.default, {}
    if isinstance(leaf.default, int):
        return leaf.default + 1, {}
    if isinstance(leaf.default, float):
        return leaf.default * 1.01 + (leaf.default == 0) * 0.01, {}
    return (3 if "digits" in leaf.unit else 7.0), {}


def test_the_reference_paths_work_in_the_views() -> None:
    assert TRADING_CONFIG["volatility"]["floor"] == DEFAULT_VOLATILITY_CONFIG["floor"] == 0.1
    assert {"gamma", "kappa", "time_horizon"} <= set(TRADING_CONFIG["avellaneda"])
    assert RISK_LIMITS["max_drawdown"] == BOT_CONFIG["risk"]["max_drawdown"]
    assert MARKET_CONFIG["label"] == "as"
    assert CONNECTION_CONFIG["rate_limit"] == 180
    with pytest.raises(TypeError):
        TRADING_CONFIG["avellaneda"]["gamma"] = 1.0  # type: ignore[index]


def test_the_reference_table_is_accepted_as_it_stands() -> None:
    loaded = load(ROOT / "examples" / "config.toml")
    seen = views(loaded.config)
    assert seen.trading["avellaneda"]["gamma"] == 0.1
    assert seen.trading["volatility"]["ceiling"] == 0.18
    assert seen.risk["max_position"] == 20
    assert seen.trading["avellaneda"]["size_multipliers"] == (1, 1.3, 1.8, 2.2, 2.8)
    assert loaded.sources["risk.max_position"].endswith("config.toml")
    settings = core_plan(loaded.config).settings[0]
    assert (settings["gamma"], settings["kappa"], settings["horizon_s"]) == (0.1, 1.5, 1.0)
    assert (settings["max_spread_ticks"], settings["base_size"], settings["levels"]) == (20, 0.3, 4)


def test_the_example_gives_every_key_of_the_reference_table() -> None:
    """The table's rows, as names; what is missing in the example would be accepted by nobody's test."""
    given = set(load(ROOT / "examples" / "config.toml").sources)
    sections = ("trading_strategy.", "volatility.", "risk.", "trading_fees.")
    ours = {
        "risk", "kappa_per_bp", "min_spread_bps", "max_spread_bps", "min_edge_bps", "volatility_multiple",
        "touch_multiple", "size_usd", "level_spacing_bps", "threshold_usd", "mode", "requote_ticks", "requote_bps",
        "trade_multiple",
        "quote_multiple", "data_stale", "min_interval_ms", "max_position_usd", "max_order_usd", "collar_bps",
        "hold_within", "hold_within_usd", "hold_share",
            "position_fade_halves", "size_volatility",
    }  # fmt: skip
    ours |= {f"{name}_bps" for name in DIRECTED}
    table = {path for path in KEYS if path.startswith(sections) and path.rpartition(".")[2] not in ours}
    assert table <= given


def test_layers_rise_in_priority(tmp_path: Path) -> None:
    toml, env = tmp_path / "c.toml", tmp_path / ".env"
    toml.write_text("[risk]\nmax_position = 1\nmax_notional = 70000\ncollar_bps = 200\n[volatility]\nfloor = 0.2\n")
    env.write_text("export QUOTER_RISK__MAX_NOTIONAL=80000\nQUOTER_RISK__COLLAR_BPS=210 # wide\nTHALEX_OTHER=x\n")
    environment = {"QUOTER_RISK__COLLAR_BPS": "220", "PATH": "/bin", "QUOTER_DEBUG": "1"}
    loaded = load(toml, environment, env, from_settings(["volatility.floor=0.3"]))
    risk = loaded.config.risk
    assert (risk.max_position, risk.max_notional, risk.collar_bps, loaded.config.volatility.floor) == (
        1,
        80000,
        220,
        0.3,
    )
    assert loaded.sources["volatility.floor"] == "--set"
    assert loaded.sources["risk.collar_bps"] == "environment QUOTER_RISK__COLLAR_BPS"
    assert loaded.sources["risk.max_notional"].startswith(str(env))


def test_the_process_layers_read_environment_and_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("QUOTER_"):
            monkeypatch.delenv(name)
    (tmp_path / ".env").write_text("QUOTER_MARKET__LABEL=fromenv\n")
    (tmp_path / "c.toml").write_text("[market]\nlabel = 'toml'\n[log]\nlevel = 'error'\n")
    monkeypatch.setenv("QUOTER_CONFIG", str(tmp_path / "c.toml"))
    config = load_process().config
    assert (config.market.label, config.log.level) == ("fromenv", "error")


def test_the_volatility_table_has_one_home_and_two_aliases(tmp_path: Path) -> None:
    for alias in ("volatility_config", "trading_strategy.volatility"):
        toml = tmp_path / "c.toml"
        toml.write_text(f"[{alias}]\nfloor = 0.05\n")
        assert load(toml).config.volatility.floor == 0.05
    toml.write_text("[volatility_config]\nfloor = 0.05\n[volatility]\nfloor = 0.06\n")
    assert "also given as" in problems(toml=toml)


def test_every_problem_of_every_layer_is_reported_at_once(tmp_path: Path) -> None:
    toml = tmp_path / "c.toml"
    toml.write_text("[risk]\nmax_positon = 2\ncollar_bps = 5\n[volatility]\nwindow = 1\n")
    text = problems(
        toml=toml,
        environment={"QUOTER_RISK_MAX_POSITION": "1", "QUOTER_MARKET__NETWORK": "moon"},
        flags=from_settings(["trading_strategy.avellaneda.gamma=-1"]),
    )
    assert "risk.max_positon = 2: unknown key (did you mean risk.max_position" in text
    assert "volatility.window = 1:" in text
    assert ">= 5, <= 256 [samples]" in text
    assert "QUOTER_RISK_MAX_POSITION" in text
    assert "market.network = 'moon'" in text
    assert "local, test, prod" in text
    assert "trading_strategy.avellaneda.gamma = -1" in text
    assert "risk.collar_bps = 5.0: the last level may stand 34 bps" in text
    assert text.startswith("configuration refused, 6 problems:")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[risk]\nmax_position = 1\nmax_position = 2\n", "not valid TOML"),
        (b"[risk\n", "not valid TOML"),
        (b"[risk]\nmax_position = 'a\xff'\n", "not UTF-8"),
        (b"#" * (1 << 20) + b"##", "at most 1048576 are read"),
        (b"risk = 3\n", "this is a table"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path: Path, content: bytes, why: str) -> None:
    toml = tmp_path / "c.toml"
    toml.write_bytes(content)
    assert why in problems(toml=toml)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in problems(toml=tmp_path / "none.toml")
    assert "is a directory" in problems(toml=tmp_path)
    (tmp_path / "real.toml").write_text("")
    (tmp_path / "link.toml").symlink_to(tmp_path / "real.toml")
    assert "is a symbolic link" in problems(toml=tmp_path / "link.toml")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in problems(toml=tmp_path / "pipe")


def test_a_byte_order_mark_and_crlf_are_taken(tmp_path: Path) -> None:
    toml = tmp_path / "c.toml"
    toml.write_bytes(b"\xef\xbb\xbf[risk]\r\nmax_position = 3\r\n")
    assert load(toml).config.risk.max_position == 3


def test_bad_env_lines_and_settings_are_refused(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("A=1\nnonsense\nA=2\n")
    text = problems(env_file=env)
    assert ":2: not a NAME=value line" in text
    assert "A is given twice" in text
    with pytest.raises(ConfigRefused, match="has no value"):
        from_settings(["risk.max_position"])


PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAcanary0123456789\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJSUzUxMiJ9canary.eyJpYXQiOjE3MDAwMDAwMDB9canary.c2lnbmF0dXJlLWNhbmFyeQ"


def test_a_pasted_key_is_refused_and_never_shown(tmp_path: Path) -> None:
    toml = tmp_path / "c.toml"
    toml.write_text(f'[credentials]\nkey_file = """{PEM}"""\nprivate_key = """{PEM}"""\ntoken = "{JWT}"\n')
    text = problems(toml=toml, environment={"QUOTER_CREDENTIALS__KEY_ENV": PEM})
    assert "a private key must not stand in the configuration" in text
    assert "anary" not in text
    assert "MIIE" not in text


@pytest.mark.parametrize("leaf", KEYS.values(), ids=lambda leaf: leaf.path)
def test_every_key_changes_what_the_program_is_told(leaf: Key) -> None:
    value, beside = other_value(leaf)
    changed = with_values({**beside, leaf.path: value})
    if leaf.path in {"market.production", "credentials.key_id"}:
        assert changed != Config()  # an opt-in, and a name that goes with the key: they decide whether, not what
        return
    assert fingerprint(changed) != fingerprint(with_values(beside) if "credentials" not in str(beside) else Config())


@pytest.mark.parametrize("leaf", KEYS.values(), ids=lambda leaf: leaf.path)
def test_every_key_has_unit_help_and_range_and_refuses_wrong_types(leaf: Key) -> None:
    assert leaf.unit
    assert len(leaf.text) > 10
    assert leaf.allowed
    text = problems(flags=flags(**{leaf.path: {"a": 1}}))
    assert leaf.path in text
    wrong = "1e3" if isinstance(leaf.default, int | float) else 1e3
    if leaf.default is None:
        wrong = [[]]  # type: ignore[assignment]
    text = problems(flags=flags(**{leaf.path: wrong}))
    assert text.count("\n") == 1
    assert f"{leaf.path} = " in text
    assert "allowed: " in text


NUMBERS = [leaf for leaf in KEYS.values() if "number" in leaf.allowed and "digits" not in leaf.unit]


@pytest.mark.parametrize("leaf", NUMBERS, ids=lambda leaf: leaf.path)
def test_every_number_refuses_what_is_out_of_bounds(leaf: Key) -> None:
    bounds = [part.strip() for part in leaf.allowed.replace("a whole number", "").replace("a number", "").split(",")]
    outside: list[Any] = [math.nan]
    for bound in bounds:
        sign, _, number = bound.partition(" ")
        step = -1 if sign.startswith(">") else 1
        outside.append(float(number) if sign in (">", "<") else float(number) + step)
    if leaf.path != "trading_strategy.avellaneda.time_horizon":
        outside += [math.inf, -math.inf]
    for value in outside:
        whole = int(value) if "whole" in leaf.allowed and math.isfinite(value) else value
        assert leaf.path in problems(flags=flags(**{leaf.path: whole}))
    assert leaf.path in problems(flags=flags(**{leaf.path: True}))


HOLD = "trading_strategy.avellaneda.hold_within_usd"
CONTRADICTIONS: list[tuple[str, dict[str, Any]]] = [
    ("calibration.interval", {"trading_strategy.calibration.memory": 100.0}),
    ("risk.max_position =", {"risk.max_position": 0.1, "trading_strategy.avellaneda.base_size": 0.3}),
    ("risk.max_position_usd", {"risk.max_position_usd": 1000.0}),
    ("risk.max_notional", {"risk.max_notional": 1000.0}),
    ("risk.max_order_usd", {"risk.max_order_usd": 4000.0}),
    ("risk.collar_bps", {"risk.collar_bps": 20.0}),
    ("risk.max_fills", {"risk.max_fills": 4, "trading_strategy.avellaneda.max_levels": 4}),
    (
        "avellaneda.min_spread =",
        {"trading_strategy.avellaneda.min_spread": 49.0, "trading_strategy.avellaneda.max_spread": 48.0},
    ),
    ("min_spread_bps", {"trading_strategy.avellaneda.min_spread_bps": 61.0}),
    ("execution.min_size", {"trading_strategy.execution.min_size": 2.0, "trading_strategy.execution.max_size": 1.0}),
    (
        "avellaneda.base_size",
        {"trading_strategy.avellaneda.base_size": 2.0, "trading_strategy.execution.max_size": 1.0},
    ),
    ("inventory_target", {"trading_strategy.avellaneda.inventory_target": 2.0, "risk.max_position": 1.0}),
    (HOLD, {HOLD: 9000.0, "trading_strategy.avellaneda.gamma": 0.1}),
    (HOLD, {HOLD: 9000.0, "trading_strategy.avellaneda.time_horizon": 60.0}),
    (HOLD, {HOLD: 9000.0, "trading_strategy.avellaneda.inventory_weight": 0.0}),
    (HOLD, {HOLD: 2000.0}),
    (HOLD, {HOLD: 45_000.0}),
    ("hold_within", {"trading_strategy.avellaneda.hold_within": 1.0, "risk.max_position": 1.0}),
    ("requote_bps", {"trading_strategy.execution.requote_bps": 4.0}),
    ("volatility.floor", {"volatility.floor": 6.0}),
    ("volatility.default", {"volatility.default": 0.05}),
    ("volatility.min_samples", {"volatility.min_samples": 80}),
    ("min_interval", {"trading_strategy.quote_timing.min_interval": 40.0}),
    ("pull_at", {"trading_strategy.signals.pull_at": 2.0}),
    ("aggressive_window", {"trading_strategy.vamp.aggressive_window": 51}),
    ("market.network", {"market.network": "prod", "credentials.account": "A1"}),
    ("credentials.account", {"market.network": "prod", "market.production": True}),
    ("market.production", {"market.production": True}),
    ("market.instruments", {"market.instruments": ["ETH-PERPETUAL"], "market.underlying": "BTCUSD"}),
    ("market.instruments", {"market.instruments": ["ETH-PERPETUAL", "ETH-PERPETUAL"]}),
    ("credentials.key_file", {"credentials.key_file": "a", "credentials.keys_py": "b"}),
    ("credentials.key_id", {"credentials.key_file": "a"}),
    ("credentials.supervisor_key_id", {"credentials.supervisor_key_file": "a"}),
    ("credentials.supervisor_key_file", {"credentials.supervisor_key_id": "K2"}),
    (
        "credentials.supervisor_key_id",
        {
            "credentials.key_file": "a",
            "credentials.key_id": "K1",
            "credentials.supervisor_key_file": "b",
            "credentials.supervisor_key_id": "K1",
        },
    ),
]


@pytest.mark.parametrize(
    ("named", "values"), CONTRADICTIONS, ids=[f"{n}{i}" for i, (n, _) in enumerate(CONTRADICTIONS)]
)
def test_contradictory_limits_are_refused(named: str, values: dict[str, Any]) -> None:
    text = problems(flags=flags(**values))
    assert text.startswith("configuration refused, 1 problem:")
    assert named in text.splitlines()[1]


def test_production_opens_with_both_opt_ins_and_the_account() -> None:
    config = with_values({"market.network": "prod", "market.production": True, "credentials.account": "A1"})
    assert core_plan(config).environment == "production"
    assert core_plan(config).account == "A1"


def test_infinity_is_a_horizon() -> None:
    assert math.isinf(
        load(
            flags=from_settings(["trading_strategy.avellaneda.time_horizon=inf"])
        ).config.trading_strategy.avellaneda.time_horizon
    )


def test_the_records_are_complete() -> None:
    plan = core_plan(Config())
    assert plan.settings.shape == plan.volatility.shape == (1,)
    assert not np.isnan(plan.settings["size_multipliers"]).any()
