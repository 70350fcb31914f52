"""``docs/configuration.md``, written from the schema: ``python -m engine.config_doc > docs/configuration.md``."""

from collections.abc import Iterator
from math import isinf
from typing import Any

from engine.config_schema import ALIASES, Key, all_keys

HEAD = """# Configuration

Every key, its unit, default and range. Written from the schema by `python -m engine.config_doc`; a test keeps it
current.

Layers of rising priority: defaults, a TOML file (`--config FILE` or `QUOTER_CONFIG`), `.env` in the working
directory, the environment, flags. In the environment a key is `QUOTER_` and its path with `__` between the parts
(`QUOTER_RISK__MAX_POSITION=2`); on the command line `--set risk.max_position=2`. Unknown keys, values out of range
and contradictions are refused, all of them at once, before anything is sent. `quoter check` shows the values in
effect, where each comes from, and what the fees leave.

Keys marked R are read at the start only; `quoter set` and SIGHUP change the others while running.

"Not given" means that the scale-free neighbour decides. A private key never stands here: `credentials` names a file
that its owner alone can read, or an environment variable.
"""


def _value(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{item:g}" for item in value) + "]"
    if isinstance(value, float):
        return "inf" if isinf(value) else f"{value:.10g}"
    return str(value)


def _row(leaf: Key) -> str:
    name = leaf.path.rpartition(".")[2]
    restart = "" if leaf.changeable else "R"
    cells = (
        f"`{name}`",
        restart,
        leaf.unit,
        f"`{_value(leaf.default)}`",
        leaf.allowed.replace("|", "\\|"),
        leaf.text,
    )
    return "| " + " | ".join(cells) + " |"


def lines() -> Iterator[str]:
    """The document, line by line."""
    yield from HEAD.splitlines()
    table = ""
    for leaf in all_keys().values():
        if (section := leaf.path.rpartition(".")[0]) != table:
            table = section
            yield from (
                "",
                f"## `[{table}]`",
                "",
                "| key | | unit | default | allowed | meaning |",
                "|---|---|---|---|---|---|",
            )
        yield _row(leaf)
    yield from ("", "## Other names", "")
    yield from (f"- `{alias}` is accepted for `{home}`." for alias, home in ALIASES.items())


if __name__ == "__main__":
    print("\n".join(lines()))
