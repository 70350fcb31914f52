"""``quoter calibrate``: sigma, A and k of recorded markets, with intervals and a verdict in plain words."""

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.exits import FAILED, REFUSED, TEXT
from engine.cli.options import print_json, progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.analysis.calibration import Calibration
    from engine.analysis.history import History
    from engine.analysis.own_quotes import OwnQuotes

POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(epilog=TEXT)
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR|JOURNAL...")
@click.option("--hold", type=POSITIVE, metavar="CONTRACTS", help="Find gamma that holds the position within this.")
@click.option("--order", type=POSITIVE, metavar="CONTRACTS", help="Size of one order, for --hold [default: a tenth].")
@click.option("--share", type=click.FloatRange(0.01, 0.9999), default=0.95, show_default=True, help="... of the time.")
@click.option("--signals", "with_signals", is_flag=True, help="Rank correlation of each signal with what followed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    directories: tuple[Path, ...],
    hold: float | None,
    order: float | None,
    share: float,
    with_signals: bool,
    as_json: bool,
) -> None:
    """Estimate sigma, A and k from recorded trades and quotes (parquet), or from the journal of a run.

    A journal also gives A and k as our own quotes met them, and what the price did after each fill. Status 1 when a
    recording does not suffice, 2 when one cannot be read.
    """
    from engine.analysis.calibration import calibrate

    if order is not None and (hold is None or order > hold):
        raise click.UsageError("--order is the size of one order and needs a --hold that is not smaller")
    reports = []
    for directory, history, own in _read(directories):
        found = calibrate(history)
        report = {"directory": str(directory), **_members(found)}
        if own is not None:
            report["own_quotes"] = _own(own)
        if hold is not None:
            report["gamma"] = _gamma(found, hold, order or 0.1 * hold, share)
        if with_signals:
            report |= _signals(history)
        if not as_json:
            _show(found, report)
        reports.append(report)
    if as_json:
        for report in reports:
            report.pop("signals_text", None)
        print_json({"ok": all(report["sufficient"] for report in reports), "recordings": reports})
    if not all(report["sufficient"] for report in reports):
        sys.exit(FAILED)


def _read(directories: tuple[Path, ...]) -> "Iterator[tuple[Path, History, OwnQuotes | None]]":
    """The histories of recordings and of journals; ends the process when one cannot be read."""
    from engine.analysis.history import history_of
    from engine.analysis.own_quotes import from_journal
    from engine.journal.replay import CannotReplay
    from feed.exchange.recording import load_recording
    from feed.journal import JournalDamaged, run_directory

    for directory in directories:
        try:
            try:
                journal = run_directory(directory)
            except FileNotFoundError:
                yield directory, history_of(load_recording(directory)), None
                continue
            with progress_bar("replaying") as progress:
                runs = from_journal(journal, progress)
            for own in runs:
                yield journal, own.history(), own
        except (JournalDamaged, CannotReplay, ValueError) as error:
            click.echo(f"{directory}: {error}", err=True)
            sys.exit(REFUSED)


def _own(own: "OwnQuotes") -> dict[str, Any]:
    """A and k by own quotes, per side, and the markouts."""
    sides = {side: _plain(asdict(own.fit(side))) for side in ("both", "bid", "ask")}
    return {"fills": len(own.hits), "sides": sides, "markouts": [_plain(asdict(row)) for row in own.markouts()]}


def _show_own(own: dict[str, Any]) -> None:
    click.echo(f"  own quotes: {own['fills']} fills, A and k against the middle of others' best prices")
    for side, fit in own["sides"].items():
        verdict = "the data suffice" if fit["sufficient"] else f"the data do not suffice: {fit['reason']}"
        numbers = (
            ""
            if fit["kappa"] is None
            else (
                f"A {fit['intensity']:.4g} [{fit['intensity_low']:.4g}, {fit['intensity_high']:.4g}] 1/s, "
                f"k {fit['kappa']:.4g} [{fit['kappa_low']:.4g}, {fit['kappa_high']:.4g}] 1/bp, "
            )
        )
        click.echo(f"  {side:<5}  {numbers}{fit['events']} hits in {fit['exposure_s']:.0f} quote seconds; {verdict}")
    for row in own["markouts"]:
        level = "all levels" if row["level"] < 0 else f"level {row['level']}"
        click.echo(
            f"  {row['side']:<5}  {level}, {row['after_s']:g} s after {row['fills']} fills: {row['mean_bps']:+.2f} "
            f"[{row['low_bps']:+.2f}, {row['high_bps']:+.2f}] bps"
        )


