"""``quoter selftest``: the compiled kernels against published numbers."""

import sys
import time
from typing import Any

import click

from engine.cli.exits import FAILED, TEXT
from engine.cli.options import print_json


@click.command(epilog=TEXT)
@click.option("--short", is_flag=True, help="Without the simulations (about 50 ms).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(short: bool, as_json: bool) -> None:
    """Compare the compiled kernels with published numbers; status 1 when one differs."""
    from kernels import selftest

    started = time.perf_counter()
    checks: list[Any] = selftest.run(short)
    seconds = time.perf_counter() - started
    failed = [check for check in checks if not check.passed]
    if as_json:
        rows = [
            {
                "name": check.name,
                "expected": check.expected,
                "got": check.got,
                "tolerance": check.tolerance,
                "passed": bool(check.passed),
                "source": check.source,
            }
            for check in checks
        ]
        print_json({"ok": not failed, "seconds": seconds, "checks": rows})
    else:
        width = max((len(check.name) for check in checks), default=0)
        for check in checks:
            mark = "ok    " if check.passed else "FAILED"
            numbers = f"expected {check.expected:<14.8g} got {check.got:<14.8g} +- {check.tolerance:.2g}"
            click.echo(f"{mark} {check.name:<{width}}  {numbers}  {check.source}")
        click.echo(f"{len(checks) - len(failed)} of {len(checks)} passed in {seconds:.2f} s")
    if failed:
        sys.exit(FAILED)
