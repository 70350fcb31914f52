"""``quoter bench``: latency of this build on this machine, each figure beside its reference from the same run."""

import sys
from dataclasses import replace

import click

from engine.cli.exits import FAILED, TEXT
from engine.cli.options import print_json


@click.command(epilog=TEXT)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; times in ns.")
@click.option("--quick", is_flag=True, help="A few seconds: fewer ticks and rounds, noisier tails.")
@click.option("--flood", is_flag=True, help="Instead: market data at a rate over loopback; is any lost or late?")
@click.option("--rate", type=click.FloatRange(1, 1e6), default=50_000, show_default=True, help="Messages a second.")
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=60, show_default=True, help="How long it lasts.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Rounds of each measurement [default 9, quick 3].")
def command(as_json: bool, quick: bool, rounds: int | None, flood: bool, rate: float, seconds: float) -> None:
    """Measure tick to request bytes in process and over a loopback socket; status 1 when a goal is missed.

    Figures are those of the best round, because noise of a shared machine only ever adds. Ratios to references that run
    in turn with the engine are what compares between machines.
    """
    if flood:
        _flood(as_json, rate, seconds)
        return
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


def _flood(as_json: bool, rate: float, seconds: float) -> None:
    from engine.bench.flood import FloodFailed, run

    try:
        found = run(rate, seconds)
    except FloodFailed as failed:
        click.echo(f"bench: {failed}", err=True)
        sys.exit(FAILED)
    if as_json:
        print_json(found.report())
    else:
        click.echo(found.text())
    if not found.ok:
        sys.exit(FAILED)
