"""``quoter simulate``: the real core against the real exchange in simulated time, with every fault that may happen."""

import os
import sys
from typing import Any

import click

from engine.cli.exits import FAILED, TEXT
from engine.cli.options import print_json

EVENTS = 200


@click.command(epilog=TEXT)
@click.option("--seeds", type=click.IntRange(1), default=1000, show_default=True, help="How many runs.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Processes; default: one a core.")
@click.option("--base", type=click.IntRange(0), default=1, show_default=True, help="First seed.")
@click.option(
    "--events", type=click.IntRange(1), default=EVENTS, show_default=True, help="Events of a run's phase of faults."
)
@click.option(
    "--canaries/--no-canaries", default=True, show_default=True, help="Also look for cores broken on purpose."
)
@click.option(
    "--repeat", type=click.IntRange(0), default=None, metavar="SEED", help="Run one seed, and shrink it if it fails."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    seeds: int, jobs: int | None, base: int, events: int, canaries: bool, repeat: int | None, as_json: bool
) -> None:
    """Try to break the core: swarms of faults, every invariant checked on the exchange's truth.

    Each seed is one run of its own market, link, faults and options; the same seed gives the same bytes. Status 1 when
    an invariant was violated, a seed did not repeat itself or a broken core was not found.
    """
    if repeat is not None:
        _repeat(repeat, events, as_json)
        return
    from engine.sim import campaign
    from engine.sim.canaries import CANARIES

    with click.progressbar(length=seeds, label="seeds", file=sys.stderr, show_pos=True) as bar:
        result = campaign.campaign(base, seeds, events, jobs or os.cpu_count() or 1, bar.update)
    found: dict[str, dict[str, Any]] = {}
    if canaries:
        with click.progressbar(length=len(CANARIES), label="canaries", file=sys.stderr) as bar:
            found = campaign.find_canaries(base, events, bar.update)
    missed = [name for name, line in found.items() if line["found_after"] is None]
    report = {
        "seeds": result.seeds,
        "base": base,
        "events_a_seed": events,
        "violations": len(result.failures),
        "seeds_per_minute": round(result.seeds_per_minute),
        "seconds": round(result.seconds, 2),
        "events": result.events,
        "simulated_s": round(result.simulated_s),
        "marks_missed": result.marks_missed,
        "marks": dict(sorted(result.marks.items())),
        "canaries": found,
        "not_repeated": result.differing,
        "differ_in_pieces": result.differing_in_pieces,
        "failures": [
            {"seed": v.seed, "invariant": v.invariant, "what": v.failure, "repeat": _again(v.seed, events)}
            for v in result.failures
        ],
    }
    if as_json:
        print_json(report)
    else:
        _show(report)
    if result.failures or result.differing or result.differing_in_pieces or missed:
        sys.exit(FAILED)


def _again(seed: int, events: int) -> str:
    return f"quoter simulate --repeat {seed} --events {events}"


def _show(report: dict[str, Any]) -> None:
    click.echo(
        f"{report['seeds']} seeds, {report['events']} events, {report['simulated_s']} simulated seconds: "
        f"{report['violations']} violations, {report['seeds_per_minute']} seeds a minute"
    )
    for failure in report["failures"]:
        click.echo(f"  seed {failure['seed']}: {failure['what']}\n    {failure['repeat']}")
    for seed in report["not_repeated"]:
        click.echo(f"  seed {seed} did not repeat itself")
    for seed in report["differ_in_pieces"]:
        click.echo(f"  seed {seed} sent something else when its messages came in pieces")
    if report["marks_missed"]:
        click.echo(f"never reached: {', '.join(report['marks_missed'])}")
    for name, line in report["canaries"].items():
        where = f"found by seed {line['found_after']}" if line["found_after"] else "NOT FOUND"
        click.echo(f"  canary '{name}': {where} of {line['within']}")


def _repeat(seed: int, events: int, as_json: bool) -> None:
    """Run one seed; a failing one is shrunk."""
    from engine.sim import campaign
    from engine.sim.options import draw

    options = draw(seed, events)
    verdict = campaign.run(options)
    small = campaign.shrink(options, verdict.invariant) if verdict.failure is not None else options
    again = campaign.run(small)
    report = {
        "seed": seed,
        "invariant": verdict.invariant,
        "what": verdict.failure,
        "at_s": verdict.at_s,
        "digest": verdict.digest,
        "options": repr(options),
        "shrunk": {
            "what": again.failure,
            "faults": sorted(small.faults),
            "events": small.events,
            "options": repr(small),
        },
    }
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            click.echo(f"{name}: {value}")
    if verdict.failure is not None:
        sys.exit(FAILED)
