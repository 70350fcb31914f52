"""What changed between two looks at a run, as log lines: mode, session, fills, errors of the venue."""

from collections.abc import Mapping
from logging import INFO, WARNING, Logger
from typing import Any

WATCHED: tuple[tuple[str, int], ...] = (
    ("mode", WARNING),
    ("halt_reason", WARNING),
    ("reduce_reason", WARNING),
    ("hold_reason", WARNING),
    ("session", INFO),
    ("fills", INFO),
    ("last_error", WARNING),
)
"""Members of the core's status, and the level at which a change is logged."""

COUNTED: tuple[str, ...] = ("malformed", "resyncs", "venue_errors", "missed_lots", "history_fills", "marked_lots")
"""Counters of the core whose every step is worth a line."""


class Watch:
    """Logs what changed since the last look, and the whole state once in a while."""

    def __init__(self, log: Logger, every: int = 60) -> None:
        self._log = log
        self._every = every
        self._looks = 0
        self._changes: dict[str, int] = {}
        self._rates_why: dict[str, str] = {}
        self._seen: dict[str, Any] = {name: None for name, _ in WATCHED} | dict.fromkeys(COUNTED, 0) | {"fills": 0}

    def look(self, report: Mapping[str, Any]) -> None:
        """Compare with the last look."""
        state = {"positions": report["positions"], "pnl_usd": report["pnl_usd"]}
        for name, level in WATCHED:
            self._changed(name, report[name], level, state)
        for name, line in report["instruments"].items():
            self._regimes(name, line["regime"])
            self._rates(name, line["calibration"])
        for name in COUNTED:
            self._changed(name, report["counters"][name], WARNING, state)
        self._looks += 1
        if self._looks % self._every == 0:
            shown = ("ticks", "messages_sent", "quotes_sent", "fills", "fees_usd", "mode", "latency_ns")
            self._log.info("state", extra={"fields": {name: report[name] for name in shown} | state})

    def _regimes(self, name: str, regime: Mapping[str, Any]) -> None:
        """Every change of a regime since the last look, with its reason and measure."""
        new = regime["changes"] - self._changes.get(name, 0)
        self._changes[name] = regime["changes"]
        for change in regime["last_changes"][-new:] if new > 0 else ():
            self._log.log(WARNING, "regime", extra={"fields": {"instrument": name, **change}})

    def _rates(self, name: str, calibration: Mapping[str, Any]) -> None:
        """Whether estimates of A and k are quoted with has changed since the last look, and why."""
        why, before = calibration["why"], self._rates_why.get(name)
        if why != before:
            self._rates_why[name] = why
            shown = ("used", "kappa_per_bp", "intensity", "both", "drift")
            fields = {"instrument": name, "before": before, "now": why} | {key: calibration[key] for key in shown}
            self._log.log(INFO, "calibration", extra={"fields": fields})

    def _changed(self, name: str, value: Any, level: int, state: Mapping[str, Any]) -> None:
        before = self._seen[name]
        if value != before:
            self._seen[name] = value
            self._log.log(level, name, extra={"fields": {"before": before, "now": value, **state}})
