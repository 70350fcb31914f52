"""``quoter bench``: latency of this build on this machine, each figure beside its reference from the same run."""

import sys
from dataclasses import replace

import click

from engine.cli.exits import FAILED, TEXT
from engine.cli.options import print_json


@click.command(epilog=TEXT)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; times in ns.")
@click.option("--quick", is_flag=True, help="A few seconds: fewer ticks and rounds, noisier tails.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Rounds of each measurement [default 9, quick 3].")
def command(as_json: bool, quick: bool, rounds: int | None) -> None:
    """Measure tick to request bytes in process and over a loopback socket; status 1 when a goal is missed.

    Figures are those of the best round, because noise of a shared machine only ever adds. Ratios to references that run
    in turn with the engine are what compares between machines.
    """
    from engine.bench import suite

    size = suite.QUICK if quick else suite.FULL
    if rounds is not None:
        size = replace(size, rounds=rounds)
    with click.progressbar(length=suite.steps(size), label="recording", file=sys.stderr) as bar:

        def progress(doing: str) -> None:
            bar.label = doing
            bar.update(1)

        result = suite.run(size, progress)
    if as_json:
        print_json({"ok": result.ok, **result.report})
    else:
        click.echo(result.text())
    if not result.ok:
        sys.exit(FAILED)
