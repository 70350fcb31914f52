"""What is wrong with a configuration, all of it at once, in words that name key, value, allowed range and remedy."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SECRET = "(secret, not shown)"

_SECRET_SHAPES = re.compile(
    r"-----BEGIN|PRIVATE KEY|[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|[A-Za-z0-9+/=_-]{65,}"
)


def looks_secret(value: object) -> bool:
    """Whether a value has the shape of a PEM block, a JSON web token, or of a long run of base64."""
    return bool(_SECRET_SHAPES.search(str(value)))


def shown(value: Any) -> str:
    """A value as it may be printed: secrets hidden, control characters escaped, 80 characters at most."""
    if looks_secret(value):
        return SECRET
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    if isinstance(value, tuple):
        text = repr(list(value))
    return text if len(text) <= 80 else text[:77] + "..."


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse a configuration.

    ``path`` is the dotted key (or a file name), ``value`` what it holds as it may be shown, ``source`` the layer that
    gave it, ``others`` further keys that take part in a contradiction.
    """

    path: str
    why: str
    value: str | None = None
    allowed: str = ""
    remedy: str = ""
    source: str = ""
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``key = value: why (allowed: …; remedy; from …)``."""
        head = self.path if self.value is None else f"{self.path} = {self.value}"
        notes = [
            f"allowed: {self.allowed}" if self.allowed else "",
            self.remedy,
            f"from {self.source}" if self.source else "",
        ]
        tail = "; ".join(note for note in notes if note)
        return f"{head}: {self.why}" + (f" ({tail})" if tail else "")

    def as_dict(self) -> dict[str, str | None]:
        """The same for machines."""
        return {
            "key": self.path,
            "value": self.value,
            "why": self.why,
            "allowed": self.allowed,
            "remedy": self.remedy,
            "source": self.source,
        }


class ConfigRefused(ValueError):
    """The configuration is refused; ``problems`` holds every reason."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"configuration refused, {count} problem{'s' if count != 1 else ''}:{lines}")
