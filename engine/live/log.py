"""The log: one JSON object a line, written by another thread from a bounded queue, without secrets.

A full queue drops lines and counts them; the thread that quotes never waits for a disk.
"""

import json
import logging
import logging.handlers
import os
import queue
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

QUEUE_LINES_MAX = 10_000

_SECRETS = re.compile(
    r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|\Z)"
    r"|\b[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\b"
    r"|(?i:(?<=bearer )|(?<=token\": \")|(?<=token=)|(?<=token': '))[^\s\"',}]+",
    re.DOTALL,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def redacted(text: str) -> str:
    """The text with PEM blocks, tokens and authorisations replaced, and control characters escaped."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found.group()):02x}", _SECRETS.sub("(secret)", text))


class JsonLines(logging.Formatter):
    """One line for a record: time, level, event, and the fields given as ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as redacted JSON text."""
        line: dict[str, Any] = {"time": round(record.created, 6), "level": record.levelname.lower()}
        line["event"] = record.getMessage()
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(
            {name: _clean(value) for name, value in line.items()}, default=lambda other: redacted(str(other))
        )


class _Redacted(logging.Formatter):
    """Plain lines without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as redacted text."""
        return redacted(super().format(record))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {str(name): _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


class BoundedHandler(logging.handlers.QueueHandler):
    """Hands records to the writer's queue; drops and counts when it is full."""

    def __init__(self, lines: "queue.Queue[Any]") -> None:
        super().__init__(lines)
        self.dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the record, never wait."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file that only its owner may read; that it cannot be written is said once, on standard error."""

    failed = 0

    def handleError(self, record: logging.LogRecord) -> None:
        """A line that could not be written: the quoter goes on without it."""
        self._missed(sys.exception())

    def close(self) -> None:
        """Close the file, whether its last lines can be written or not."""
        try:
            super().close()
        except OSError as error:
            self._missed(error)

    def _missed(self, error: BaseException | None) -> None:
        self.failed += 1
        if self.failed == 1:
            print(f"the log cannot be written, going on without: {error}", file=sys.stderr)

    def _open(self) -> Any:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8")


@contextmanager
def opened(file: Path | None, level: str, bytes_max: int) -> Iterator[logging.Logger]:
    """The application's logger, writing to ``file`` (None: nowhere) until the block ends.

    Raises OSError if it cannot.
    """
    logger = logging.Logger("quoter", level.upper())
    if logging.lastResort is not None:
        # What libraries log, where nobody listens, goes to standard error.
        logging.lastResort.setFormatter(_Redacted())
    if file is None:
        logger.addHandler(logging.NullHandler())
        yield logger
        return
    writer = _PrivateFile(file, maxBytes=bytes_max, backupCount=1)
    writer.setFormatter(JsonLines())
    lines: queue.Queue[Any] = queue.Queue(QUEUE_LINES_MAX)
    handler = BoundedHandler(lines)
    logger.addHandler(handler)
    listener = logging.handlers.QueueListener(lines, writer)
    listener.start()
    try:
        yield logger
    finally:
        if handler.dropped:
            logger.warning("log lines dropped", extra={"fields": {"lines": handler.dropped}})
        listener.stop()
        writer.close()
