"""``quoter set``: change keys of a running quoter; the whole new configuration is validated, then taken or refused."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from engine.cli.exits import FAILED, REFUSED, TEXT
from engine.cli.halt import NETWORKS
from engine.cli.options import print_json


@click.command(epilog=TEXT)
@click.argument("settings", nargs=-1, required=True, metavar="PATH=VALUE...")
@click.option("--network", type=click.Choice(NETWORKS), help="The quoter of this network [default: the only one].")
@click.option("--pid", type=int, help="The quoter of this process id [default: the only one].")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Seconds to wait.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(settings: tuple[str, ...], network: str | None, pid: int | None, timeout: float, as_json: bool) -> None:
    """Change keys of a running quoter: model, sizes, spreads, timings, limits.

    Everything is checked as at the start, all problems are shown at once, and on any of them nothing changes. Keys that
    need a restart are refused by name. Orders beyond smaller limits are cancelled at once. The change lasts until the
    quoter ends or reads its configuration again (SIGHUP).
    """
    from engine.live.control import ask, running
    from engine.live.places import data_directory

    networks = NETWORKS if network is None else (network,)
    found = [path for name in networks for path in running(data_directory(name))]
    if pid is not None:
        found = [path for path in found if _pid(path) == pid]
    if len(found) != 1:
        which = ", ".join(str(_pid(path)) for path in found) or "none"
        _refused(f"one running quoter is meant; found: {which}: give --network or --pid", FAILED, as_json)
    try:
        answer = ask(found[0], {"act": "set", "settings": list(settings)}, timeout)
    except (OSError, ValueError) as error:
        _refused(f"process {_pid(found[0])} does not answer: {error}", FAILED, as_json)
    if answer["error"]:
        _refused(answer["error"], REFUSED, as_json, problems=answer.get("problems", []))
    if as_json:
        print_json({"ok": True, **answer})
        return
    lines = [f"{path}: {old} -> {new}" for path, old, new in answer["changes"]] or ["nothing changed"]
    config = answer["config"]
    click.echo("\n".join([*lines, f"configuration {config['version']} ({config['sha256'][:12]}), {answer['mode']}"]))


def _pid(path: Path) -> int:
    return int(path.name.removeprefix("control-").removesuffix(".sock"))


def _refused(why: str, status: int, as_json: bool, **fields: Any) -> NoReturn:
    if as_json:
        print_json({"ok": False, "error": why, **fields})
    else:
        click.echo(why, err=True)
    sys.exit(status)
