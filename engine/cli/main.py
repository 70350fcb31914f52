"""``quoter``: the command line. Commands are imported when they are called, so that ``quoter --help`` is quick."""

import importlib
import os
from typing import Any

import click

from engine.cli import crash
from engine.cli.exits import TEXT
from engine.cli.interrupt import INTERRUPT
from engine.cli.loading import collector_paused

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("engine.cli.run", "Quote: on the local exchange without keys, else on test or prod."),
    "exchange": ("engine.cli.exchange", "Serve the local exchange on a loopback websocket."),
    "check": ("engine.cli.check", "Show and judge configuration, fees, key, kernels and host."),
    "calibrate": (
        "engine.cli.calibrate",
        "Estimate sigma, A and k from recorded markets or a journal, with intervals.",
    ),
    "selftest": ("engine.cli.selftest", "Compare the compiled kernels with published numbers."),
    "top": ("engine.cli.top", "Watch running quoters: quotes and why, position, profit; --latency: the waterfall."),
    "halt": ("engine.cli.halt", "Cancel everything and stay halted, from another terminal."),
    "resume": ("engine.cli.resume", "Quote again after a halt; the account must be typed."),
    "set": ("engine.cli.set", "Change keys of a running quoter, from another terminal."),
    "replay": ("engine.cli.replay", "Drive the core by a recorded run: verify it, or explain an event."),
    "simulate": ("engine.cli.simulate", "Try to break the core in simulated time: seeds, faults, invariants."),
    "compare": ("engine.cli.compare", "Two configurations on the same simulated markets: profit, markouts, inventory."),
    "bench": ("engine.cli.bench", "Measure latency and throughput on this machine."),
}
"""Name of each command: the module that holds ``command``, and its line of help."""


CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class LazyCommands(click.Group):
    """A group whose commands live in modules that are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        with collector_paused():
            command: Any = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyCommands, epilog=TEXT, context_settings=CONTEXT)
@click.version_option(package_name="thalex-quoter")
def cli() -> None:
    """A market maker for the Thalex derivatives exchange, after Avellaneda and Stoikov.

    `quoter run` quotes on a local exchange until Ctrl-C; nothing else is needed.
    """


def main() -> None:
    """Entry point of ``quoter``."""
    # Whatever a command writes is its user's alone.
    os.umask(0o077)
    crash.install()
    INTERRUPT.install()
    cli(prog_name="quoter")


if __name__ == "__main__":
    main()
