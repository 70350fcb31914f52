"""docs/faults.md shows the tests that there are; every row of the release gate is tested or accounted for."""

import re

from tests.faults.table import PAGE, page, rows
from tests.shared import ROOT

GATE = {
    *(f"R{n}" for n in (1, 2, 3, 5, 7, 9)),
    *(f"N{n}" for n in (1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15)),
    *(f"E{n}" for n in (*range(1, 17), 20, 22, 23, 24, 26, 27, 28, 29)),
    *(f"P{n}" for n in range(1, 9)),
    *(f"C{n}" for n in (1, 2, 3, 4, 6)),
    *(f"D{n}" for n in range(1, 6)),
    *(f"O{n}" for n in (1, 2, 3, 4, 5, 9)),
}  # fmt: skip


def test_the_table_is_current() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "run python -m tests.faults.table"


def test_every_row_of_the_release_gate_is_accounted_for() -> None:
    tested = {number for number, *_ in rows()}
    elsewhere, _, not_here = PAGE.read_text("utf-8").partition("## Proven elsewhere")[2].partition("## Not here")
    named = set(re.findall(r"\b[NEPCRDO]\d+\b", elsewhere + not_here))
    assert sorted(GATE - tested - named) == []
    missing = set(re.findall(r"^- ([NEPCRDO]\d+),", not_here, re.MULTILINE))
    assert sorted(missing & tested) == [], "tested here after all"
    files = re.findall(r"`(tests/[\w/.]+)`", elsewhere)
    assert len(files) > 15
    assert [file for file in files if not (ROOT / file).exists()] == []
