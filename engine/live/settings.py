"""The configuration in force, and how it changes while the quoter runs: validated whole, then taken or refused."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from logging import Logger
from typing import Any

from engine.config import Loaded, changed
from engine.config_errors import ConfigRefused, Problem, shown
from engine.config_schema import Config, all_keys, is_changeable
from engine.config_source import Given, from_settings
from engine.core.plan import CorePlan
from engine.plan_builder import core_plan

RESTART = "restart the quoter with it"


Configure = Callable[[CorePlan, int, dict[str, Any]], None]
"""Gives the core another plan, with the time in ns and labels for the journal; raises ValueError when it cannot."""


@dataclass(frozen=True, slots=True)
class Change:
    """One key's change; values as they may be shown."""

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        """``key: old -> new``."""
        return f"{self.path}: {self.old} -> {self.new}"


class RunSettings:
    """The configuration of one run.

    ``reread``: the start's own way to load it. ``quoting``: what of it is quoted by. ``configure``: of the core.
    """

    def __init__(
        self,
        loaded: Loaded,
        reread: Callable[[], Loaded],
        quoting: Callable[[Loaded], Config],
        configure: Configure,
        now_ns: Callable[[], int],
        log: Logger,
    ) -> None:
        self._loaded = loaded
        self._reread = reread
        self._quoting = quoting
        self._configure = configure
        self._now_ns = now_ns
        self._log = log
        self.version = 0

    @property
    def told(self) -> dict[str, Any]:
        """Version (changes since the start) and hash, for status and reports."""
        return {"version": self.version, "sha256": digest(self._loaded.config)}

    def set(self, texts: Iterable[str], by: str) -> list[Change]:
        """Take ``path=value`` texts on top of what is in force. Raises ``ConfigRefused`` with every reason."""
        problems: list[Problem] = []
        try:
            given = from_settings(texts)
        except ConfigRefused as refused:
            raise self._refused(list(refused.problems), by) from None
        problems += [_fixed(value.path, shown(value.value)) for value in given if _is_fixed(value.path)]
        try:
            loaded = changed(self._loaded, [Given(value.path, value.value, by) for value in given])
        except ConfigRefused as refused:
            problems = [*refused.problems, *problems]
        if problems:
            raise self._refused(problems, by)
        return self._take(loaded, by)

    def reread(self, by: str) -> list[Change]:
        """Load everything anew as the start did; values of ``set`` are gone. Raises ``ConfigRefused``."""
        try:
            loaded = self._reread()
        except ConfigRefused as refused:
            raise self._refused(list(refused.problems), by) from None
        return self._take(loaded, by)

    def _take(self, loaded: Loaded, by: str) -> list[Change]:
        changes = list(differences(self._loaded.config, loaded.config))
        fixed = [_fixed(change.path, change.new) for change in changes if not is_changeable(change.path)]
        if fixed:
            raise self._refused(fixed, by)
        if not changes:
            self._loaded = loaded
            return changes
        told = {change.path: [change.old, change.new] for change in changes}
        labels = {"by": by, "changes": told, "config_sha256": digest(loaded.config)}
        try:
            self._configure(core_plan(self._quoting(loaded)), self._now_ns(), labels)
        except ValueError as refused:
            raise self._refused([Problem("configuration", str(refused))], by) from None
        self._loaded = loaded
        self.version += 1
        fields = {"by": by, **self.told, "changes": told}
        self._log.warning("configuration changed", extra={"fields": fields})
        return changes

    def _refused(self, problems: list[Problem], by: str) -> ConfigRefused:
        told = [problem.as_dict() for problem in problems]
        self._log.warning("configuration refused", extra={"fields": {"by": by, "problems": told}})
        return ConfigRefused(problems)


def differences(old: Config, new: Config) -> Iterable[Change]:
    """Every key whose value differs, in the order of the schema."""
    for path in all_keys():
        before, after = value_at(old, path), value_at(new, path)
        if before != after:
            yield Change(path, shown(before), shown(after))


def value_at(config: Config, path: str) -> Any:
    """The value of a key by its dotted path."""
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def digest(config: Config) -> str:
    """A hash over every key's value."""
    values: Mapping[str, Any] = {path: value_at(config, path) for path in all_keys()}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _is_fixed(path: str) -> bool:
    return path in all_keys() and not is_changeable(path)


def _fixed(path: str, value: str) -> Problem:
    return Problem(path, "cannot change while running", value, remedy=RESTART)
