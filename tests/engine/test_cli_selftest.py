"""``quoter selftest``: a table of checks, and status 1 when one of them fails."""

import json

import pytest
from click.testing import CliRunner

from engine.cli.main import cli
from kernels import selftest


def test_the_short_form_passes() -> None:
    done = CliRunner().invoke(cli, ["selftest", "--short", "--json"])
    report = json.loads(done.stdout)
    assert done.exit_code == 0
    assert report["ok"] is True
    assert len(report["checks"]) >= 10
    assert all(check["source"] for check in report["checks"])


def test_a_failed_check_is_shown_and_is_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [selftest.Check("good", 1.0, 1.0, 0.1, "a book"), selftest.Check("bad", 1.0, 2.0, 0.1, "a paper")]
    monkeypatch.setattr(selftest, "run", lambda short: checks)
    done = CliRunner().invoke(cli, ["selftest"])
    assert done.exit_code == 1
    assert "FAILED bad" in done.stdout
    assert "1 of 2 passed" in done.stdout
