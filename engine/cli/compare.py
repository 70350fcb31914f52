"""``quoter compare``: two configurations on the same simulated markets, with a share of takers who know the price."""

import os
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from engine.cli.exits import FAILED, TEXT
from engine.cli.options import configuration, flags, print_json, refuse
from engine.config import load_process
from engine.config_errors import ConfigRefused
from engine.config_source import from_settings

if TYPE_CHECKING:
    from engine.core.plan import CorePlan
    from engine.sim.compare import Estimate, Row

POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(epilog=TEXT)
@configuration
@click.option(
    "--against", multiple=True, metavar="PATH=VALUE", help="A key of the second configuration; repeatable. None: one."
)
@click.option(
    "--informed",
    type=click.FloatRange(0, 1),
    multiple=True,
    default=(0.0, 0.2, 0.4),
    show_default=True,
    help="Share of takers who know the coming price; repeatable.",
)
@click.option("--horizon", type=POSITIVE, metavar="SECONDS", help="How far ahead they know it [default: 45].")
@click.option("--seeds", type=click.IntRange(2), default=50, show_default=True, help="Markets for each share.")
@click.option("--base", type=click.IntRange(0), default=0, show_default=True, help="First seed.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=30, show_default=True, help="Length of a session.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Processes; default: one a core.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    against: tuple[str, ...],
    informed: tuple[float, ...],
    horizon: float | None,
    seeds: int,
    base: int,
    minutes: int,
    jobs: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Simulate a configuration, and the same with --against, on the same seeded markets; compare them seed by seed.

    Profit is after fees with the position at the fair price; edge and markouts are in bps of the fill against the fair
    price, before fees, positive where they are ours. Status 1 when a session ended otherwise than ACTIVE.
    """
    plans = _plans(against, options, as_json)
    from engine.sim.compare import Job, rows, sessions

    work = [
        Job(arm, share, seed, minutes * 60, horizon, plan)
        for share in dict.fromkeys(informed)
        for seed in range(base, base + seeds)
        for arm, plan in enumerate(plans)
    ]
    with click.progressbar(length=len(work), label="sessions", file=sys.stderr, show_pos=True) as bar:
        found = sessions(work, jobs or os.cpu_count() or 1, bar.update)
    table = rows(found, len(plans))
    if as_json:
        about = {"seeds": seeds, "base": base, "minutes": minutes, "horizon_s": horizon, "against": list(against)}
        print_json(about | {"rows": [asdict(row) for row in table]})
    else:
        _show(table)
    if any(any(row.halted) for row in table):
        sys.exit(FAILED)


def _plans(against: tuple[str, ...], options: dict[str, Any], as_json: bool) -> "list[CorePlan]":
    """The plans of the one or two configurations, on the local exchange; ends the process when one is refused."""
    from engine.plan_builder import core_plan

    try:
        given = flags(options)
        loaded = [load_process(options["config_file"], given)]
        if against:
            other = from_settings(against)
            named = {value.path for value in other}
            loaded.append(load_process(options["config_file"], [g for g in given if g.path not in named] + other))
    except ConfigRefused as refused:
        refuse(refused.problems, as_json)
    return [replace(core_plan(one.config), environment=None, account=None) for one in loaded]


def _show(table: "list[Row]") -> None:
    names = ("informed", "arm", "profit USD", "edge bps", "1 s", "10 s", "60 s", "inventory USD", "fills")
    click.echo("| " + " | ".join(names) + " |")
    click.echo("|---" * len(names) + "|")
    for row in table:
        for arm, figures in enumerate(row.arms):
            cells = [_plain(figures[name]) for name in figures if name != "fills"]
            click.echo(f"| {row.share:.0%} | {'AB'[arm]} | {' | '.join(cells)} | {figures['fills'].mean:.0f} |")
        if row.difference:
            cells = [_paired(figure) for name, figure in row.difference.items() if name != "fills"]
            click.echo(f"| | B - A | {' | '.join(cells)} | {row.difference['fills'].mean:+.0f} |")
        for arm, count in enumerate(row.halted):
            if count:
                click.echo(f"{count} sessions of {'AB'[arm]} did not end ACTIVE", err=True)


def _plain(figure: "Estimate") -> str:
    digits = 0 if abs(figure.mean) >= 20 else 2
    return f"{figure.mean:.{digits}f} ± {figure.error:.{max(digits, 1 if abs(figure.mean) < 1000 else 0)}f}"


def _paired(figure: "Estimate") -> str:
    digits = 1 if abs(figure.mean) >= 20 else 2
    return f"{figure.mean:+.{digits}f} [{figure.low:+.{digits}f}, {figure.high:+.{digits}f}], t {figure.t:+.1f}"
