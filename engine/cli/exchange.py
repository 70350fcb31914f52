"""``quoter exchange``: the local exchange on a loopback websocket, with a seeded or a recorded market."""

import json
import os
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.exits import REFUSED, TEXT

if TYPE_CHECKING:
    from feed.exchange.exchange import Exchange
    from feed.exchange.market import Market
    from feed.exchange.server import Server
    from feed.exchange.tls import Tls

STATUS_S = 5.0

Switches = TypeVar("Switches")


@click.command(epilog=TEXT)
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--tls", "use_tls", is_flag=True, help="Serve wss with a certificate of its own, printed on the first line."
)
@click.option("--cert", type=click.Path(exists=True, dir_okay=False), help="Certificate (PEM) instead; needs --tls.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="Its key, unless it is in the same file.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the market.")
@click.option(
    "--market", "directory", type=click.Path(path_type=Path), metavar="DIR", help="Play a recording (parquet)."
)
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="Of the recording."
)
@click.option("--loop", is_flag=True, help="Begin the recording again at its end.")
@click.option(
    "--informed",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Seeded market: share of takers who know the coming price [default: 0.3].",
)
@click.option(
    "--horizon",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="... and how far ahead [default: 45].",
)
@click.option(
    "--options", "switches", multiple=True, metavar="NAME=VALUE", help="A switch of the exchange; repeatable."
)
@click.option("--list-options", is_flag=True, help="Show every switch with its default, and end.")
@click.option("--quiet", is_flag=True, help="No status on standard error.")
@click.option("--parent-pid", type=int, hidden=True)
def command(list_options: bool, quiet: bool, parent_pid: int | None, **options: Any) -> None:
    """Serve the local exchange until Ctrl-C.

    The first line on standard output is a JSON object: url, instruments, pid, and the certificate under TLS. Any key
    logs in; every client name is an account of its own.
    """
    from feed.exchange.options import Options

    if list_options:
        for switch in fields(Options):
            click.echo(f"{switch.name} = {getattr(Options(), switch.name)!r}")
        return
    if parent_pid is not None:
        from engine.live.parent import die_with

        if not die_with(parent_pid):
            sys.exit(REFUSED)
    from feed.exchange.exchange import Exchange
    from feed.exchange.server import run_exchange

    try:
        market = _market(options)
        exchange = Exchange(market, parsed(Options, options["switches"]), options["seed"])
        tls = _tls(options)
        run_exchange(exchange, options["host"], options["port"], tls, _announcer(exchange, options, tls, quiet))
    except (OSError, ValueError) as error:
        where = f"{options['host']}:{options['port']}: " if isinstance(error, OSError) else ""
        click.echo(f"exchange refused: {where}{error}", err=True)
        sys.exit(REFUSED)


def parsed(switches: Callable[..., Switches], texts: Sequence[str]) -> Switches:
    """An options record with ``NAME=VALUE`` texts applied; values are typed like the defaults. Raises ValueError."""
    defaults = switches()
    given: dict[str, Any] = {}
    names = {field.name for field in fields(defaults)}  # type: ignore[arg-type]
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in names or not equals:
            raise ValueError(f"--options {text}: unknown switch; `quoter exchange --list-options` shows them")
        given[name] = _typed(name, value, getattr(defaults, name))
    return switches(**given)


def _typed(name: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ValueError(f"--options {name}={text}: true or false")
        return text == "true"
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            raise ValueError(f"--options {name}={text}: a number like {default}") from None
    if isinstance(default, Mapping | tuple):
        value = json.loads(text)
        return tuple(value) if isinstance(default, tuple) else value
    return text


def _market(options: dict[str, Any]) -> "Market":
    if options["directory"] is not None:
        for name in ("informed", "horizon"):
            if options[name] is not None:
                raise ValueError(f"--{name} is for the seeded market, and a recording is played")
        from feed.exchange.recorded import RecordedMarket, RecordedOptions

        return RecordedMarket(options["directory"], RecordedOptions(speed=options["speed"], loop=options["loop"]))
    from feed.exchange.listing import default_instruments
    from feed.exchange.seeded import SeededMarket, informed_options

    market = informed_options(options["informed"], options["horizon"])
    return SeededMarket(default_instruments(time.time_ns()), options["seed"], market)


def _tls(options: dict[str, Any]) -> "Tls | None":
    if not options["use_tls"]:
        if options["cert"] or options["key"]:
            raise ValueError("--cert and --key need --tls")
        return None
    from feed.exchange.tls import from_files, self_signed

    if options["cert"] is None:
        return self_signed(options["host"])
    try:
        return from_files(options["cert"], options["key"])
    except ssl.SSLError as error:
        raise ValueError(f"--cert {options['cert']}: {error.reason}") from None


def _announcer(
    exchange: "Exchange", options: dict[str, Any], tls: "Tls | None", quiet: bool
) -> Callable[["Server"], None]:
    """Prints the first line when clients can connect, and a status now and then."""

    def status(server: "Server") -> None:
        clients, trades = len(server.sessions), len(exchange.trades)
        click.echo(f"{server.url} | clients {clients} | trades {trades:,}", err=True)
        server.loop.call_later(STATUS_S, status, server)

    def ready(server: "Server") -> None:
        description = {
            "url": server.url,
            "instruments": [instrument.name for instrument in exchange.market.instruments],
            "recorded": options["directory"] is not None,
            "seed": options["seed"],
            "pid": os.getpid(),
        }
        if tls is not None and tls.certificate_pem:
            description["certificate_pem"] = tls.certificate_pem
        click.echo(json.dumps(description))
        sys.stdout.flush()
        if not quiet:
            status(server)

    return ready
