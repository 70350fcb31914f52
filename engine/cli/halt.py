"""``quoter halt``: every running quoter cancels everything, says so, and stays halted; later starts too."""

import sys
from pathlib import Path
from typing import Any

import click

from engine.cli.exits import FAILED, TEXT
from engine.cli.options import print_json

NETWORKS = ("local", "test", "prod")


@click.command(epilog=TEXT)
@click.option("--network", type=click.Choice(NETWORKS), help="Only this network [default: every one].")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Seconds to wait.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(network: str | None, timeout: float, as_json: bool) -> None:
    """Halt: latch HALTED on disk, have every running quoter cancel all its orders, and verify that none is left.

    Works in every state: a quoter that is connecting sends nothing but cancels from now on; one that starts later
    starts halted, until `quoter resume`. Status 0 when no running quoter has an order left, proven by the venue.
    """
    from engine.live import latch
    from engine.live.control import running
    from engine.live.places import data_directory

    answers: list[dict[str, Any]] = []
    networks = NETWORKS if network is None else (network,)
    for name in networks:
        latch.write(data_directory(name), "operator")
    for name in networks:
        answers += [{"network": name, **_halted(path, timeout)} for path in running(data_directory(name))]
    clean = all(answer["orders_left"] == 0 and answer["mode"] == "HALTED" for answer in answers)
    if as_json:
        print_json({"ok": clean, "latched": list(networks), "quoters": answers})
    else:
        click.echo("\n".join([f"HALTED: {', '.join(networks)}; `quoter resume` ends it", *map(_line, answers)]))
        if not answers:
            click.echo("no quoter is running: the next one starts halted")
    if not clean:
        sys.exit(FAILED)


def _halted(path: Path, timeout_s: float) -> dict[str, Any]:
    from engine.live.control import ask

    pid = int(path.name.removeprefix("control-").removesuffix(".sock"))
    try:
        return ask(path, {"act": "halt", "proof_s": timeout_s / 2}, timeout_s)
    except (OSError, ValueError) as error:
        return {"pid": pid, "mode": None, "session": None, "orders_left": None, "error": f"no answer: {error}"}


def _line(answer: dict[str, Any]) -> str:
    start = f"{answer['network']}, process {answer['pid']}: "
    if answer["mode"] is None:
        return f"{start}{answer['error']}; kill -9 {answer['pid']} makes the venue cancel its orders"
    left = answer["orders_left"]
    if left == 0:
        return f"{start}{answer['mode']}, no order left, verified"
    if left is None:
        return f"{start}{answer['mode']}, not verified yet ({answer['session']}): ask again"
    return f"{start}{answer['mode']}, {left} ORDERS LEFT"
