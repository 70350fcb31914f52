"""SIGHUP: the terminal was closed, which stops the run, or somebody asks for the configuration to be read again."""

import os
from collections.abc import Callable

from engine.config_errors import ConfigRefused
from engine.live.settings import RunSettings


class Hangup:
    """Tells the two apart: a run that had a terminal at its start and has none any more was left by it."""

    def __init__(self, stop: Callable[[], None], settings: RunSettings) -> None:
        self._stop = stop
        self._settings = settings
        self._had_terminal = has_terminal()

    def signalled(self) -> None:
        """SIGHUP came. What is refused is logged by the settings, and nothing changes."""
        if self._had_terminal and not has_terminal():
            self._stop()
            return
        try:
            self._settings.reread("SIGHUP")
        except ConfigRefused:
            return


def has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
