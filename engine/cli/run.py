"""``quoter run``: quote, on the local exchange without keys, else on the test or the production network."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from engine.cli.exits import OK, REFUSED, TEXT
from engine.cli.interrupt import INTERRUPT
from engine.cli.loading import collector_paused
from engine.cli.options import configuration, flags, loaded, print_json, refuse
from engine.config import Loaded, load_process
from engine.config_errors import ConfigRefused, Problem
from engine.config_fees import all_fee_arithmetic
from engine.live.host import kernel_cache
from engine.live.local_exchange import LocalExchange
from engine.live.status import StatusLine, summary
from engine.live.tuning import Collector, Tuning
from engine.plan_builder import network_of

if TYPE_CHECKING:
    from engine.live.app import Outcome

_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Duration(click.ParamType[float]):
    """``20s``, ``5m``, ``1h``, ``90``: seconds as a float."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, above zero."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value))
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is not a duration: write 20s, 5m, 1h or 2d", param, ctx)
        return float(match[1]) * _UNITS_S[match[2]]


PATH = click.Path(path_type=Path)
SPEED = click.FloatRange(min=0, min_open=True)
LOCAL_ONLY = ("market", "speed", "seed", "informed")
"""Flags that are passed on to the local exchange."""
COLLECTOR = click.Choice(get_args(Collector))


@click.command(epilog=TEXT)
@configuration
@click.option("--for", "seconds", type=Duration(), metavar="TIME", help="Stop after 20s, 5m, 1h; else at Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end, on standard output.")
@click.option("--url", metavar="URL", help="Connect here instead (ws:// only to this machine).")
@click.option("--market", type=PATH, metavar="DIR", help="Local exchange: play recorded trades and quotes.")
@click.option("--speed", type=SPEED, metavar="X", help="Local exchange: recorded time, times faster [default: 1].")
@click.option("--seed", type=click.IntRange(min=0), help="Local exchange: seed of its market [default: 0].")
@click.option(
    "--informed", type=click.FloatRange(0, 1), metavar="SHARE", help="Local exchange: takers who know the coming price."
)
@click.option("--strategy", metavar="MODULE:FUNCTION", help="Quote with a function of your own instead.")
@click.option("--cpu", type=click.IntRange(min=0), metavar="N", help="Pin to this processor.")
@click.option("--spin", is_flag=True, help="Keep polling instead of sleeping: lower latency, one busy processor.")
@click.option("--realtime", is_flag=True, help="Real-time scheduler priority (needs CAP_SYS_NICE).")
@click.option("--lock-memory", is_flag=True, help="Keep all memory resident (needs CAP_IPC_LOCK or ulimit -l).")
@click.option(
    "--supervisor/--no-supervisor",
    "supervised",
    default=None,
    help="A process of its own that cancels everything when this one hangs or dies [default: on for test and prod].",
)
@click.option("--gc", "collector", type=COLLECTOR, default="freeze", show_default=True, help="Garbage collector.")
def command(as_json: bool, seconds: float | None, **options: Any) -> None:
    """Quote until Ctrl-C or for a time.

    Ctrl-C once: every order is cancelled, the venue is asked whether any is left, and a summary is printed. Twice: the
    connection is dropped at once and the venue's cancel-on-disconnect takes the orders out. SIGHUP reads the
    configuration again (`quoter set` changes single keys); a closed terminal stops.
    """
    result = loaded(options, as_json)
    tuning = Tuning(options["cpu"], options["spin"], options["realtime"], options["lock_memory"], options["collector"])
    problems = tuning.problems() + _local_only(options, network_of(result.config))
    problems += [
        Problem("trading_strategy.avellaneda.max_spread", f"cannot pay its fees: {sums}", remedy="raise it")
        for sums in all_fee_arithmetic(result.config)
        if sums.best_edge_bps <= 0
    ]
    if problems:
        refuse(problems, as_json)
    outcome = _run(result, tuning, seconds, options, as_json)
    if as_json:
        print_json(outcome.report)
    else:
        click.echo(summary(outcome.report))
    if outcome.status == REFUSED or outcome.report["detail"]:
        click.echo(f"{outcome.report['reason']}: {outcome.report['detail']}", err=True)
    if outcome.status != OK:
        sys.exit(outcome.status)


def _run(result: Loaded, tuning: Tuning, seconds: float | None, options: dict[str, Any], as_json: bool) -> "Outcome":
    """Start the local exchange where one is wanted, then everything else beside it."""
    line = StatusLine(sys.stderr)
    exchange = None
    try:
        if network_of(result.config) == "local" and options["url"] is None:
            exchange = LocalExchange(_exchange_arguments(options))
        if not kernel_cache()["compiled"]:
            line.note("first start of this build: compiling the kernels")
        # Imported only now: the exchange starts while the kernels are loaded.
        with collector_paused():
            from engine.live.app import RunOptions, StartRefused, run

        try:
            supervised = options["supervised"]
            if supervised is None:
                supervised = network_of(result.config) != "local"
            told = RunOptions(
                seconds,
                options["url"],
                exchange,
                tuning,
                options["strategy"],
                INTERRUPT.check,
                supervised,
                lambda: load_process(options["config_file"], flags(options)),
            )
            return run(result, told, line)
        except ConfigRefused as refused:
            refuse(refused.problems, as_json)
        except (StartRefused, OSError) as refused:
            refuse([Problem("run", str(refused))], as_json)
    finally:
        if exchange is not None:
            exchange.close()


def _local_only(options: dict[str, Any], network: str) -> list[Problem]:
    """Flags of the local exchange are refused where there is none of ours."""
    given = [name for name in LOCAL_ONLY if options[name] is not None]
    if network == "local" and options["url"] is None:
        return []
    return [
        Problem(f"--{name}", "is for a local exchange, and this run starts none", str(options[name]), remedy="drop it")
        for name in given
    ]


def _exchange_arguments(options: dict[str, Any]) -> tuple[str, ...]:
    given = ((name, options[name]) for name in LOCAL_ONLY)
    parts = tuple(part for name, value in given if value is not None for part in (f"--{name}", str(value)))
    # A recording that ends would leave a quoter that started slowly, or runs for longer, without a market.
    return (*parts, "--loop") if options["market"] is not None else parts
