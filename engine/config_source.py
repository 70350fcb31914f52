"""Where configuration comes from: a TOML file, the environment and ``.env``, flags; each becomes a list of ``Given``
values.

Nothing is interpreted here beyond syntax: which keys exist and what they may hold is ``config_schema``'s business.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config_errors import ConfigRefused, Problem

FILE_BYTES_MAX = 1 << 20
"""A larger file is not a configuration."""

PREFIX = "QUOTER_"

RESERVED = frozenset(
    {"QUOTER_CONFIG", "QUOTER_DEBUG", "QUOTER_NATIVE", "QUOTER_ANNOTATE", "QUOTER_PREBUILT", "QUOTER_SHARED"}
    | {"QUOTER_HYPOTHESIS"}
)
"""Names with our prefix that are not configuration keys."""

_ENV_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Given:
    """One value as given: dotted path, value, and the layer it came from (for messages)."""

    path: str
    value: Any
    source: str


def read_text(path: Path, what: str) -> str:
    """Text of a regular file of bounded size in UTF-8 (a byte-order mark and CRLF are taken).

    Raises ``ConfigRefused`` for a missing file, a directory, a symbolic link, a device, a file too large or not UTF-8.
    """

    def refused(why: str, remedy: str) -> ConfigRefused:
        return ConfigRefused([Problem(str(path), why, remedy=remedy)])

    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise refused(f"{what} is a symbolic link", f"give the file itself: {os.path.realpath(path)}")
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise refused(f"{what} is {kind}", "give the path of a file")
        if status.st_size > FILE_BYTES_MAX:
            raise refused(f"{what} has {status.st_size} bytes", f"at most {FILE_BYTES_MAX} are read")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise refused(f"{what} does not exist", "check the path") from None
    except UnicodeDecodeError as error:
        raise refused(f"{what} is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    except OSError as error:
        raise refused(f"{what} cannot be read: {error.strerror}", "check its permissions") from None


def from_toml(path: Path) -> list[Given]:
    """Leaves of a TOML file. Raises ``ConfigRefused`` with line and column on a syntax error or a duplicate key."""
    try:
        tree = tomllib.loads(read_text(path, "the configuration file"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigRefused(
            [Problem(str(path), f"not valid TOML: {error}", remedy="each key once, strings in quotes")]
        ) from None
    return list(_flatten(tree, "", str(path)))


def _flatten(tree: Mapping[str, Any], prefix: str, source: str) -> Iterator[Given]:
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from _flatten(value, path + ".", source)
        else:
            yield Given(path, value, source)


def parse_env_file(text: str, source: str) -> dict[str, str]:
    """Variables of a ``.env`` file: ``NAME=value`` lines, ``export`` allowed, quotes removed, ``#`` comments.

    Raises on other lines.
    """
    values: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ENV_LINE.match(line)
        if match is None:
            problems.append(Problem(f"{source}:{number}", "not a NAME=value line", remedy="comment it out with #"))
            continue
        name, value = match.groups()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].rstrip()
        if name in values:
            problems.append(Problem(f"{source}:{number}", f"{name} is given twice", remedy="keep one"))
        values[name] = value
    if problems:
        raise ConfigRefused(problems)
    return values


def from_environment(values: Mapping[str, str], source: str) -> list[Given]:
    """Keys of the form ``QUOTER_RISK__MAX_POSITION``: prefix, then the path with ``__`` between its parts."""
    return [
        Given(name.removeprefix(PREFIX).lower().replace("__", "."), value_of(text), f"{source} {name}")
        for name, text in values.items()
        if name.startswith(PREFIX) and name not in RESERVED
    ]


def from_settings(settings: Iterable[str]) -> list[Given]:
    """``path=value`` texts of ``--set``. Raises ``ConfigRefused`` naming every text without ``=``."""
    given, problems = [], []
    for text in settings:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            problems.append(
                Problem("--set", f"{path.strip()!r} has no value", remedy="write --set risk.max_position=2")
            )
        given.append(Given(path.strip(), value_of(value.strip()), "--set"))
    if problems:
        raise ConfigRefused(problems)
    return given


def value_of(text: str) -> Any:
    """A text as the TOML value it spells (number, true, list, quoted text), else the text itself."""
    try:
        value = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return value["value"] if set(value) == {"value"} and "\n" not in text else text
