"""The configuration as the program uses it: loaded in layers, validated whole, frozen.

Layers of rising priority: defaults, TOML file, ``.env``, environment, flags. Every problem of every layer is reported
at once (``ConfigRefused``). ``BOT_CONFIG`` and its sisters are read-only mappings of the defaults; ``views`` gives the
same five of any configuration.
"""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from engine.config_checks import contradictions
from engine.config_errors import SECRET, ConfigRefused, Problem, looks_secret, shown
from engine.config_schema import ALIASES, Config, Key, all_keys
from engine.config_source import Given, from_environment, from_toml, parse_env_file, read_text

View = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, and for every key that was given the layer it came from."""

    config: Config
    sources: Mapping[str, str]
    given: tuple[Given, ...] = ()
    """Every value that was given, each key once."""


def load(
    toml: Path | None = None,
    environment: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    flags: Iterable[Given] = (),
) -> Loaded:
    """Load and validate all layers.

    ``environment`` is the process environment (None: none), ``env_file`` a ``.env`` that may be missing, ``flags``
    what the command line gave. Raises ``ConfigRefused`` with every problem found.
    """
    problems: list[Problem] = []
    layers: list[list[Given]] = []
    readers: tuple[Callable[[], list[Given]], ...] = (
        lambda: from_toml(toml) if toml is not None else [],
        lambda: from_environment(_env_file(env_file), str(env_file)),
        lambda: from_environment(environment or {}, "environment"),
        lambda: list(flags),
    )
    for read in readers:
        try:
            layers.append(read())
        except ConfigRefused as refused:
            problems += refused.problems
    loaded, more = _validate(layers)
    problems += more
    if problems:
        raise ConfigRefused(problems)
    return loaded


def changed(loaded: Loaded, given: Iterable[Given]) -> Loaded:
    """The same configuration with one more layer on top, validated whole. Raises ``ConfigRefused``."""
    result, problems = _validate([loaded.given, list(given)])
    if problems:
        raise ConfigRefused(problems)
    return result


def load_process(config_file: Path | None = None, flags: Iterable[Given] = ()) -> Loaded:
    """The configuration of this process: ``config_file`` or QUOTER_CONFIG, ``./.env``, environment, flags."""
    named = os.environ.get("QUOTER_CONFIG")
    return load(config_file or (Path(named) if named else None), os.environ, Path(".env"), flags)


def _env_file(path: Path | None) -> dict[str, str]:
    if path is None or not os.path.lexists(path):
        return {}
    return parse_env_file(read_text(path, "the .env file"), str(path))


def _validate(layers: Sequence[Sequence[Given]]) -> tuple[Loaded, list[Problem]]:
    """Merge the layers, check every value by itself, then the values against each other."""
    keys = all_keys()
    problems: list[Problem] = []
    merged: dict[str, Given] = {}
    for layer in layers:
        seen: dict[str, str] = {}
        for given in layer:
            path = _canonical(given.path)
            problem = _refusal(path, given, keys)
            if problem is None and path in seen:
                problem = Problem(given.path, f"also given as {seen[path]}", shown(given.value), source=given.source)
            if problem is not None:
                problems.append(problem)
            else:
                seen[path] = given.path
                merged[path] = given
    bad = _invalid(merged, keys)
    problems += bad.values()
    config = Config.model_validate(_tree({path: given.value for path, given in merged.items() if path not in bad}))
    for problem in contradictions(config):
        if not bad.keys() & {problem.path, *problem.others}:
            problems.append(problem)
    sources = MappingProxyType({path: given.source for path, given in merged.items()})
    values = tuple(Given(path, given.value, given.source) for path, given in merged.items())
    return Loaded(config, sources, values), problems


def _canonical(path: str) -> str:
    for alias, home in ALIASES.items():
        if path.startswith(alias + "."):
            return home + path[len(alias) :]
    return path


def _refusal(path: str, given: Given, keys: Mapping[str, Key]) -> Problem | None:
    """A key that does not exist, a table that is none, or a secret in the open."""
    if looks_secret(given.value) and "-----BEGIN" in str(given.value):
        remedy = "give credentials.key_file a path, or credentials.key_env the name of a variable"
        return Problem(
            path, "a private key must not stand in the configuration", SECRET, remedy=remedy, source=given.source
        )
    if path in keys:
        return None
    if any(name.startswith(path + ".") for name in keys):
        if given.value == {}:
            return None
        return Problem(path, "this is a table", shown(given.value), remedy="give its keys", source=given.source)
    near = difflib.get_close_matches(path, keys, n=3, cutoff=0.6)
    leaf = path.rpartition(".")[2]
    near += [name for name in keys if name.rpartition(".")[2] == leaf and name not in near]
    remedy = f"did you mean {', '.join(near[:3])}?" if near else "`quoter check` lists every key"
    return Problem(path, "unknown key", shown(given.value), remedy=remedy, source=given.source)


def _invalid(merged: Mapping[str, Given], keys: Mapping[str, Key]) -> dict[str, Problem]:
    """Problems of single values, by path."""
    try:
        Config.model_validate(_tree({path: given.value for path, given in merged.items()}))
    except ValidationError as refused:
        found: dict[str, Problem] = {}
        for error in refused.errors(include_url=False, include_input=False, include_context=False):
            parts = [str(part) for part in error["loc"]]
            path = next(name for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in keys)
            given, schema = merged[path], keys[path]
            why = error["msg"][0].lower() + error["msg"][1:]
            unit = f" [{schema.unit}]" if schema.unit else ""
            remedy = f"the default is {shown(schema.default)}" if schema.default is not None else ""
            found.setdefault(path, Problem(path, why, shown(given.value), schema.allowed + unit, remedy, given.source))
        return found
    return {}


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        if value == {}:
            continue
        *tables, leaf = path.split(".")
        node = tree
        for name in tables:
            node = node.setdefault(name, {})
        node[leaf] = value
    return tree


@dataclass(frozen=True, slots=True)
class Views:
    """The five read-only mappings under the names of the reference configuration."""

    bot: View
    trading: View
    risk: View
    market: View
    connection: View


def views(config: Config) -> Views:
    """Read-only mappings of ``config``; ``trading`` is the strategy's tables and ``volatility`` beside them."""
    tree = config.model_dump(exclude={"credentials"})
    tree["volatility_config"] = tree["volatility"]
    trading = {**tree["trading_strategy"], "volatility": tree["volatility"], "trading_fees": tree["trading_fees"]}
    return Views(*(_frozen(part) for part in (tree, trading, tree["risk"], tree["market"], tree["connection"])))


def _frozen(tree: Mapping[str, Any]) -> View:
    return MappingProxyType(
        {name: _frozen(value) if isinstance(value, dict) else value for name, value in tree.items()}
    )


_DEFAULTS = views(Config())
BOT_CONFIG: View = _DEFAULTS.bot
TRADING_CONFIG: View = _DEFAULTS.trading
RISK_LIMITS: View = _DEFAULTS.risk
MARKET_CONFIG: View = _DEFAULTS.market
CONNECTION_CONFIG: View = _DEFAULTS.connection
DEFAULT_VOLATILITY_CONFIG: View = _DEFAULTS.bot["volatility"]