def _members(found: "Calibration") -> dict[str, Any]:
    """Everything, with NaN as null."""
    values = asdict(found) | {"sufficient": found.sufficient}
    if found.sides[0].fit.sufficient:
        values |= {"kappa_per_bp": found.kappa_per_bp, "order_flow_intensity": found.intensity_per_side}
    return dict(_plain(values))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _gamma(found: "Calibration", hold: float, order: float, share: float) -> dict[str, Any]:
    wanted = {"hold_contracts": hold, "order_contracts": order, "share": share}
    try:
        return wanted | {"gamma": found.gamma_to_hold(hold, order, share), "reason": ""}
    except ValueError as error:
        return wanted | {"gamma": None, "reason": str(error)}


def _signals(history: "History") -> dict[str, Any]:
    """The table as rows, and as text."""
    from engine.analysis.signals import HORIZONS_S, table, worths

    rows = [worth for horizon_s in HORIZONS_S for worth in worths(history, horizon_s)]
    return {"signals": [_plain(asdict(row) | {"counts": row.counts}) for row in rows], "signals_text": table(rows)}


def _show(found: "Calibration", report: dict[str, Any]) -> None:
    sigma = found.sigma
    words = "the data suffice" if sigma.sufficient else f"the data do not suffice: {sigma.reason}"
    click.echo(
        f"{report['directory']}: {found.instrument}, {found.span_s / 3600:.2f} h, {found.trades} trades, "
        f"{found.tops} tops, mid {found.price_usd:.6g} USD, half-spread {found.half_spread_usd:.4g} USD"
    )
    click.echo(
        f"  sigma  {sigma.usd:.4g} [{sigma.low_usd:.4g}, {sigma.high_usd:.4g}] USD per root second, "
        f"{100 * sigma.annual:.0f} % a year; {words}"
    )
    if any(sigma.by_range_usd.values()):
        told = ", ".join(f"{name.replace('_', '-')} {usd:.4g}" for name, usd in sigma.by_range_usd.items())
        click.echo(f"         by the ranges of one-minute bars: {told}")
    for side in found.sides:
        fit = side.fit
        click.echo(
            f"  {side.side:<5}  A {fit.intensity:.4g} [{fit.intensity_low:.4g}, {fit.intensity_high:.4g}] 1/s, "
            f"k {fit.kappa:.4g} [{fit.kappa_low:.4g}, {fit.kappa_high:.4g}] 1/USD, {fit.events} of {side.orders} "
            f"orders between {side.nearest_usd:.4g} and {side.farthest_usd:.4g} USD, "
            f"dispersion {fit.dispersion:.2g}; {side.verdict}"
        )
    if found.sides[0].fit.sufficient:
        click.echo(
            f"  use    trading_strategy.avellaneda.kappa_per_bp={found.kappa_per_bp:.4g} "
            f"trading_strategy.avellaneda.order_flow_intensity={found.intensity_per_side:.4g}"
        )
    if "own_quotes" in report:
        _show_own(report["own_quotes"])
    gamma = report.get("gamma")
    if gamma is not None:
        answer = f"{gamma['gamma']:.4g} 1/(USD contract)" if gamma["gamma"] is not None else f"none: {gamma['reason']}"
        click.echo(
            f"  gamma  for ±{gamma['hold_contracts']:g} contracts {100 * gamma['share']:g} % of the time: {answer}"
        )
    if "signals" in report:
        click.echo("  signal, horizon, samples, rank correlation [95 %], slope in ticks, verdict")
        click.echo(report["signals_text"])
