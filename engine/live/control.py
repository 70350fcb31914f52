"""Halt, resume and settings of a running quoter from another terminal: a Unix socket (0600) in the data directory.

One JSON object a line each way: ``{"act": "halt" | "resume" | "set" | "status", "name": ...}``, answered by mode,
orders left and why; ``proof_s`` of a halt bounds the wait for the venue's word, ``settings`` are the ``path=value``
texts of a set. Runs on the quoter's event loop; acts go through the core like every other input, and into the journal.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable
from logging import Logger
from pathlib import Path
from typing import Any, Protocol

from engine.config_errors import ConfigRefused
from engine.live import latch
from engine.live.loop import Core
from engine.live.places import made
from engine.live.settings import RunSettings

PROOF_S_MAX = 5.0
"""How long an answer waits for the venue's word that no order is left."""
POLL_S = 0.01
LINE_BYTES_MAX = 65536
_PATTERN = "control-{}.sock"


class Steered(Core, Protocol):
    """The core, as an operator sees it."""

    @property
    def halt_reason(self) -> str | None:
        """Why it is halted; None: it is not."""


class Control:
    """Serves the socket of one run.

    ``name``: what must be typed to resume, the account or the network. ``carried``: a halt that the core finds by
    itself is latched on disk too (not where the exchange ends with the run).
    """

    def __init__(
        self,
        core: Steered,
        settings: RunSettings,
        directory: Path,
        name: str,
        now_ns: Callable[[], int],
        log: Logger,
        *,
        carried: bool,
    ) -> None:
        self._core = core
        self._settings = settings
        self._directory = directory
        self._name = name
        self._now_ns = now_ns
        self._log = log
        self._carried = carried
        self._path = directory / _PATTERN.format(os.getpid())
        self._server: asyncio.Server | None = None
        self._unwatched = False

    async def start(self) -> latch.Latched | None:
        """Open the socket, then apply what is latched; returns it. Raises ``OSError``."""
        made(self._directory)
        self._server = await asyncio.start_unix_server(self._serve, sock=_bound(self._path), limit=LINE_BYTES_MAX)
        latched = latch.read(self._directory)
        if latched is not None:
            self._core.operator("halt", self._now_ns())
        return latched

    def watch(self) -> None:
        """Latch a halt of the core's own."""
        if self._carried and self._core.halt_reason is not None and latch.read(self._directory) is None:
            latch.write(self._directory, self._core.halt_reason)

    def supervised(self, unwatched: str | None) -> None:
        """Quotes stand only while a supervisor watches. ``unwatched``: why none does; None: one does."""
        if self._unwatched == (unwatched is not None):
            return
        self._unwatched = unwatched is not None
        self._log.warning("supervisor", extra={"fields": {"unwatched": unwatched}})
        self._core.operator("unwatched" if self._unwatched else "watched", self._now_ns())

    def close(self) -> None:
        """Remove the socket."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(2 * PROOF_S_MAX):
                line = await reader.readline()
                answer = await self._answer(line, _peer(writer))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            self._log.warning("control", extra={"fields": {"error": str(error)}})
        finally:
            writer.close()

    async def _answer(self, line: bytes, peer: str) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            act = asked["act"]
        except (ValueError, KeyError, TypeError):
            return self._told("not a request: one JSON object with an act")
        self._log.warning("control", extra={"fields": {"act": act, "by": peer}})
        if act == "halt":
            if self._core.halt_reason is None:
                self._core.operator("halt", self._now_ns())
            wanted = asked.get("proof_s", PROOF_S_MAX)
            await self._proof(wanted if isinstance(wanted, int | float) and 0 <= wanted <= PROOF_S_MAX else PROOF_S_MAX)
            return self._told(None)
        if act == "resume":
            return self._resumed(asked.get("name"))
        if act == "set":
            return self._set(asked.get("settings"), peer)
        return self._told(None if act == "status" else f"{act!r} is not one of halt, resume, set, status")

    def _set(self, texts: object, peer: str) -> dict[str, Any]:
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return self._told("settings: a list of path=value texts")
        try:
            changes = self._settings.set(texts, f"quoter set, {peer}")
        except ConfigRefused as refused:
            return self._told(str(refused)) | {"problems": [problem.as_dict() for problem in refused.problems]}
        return self._told(None) | {"changes": [[change.path, change.old, change.new] for change in changes]}

    async def _proof(self, seconds: float) -> None:
        """Wait until the venue has told that no order is left, but not longer than so many seconds."""
        deadline_ns = self._now_ns() + int(seconds * 1e9)
        while self._core.orders_left != 0 and self._now_ns() < deadline_ns:
            await asyncio.sleep(POLL_S)

    def _resumed(self, name: object) -> dict[str, Any]:
        if name != self._name:
            return self._told("the name typed is not that of this quoter's account")
        if self._core.halt_reason is None and self._core.mode != "REDUCING":
            return self._told(None)
        try:
            self._core.operator("resume", self._now_ns())
        except ValueError as refused:
            return self._told(str(refused))
        return self._told(None)

    def _told(self, error: str | None) -> dict[str, Any]:
        status = self._core.status()
        left = self._core.orders_left
        return {
            "pid": os.getpid(),
            "name": self._name,
            "mode": self._core.mode,
            "halt_reason": self._core.halt_reason,
            "session": status["session"],
            "config": self._settings.told,
            "orders_left": None if left < 0 else left,
            "error": error,
        }


def _bound(path: Path) -> socket.socket:
    """A listening socket of mode 0600; its name may be longer than the 108 bytes that an address holds."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    before = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
        os.close(directory)
    return listener


def _peer(writer: asyncio.StreamWriter) -> str:
    """Process and user at the other end, for the log."""
    found = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", found)
    return f"process {pid} of user {uid}"


def running(directory: Path) -> list[Path]:
    """Sockets of quoters that may run; those that a killed one left behind are removed."""
    found = []
    for path in sorted(directory.glob(_PATTERN.format("*"))):
        pid = path.name.removeprefix("control-").removesuffix(".sock")
        if pid.isdigit() and Path(f"/proc/{pid}").exists():
            found.append(path)
        else:
            path.unlink(missing_ok=True)
    return found


def ask(path: Path, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """One request and its answer. Raises ``OSError`` (``TimeoutError`` among them) when there is none."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(f"/proc/self/fd/{directory}/{path.name}")
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as file:
                line = file.readline(65536)
    finally:
        os.close(directory)
    if not line:
        raise ConnectionResetError("the quoter ended before it answered")
    told: dict[str, Any] = json.loads(line)
    return told
