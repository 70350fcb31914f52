"""The table of docs/faults.md, made from the tests: ``python -m tests.faults.table`` writes it."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

from tests.shared import ROOT

PAGE = ROOT / "docs" / "faults.md"
PARTS = ("network", "exchange", "protocol", "clock", "process", "disk", "operator", "supervisor", "recorded")
BEGIN, END = "<!-- made by python -m tests.faults.table -->\n", "<!-- end -->"


def _ids(test: Any) -> Iterator[tuple[str, bool]]:
    """Ids of one test, and whether ``make test`` runs them."""
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            for case in mark.args[1]:
                yield case.id, not case.marks


def rows() -> list[tuple[str, str, str, str]]:
    """Row of the catalogue, faults tried, what is proven, file; in the order of the catalogue."""
    found = []
    for part in PARTS:
        module = importlib.import_module(f"tests.faults.test_{part}")
        for name, test in vars(module).items():
            if not name.startswith("test_"):
                continue
            faults: dict[str, list[str]] = {}
            for text, quick in _ids(test):
                number, _, fault = text.partition("-")
                faults.setdefault(number, []).append(fault.replace("-", " ") + ("" if quick else "*"))
            proven = name.removeprefix("test_").replace("_", " ")
            found += [(number, ", ".join(tried), proven, part) for number, tried in faults.items()]
    return sorted(found, key=lambda line: ("NEPCRDO".index(line[0][0]), int(re.sub(r"\D", "", line[0])), line[0]))


def table() -> str:
    """The table as Markdown."""
    lines = ["| row | faults (`*`: only `make test-faults`) | proven | test |", "|---|---|---|---|"]
    lines += [f"| {number} | {tried} | {proven} | `test_{part}.py` |" for number, tried, proven, part in rows()]
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with the table as it is now."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
