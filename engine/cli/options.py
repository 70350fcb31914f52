"""Options that commands share: where the configuration comes from, and short flags for common keys."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from engine.cli.exits import REFUSED
from engine.config import Loaded, load_process
from engine.config_errors import ConfigRefused, Problem
from engine.config_schema import all_keys
from engine.config_source import Given, from_settings, value_of

Command = TypeVar("Command", bound=Callable[..., Any])

BAR_STEPS = 1000

SHORT: dict[str, str] = {
    "network": "market.network",
    "instruments": "market.instruments",
    "label": "market.label",
    "mode": "trading_strategy.execution.mode",
    "gamma": "trading_strategy.avellaneda.gamma",
    "kappa": "trading_strategy.avellaneda.kappa",
    "levels": "trading_strategy.avellaneda.max_levels",
    "size": "trading_strategy.avellaneda.base_size",
    "max_position": "risk.max_position",
    "log": "log.file",
    "journal": "journal.directory",
}
"""Short flags and the keys they set."""


def _help(path: str) -> str:
    leaf = all_keys()[path]
    default = "not given" if leaf.default is None else leaf.default
    return f"{leaf.text} [{leaf.unit}; default {default}; key {path}]"


def configuration(command: Command) -> Command:
    """Add ``--config``, ``--set`` and the short flags to a command; ``loaded`` turns them into a configuration."""
    for name, path in reversed(SHORT.items()):
        flag = "--" + name.replace("_", "-")
        command = click.option(flag, f"short_{name}", metavar=all_keys()[path].unit.upper(), help=_help(path))(command)
    command = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="PATH=VALUE",
        help="Set any key: risk.max_notional=50000; repeatable.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="TOML file; else QUOTER_CONFIG names it.",
    )(command)


def loaded(options: dict[str, Any], as_json: bool) -> Loaded:
    """The configuration of the flags of ``configuration``; ends the process with status 2 when it is refused."""
    try:
        return load_process(options["config_file"], flags(options))
    except ConfigRefused as refused:
        refuse(refused.problems, as_json)


def flags(options: dict[str, Any]) -> list[Given]:
    """What the command line gives, short flags last. Raises ``ConfigRefused`` for malformed ``--set`` texts."""
    given = from_settings(options["settings"])
    for name, path in SHORT.items():
        if (text := options[f"short_{name}"]) is not None:
            given = [value for value in given if value.path != path]
            given.append(Given(path, _typed(path, text), "--" + name.replace("_", "-")))
    return given


def _typed(path: str, text: str) -> Any:
    """Texts stay texts where the key holds one (a label may be ``7``)."""
    return value_of(text) if "number" in all_keys()[path].allowed else text


def refuse(problems: Sequence[Problem], as_json: bool) -> NoReturn:
    """Print every problem and end the process with status 2."""
    if as_json:
        print_json({"ok": False, "problems": [problem.as_dict() for problem in problems]})
    else:
        click.echo(str(ConfigRefused(problems)), err=True)
    sys.exit(REFUSED)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error; what it yields takes the share that is done."""
    done = 0
    with click.progressbar(length=BAR_STEPS, label=label, file=sys.stderr) as bar:

        def progress(share: float) -> None:
            nonlocal done
            bar.update(int(share * BAR_STEPS) - done)
            done = int(share * BAR_STEPS)

        yield progress


def print_json(value: Any) -> None:
    """One JSON object on one line of standard output; not-a-number and infinity become null."""
    click.echo(json.dumps(finite(value), allow_nan=False))


def finite(value: Any) -> Any:
    """The same value with every non-finite float as None."""
    if isinstance(value, dict):
        return {str(name): finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and (not isfinite(value)):
        return None
    return value
