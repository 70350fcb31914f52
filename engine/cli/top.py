"""``quoter top``: the running quoters of this machine, from another terminal, without costing them anything."""

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from engine.cli.exits import OK, TEXT, UNREACHABLE
from engine.cli.options import print_json

if TYPE_CHECKING:
    from engine.live.top import Seen

FIRST_S_MAX = 2.0
CLEAR = "\x1b[H\x1b[J"


@click.command(epilog=TEXT)
@click.option("--latency", is_flag=True, help="The waterfall: where each tick's time goes, answers, slow reads.")
@click.option("--once", is_flag=True, help="Show it once and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, once: everything; times in ns.")
@click.option("--pid", type=click.IntRange(min=1), help="Only this process.")
@click.option(
    "--interval", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Seconds between looks."
)
def command(latency: bool, once: bool, as_json: bool, pid: int | None, interval: float) -> None:
    """Show the quoters that run as this user: mode, quotes and why, position, profit; until they end or Ctrl-C.

    Everything is read from shared memory: a quoter neither waits for this nor notices it. Status 3 when none runs.
    """
    from engine.live.board import running
    from engine.live.top import Seen

    found = []
    for name in running():
        try:
            found.append(Seen(name))
        except (FileNotFoundError, ValueError):
            continue  # it ended between two looks
    found = [one for one in found if pid is None or one.pid == pid]
    if not found:
        if as_json:
            print_json({"ok": False, "quoters": []})
        else:
            click.echo("no quoter runs" if pid is None else f"process {pid} is no running quoter", err=True)
        sys.exit(UNREACHABLE)
    if as_json:
        looks = _looks(found)
        print_json({"ok": bool(looks), "quoters": looks})
        sys.exit(OK if looks else UNREACHABLE)
    _show(found, latency, once, interval)


def _looks(found: "list[Seen]") -> list[dict[str, Any]]:
    """What each shows; a quoter that has just begun gets a moment to show something."""
    from engine.live.clock import ahead_ns, now_ns

    deadline_s = time.monotonic() + FIRST_S_MAX
    while True:
        looks = [look for one in found if (look := one.look(now_ns(), ahead_ns())) is not None]
        if len(looks) == len(found) or time.monotonic() > deadline_s:
            return looks
        time.sleep(0.05)


def _show(found: "list[Seen]", latency: bool, once: bool, interval_s: float) -> None:
    from engine.live.clock import now_ns
    from engine.live.top import head, instruments, waterfall

    terminal = sys.stdout.isatty() and not once
    while found:
        texts = []
        for look in _looks(found):
            texts += [head(look), waterfall(look, now_ns()) if latency else instruments(look), ""]
        click.echo((CLEAR if terminal else "") + "\n".join(texts))
        if once:
            return
        time.sleep(interval_s)
        found = [one for one in found if one.alive]
    click.echo("the quoter has ended")
