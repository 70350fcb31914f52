"""``quoter check``: the configuration in effect, what it earns, and whether this machine is ready to run it."""

import os
import sys
from dataclasses import asdict
from typing import Any

import click

from engine.cli.exits import REFUSED, TEXT
from engine.cli.options import configuration, loaded, print_json
from engine.config import Loaded
from engine.config_errors import ConfigRefused, Problem, shown
from engine.config_fees import FeeArithmetic, Reference, all_fee_arithmetic, fee_arithmetic, instruments_of
from engine.config_schema import Config, all_keys
from engine.live.host import facts, hints, kernel_cache
from engine.plan_builder import network_of

USD = click.FloatRange(min=0, min_open=True)


@click.command(epilog=TEXT)
@configuration
@click.option("--price", type=USD, metavar="USD", help="Judge the fees at this price (needs --tick).")
@click.option("--tick", type=USD, metavar="USD", help="Price tick at --price.")
@click.option("--all", "show_all", is_flag=True, help="Show every key, not only those that were given.")
@click.option("--host", "only_host", is_flag=True, help="Only the machine: what it costs, each with its remedy.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    price: float | None, tick: float | None, show_all: bool, only_host: bool, as_json: bool, **options: Any
) -> None:
    """Show and judge configuration, fees, key, kernels and host. Nothing is sent."""
    if only_host:
        _host(as_json)
        return
    if (price is None) != (tick is None):
        raise click.UsageError("--price and --tick go together")
    result = loaded(options, as_json)
    reference = Reference(price, tick) if price is not None and tick is not None else None
    sums = _arithmetic(result.config, reference)
    problems = [
        Problem("trading_strategy.avellaneda.max_spread", f"cannot pay its fees: {s}", remedy="raise it")
        for s in sums
        if s.best_edge_bps <= 0
    ]
    key, refused = _key(result.config)
    problems += refused
    report = {
        "ok": not problems,
        "network": network_of(result.config),
        "instruments": instruments_of(result.config),
        "values": _values(result),
        "fees": [_sums(s) | _previewed(result.config, s) for s in sums],
        "notes": _notes(result.config, sums),
        "key": key,
        "kernels": kernel_cache(),
        "host": facts(),
        "problems": [problem.as_dict() for problem in problems],
    }
    if as_json:
        print_json(report)
    else:
        _show(report, show_all)
        _show_readiness(report, sums)
        for problem in problems:
            click.echo(f"problem: {problem}", err=True)
    if problems:
        sys.exit(REFUSED)


def _host(as_json: bool) -> None:
    """What the machine costs: advice, hence never an exit status."""
    from engine.bench import host

    if as_json:
        print_json(host.report())
    else:
        for finding in host.findings():
            click.echo(str(finding))


def _arithmetic(config: Config, reference: Reference | None) -> list[FeeArithmetic]:
    if reference is None:
        return all_fee_arithmetic(config)
    return [fee_arithmetic(config, name, reference) for name in instruments_of(config)]


def _values(result: Loaded) -> dict[str, dict[str, Any]]:
    rows = {}
    for path, leaf in all_keys().items():
        value: Any = result.config
        for name in path.split("."):
            value = getattr(value, name)
        source = result.sources.get(path, "default")
        rows[path] = {"value": value, "unit": leaf.unit, "source": source}
    return rows


def _sums(sums: FeeArithmetic) -> dict[str, Any]:
    names = (
        "instrument price_usd tick_usd maker_fee_bps floor_bps ceiling_bps edge_bps best_edge_bps first_level_usd "
        "round_trip_usd"
    )
    return {name: getattr(sums, name) for name in names.split()}


def _previewed(config: Config, sums: FeeArithmetic) -> dict[str, Any]:
    """What the compiled model makes of it, as members and as a line."""
    from engine.preview import preview

    seen = preview(config, Reference(sums.price_usd, sums.tick_usd))
    return {"model": None if isinstance(seen, str) else asdict(seen), "model_text": str(seen)}


def _notes(config: Config, sums: list[FeeArithmetic]) -> list[str]:
    notes = [
        f"{s.instrument}: half-spread floor {s.floor_bps:.2f} bps above ceiling {s.ceiling_bps:.2f} bps: the floor wins"
        for s in sums
        if s.floor_bps > s.ceiling_bps
    ]
    if config.market.network == "prod":
        notes.append("production: real money")
    if network_of(config) != "local" and config.credentials.supervisor_key_file is None:
        notes.append("the supervisor logs in with the quoter's key; one of its own is credentials.supervisor_key_file")
    return notes


def _key(config: Config) -> tuple[dict[str, Any], list[Problem]]:
    """What can be said of the key without showing it, and why it cannot be used."""
    network = network_of(config)
    if network == "local":
        return {"needed": False}, []
    from engine.live.keys import find_key, supervisor_place

    try:
        own = find_key(config.credentials, network, os.environ).kid
        watching = find_key(supervisor_place(config.credentials), network, os.environ).kid
        return {"needed": True, "id": own, "supervisor_id": watching, "usable": True}, []
    except ConfigRefused as refused:
        return {"needed": True, "usable": False}, list(refused.problems)


def _show(report: dict[str, Any], show_all: bool) -> None:
    click.echo(f"network {report['network']}, instruments {', '.join(report['instruments'])}\n")
    click.echo("Configuration" + ("" if show_all else " (given keys; --all shows every key)"))
    for path, row in report["values"].items():
        if show_all or row["source"] != "default":
            value = "not given" if row["value"] is None else shown(row["value"])
            click.echo(f"  {path} = {value} [{row['unit']}] ({row['source']})")


def _show_readiness(report: dict[str, Any], sums: list[FeeArithmetic]) -> None:
    click.echo("\nFees: what a fill keeps")
    for s, row in zip(sums, report["fees"], strict=True):
        click.echo(f"  {s}\n    {row['model_text']}")
    if not sums:
        click.echo("  give --price and --tick: the order of magnitude of these instruments is not known")
    key, kernels, host = report["key"], report["kernels"], report["host"]
    state = f"usable, id {key['id']}" if key.get("usable") else "not usable" if key["needed"] else "not needed"
    click.echo(f"\nKey: {state}")
    click.echo(f"Kernels: {'compiled' if kernels['compiled'] else 'not compiled yet'}, kept in {kernels['cache']}")
    governor, clock = host["governor"] or "unknown", host["clock_source"] or "unknown"
    click.echo(f"Host: {len(host['cpus'])} processors, governor {governor}, clock {clock}")
    for note in [*report["notes"], *hints(host)]:
        click.echo(f"note: {note}")
