"""Ctrl-C and SIGTERM while a command starts: end with status 130, and be remembered if something swallows the
exception.

Libraries that load compiled code run callbacks that ignore exceptions; a command that goes on to trade asks ``asked``
before it does.
"""

import signal
import sys
from types import FrameType

from engine.cli.exits import INTERRUPTED


class Interrupt:
    """The process's handler of SIGINT and SIGTERM until a command installs its own."""

    def __init__(self) -> None:
        self.asked = False

    def install(self) -> None:
        """Take over both signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        # Objects of half-imported libraries complain when they are destroyed; nobody is helped by that.
        sys.unraisablehook = _quiet
        sys.exit(INTERRUPTED)

    def check(self) -> None:
        """End now if a signal came and was swallowed."""
        if self.asked:
            sys.exit(INTERRUPTED)


def _quiet(unraisable: "sys.UnraisableHookArgs") -> None:
    """Say nothing of an exception that the interpreter ignores."""


INTERRUPT = Interrupt()
