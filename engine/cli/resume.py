"""``quoter resume``: take HALTED off a network, after its account was typed."""

import sys
from typing import Any, NoReturn

import click

from engine.cli.exits import FAILED, REFUSED, TEXT
from engine.cli.options import configuration, loaded, print_json


@click.command(epilog=TEXT)
@configuration
@click.option("--account", "typed", metavar="NAME", help="The account, typed; asked for when not given.")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Seconds to wait.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(typed: str | None, timeout: float, as_json: bool, **options: Any) -> None:
    """Resume quoting on the network of the configuration (`--network local|test|prod`).

    The account number must be typed (the word `local` on a local exchange, the network's name where the configuration
    has no account). Refused, with the rule that fails, while the cause of a running quoter's halt persists.
    """
    from engine.live import latch
    from engine.live.control import running
    from engine.live.plan import live_plan

    plan = live_plan(loaded(options, as_json).config)
    latched = latch.read(plan.data)
    paths = running(plan.data)
    if latched is None and not paths:
        _done({"ok": True, "network": plan.network, "quoters": []}, f"{plan.network}: not halted", as_json)
        return
    if typed is None:
        if as_json:
            _refused("give --account NAME", REFUSED, as_json)
        click.echo(f"{plan.network} is HALTED: {latched.reason if latched else 'by the quoter itself'}", err=True)
        typed = click.prompt(f"type {plan.name!r} to resume", err=True)
    if typed != plan.name:
        _refused(f"{typed!r} is not the account of {plan.network}: still HALTED", REFUSED, as_json)
    answers = [_resumed(path, typed, timeout) for path in paths]
    errors = [str(answer["error"]) for answer in answers if answer["error"]]
    if errors:
        _refused(f"{'; '.join(errors)}: still HALTED", FAILED, as_json)
    latch.clear(plan.data)
    told = {"ok": True, "network": plan.network, "quoters": answers}
    _done(told, f"{plan.network}: resumed, {len(answers)} running", as_json)


def _resumed(path: Any, name: str, timeout_s: float) -> dict[str, Any]:
    from engine.live.control import ask

    try:
        return ask(path, {"act": "resume", "name": name}, timeout_s)
    except (OSError, ValueError) as error:
        return {"error": f"{path.name} does not answer: {error}"}


def _done(told: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        click.echo(text)


def _refused(why: str, status: int, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"ok": False, "error": why})
    else:
        click.echo(why, err=True)
    sys.exit(status)
