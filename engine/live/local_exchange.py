"""The local exchange as a process of its own: started before a run that needs it, gone with it."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

START_S_MAX = 20.0
END_S_MAX = 1.5


class ExchangeFailed(RuntimeError):
    """The local exchange did not start; the message holds what it said."""


class LocalExchange:
    """A child process that serves ``quoter exchange``.

    It has a session of its own, so that a Ctrl-C meant for the quoter does not take the market away before the orders
    are out of it, and it ends with its parent.
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "engine.cli.main", "exchange", "--port", "0", "--quiet"]
        command += ["--parent-pid", str(os.getpid()), *arguments]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True
        )

    @cached_property
    def description(self) -> dict[str, Any]:
        """What it says when it listens: url, instruments, recorded. Waits for it; raises ``ExchangeFailed``."""
        return self._first_line()

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.description["url"])

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def _first_line(self) -> dict[str, Any]:
        """The JSON object it prints when it listens. Raises ``ExchangeFailed`` with its complaint."""
        assert self._child.stdout is not None
        handle, text, deadline = self._child.stdout.fileno(), b"", time.monotonic() + START_S_MAX
        while b"\n" not in text:
            ready, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(handle, 4096) if ready else b""
            if not chunk:
                why = self._complaint() if ready else f"it said nothing in {START_S_MAX:g} s"
                self.close()
                raise ExchangeFailed(f"the local exchange did not start: {why}")
            text += chunk
        try:
            description: dict[str, Any] = json.loads(text.partition(b"\n")[0])
        except ValueError:
            self.close()
            raise ExchangeFailed(f"the local exchange said {text[:200]!r} instead of its address") from None
        return description

    def _complaint(self) -> str:
        self._child.wait(END_S_MAX)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return " ".join(lines[-8:]) or f"exit status {self._child.returncode}"

    def close(self) -> None:
        """End it: politely, then not."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._errors.close()
