"""``quoter replay`` on a recorded session: verified, explained, damaged, absent."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.cli.main import cli
from engine.journal.explain import event_told
from engine.journal.replay import Event
from feed.journal import Journal, Kind, Record, segment_files
from tests.engine.test_journal_replay import journal_of, rewritten
from tests.engine.test_tape import recorded


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world, tape, _ = recorded("mass_quote")
    directory = tmp_path_factory.mktemp("journal") / "run"
    journal_of(tape, world.plan, directory)
    return directory


def quoter(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["replay", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_verify(run: Path) -> None:
    status, out, _ = quoter(run.parent, "--verify")
    assert status == 0
    assert "identical: SHA-256" in out
    status, out, _ = quoter(run, "--verify", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["ok"]
    assert report["identical"]
    assert report["recorded_sha256"] == report["replayed_sha256"]
    assert report["records"] == len(list(Journal(run).records()))


def test_a_difference_is_shown_with_both_versions(run: Path, tmp_path: Path) -> None:
    records = list(Journal(run).records())
    victim = [i for i, record in enumerate(records) if record.kind is Kind.OUTPUT][30]
    changed: Any = records[victim]
    object.__setattr__(changed, "data", changed.data.replace(b'"id":', b'"ID":'))
    rewritten(records, tmp_path / "run")
    status, out, _ = quoter(tmp_path / "run", "--verify")
    assert status == 1
    assert "DIFFERS at record" in out
    assert '"ID":' in out.split("recorded  ")[1].split("replayed")[0]
    status, out, _ = quoter(tmp_path / "run", "--json")
    difference = json.loads(out)["difference"]
    assert difference["recorded"].replace('"ID":', '"id":') == difference["replayed"]
    assert difference["event"]["input"]


def test_explain_shows_the_model_behind_a_quote(run: Path) -> None:
    records = list(Journal(run).records())
    quote = [r.sequence for r in records if r.kind is Kind.OUTPUT and b"mass_quote" in r.data][5]
    status, out, _ = quoter(run, "--until", quote, "--explain", "--json")
    told = json.loads(out)["explanation"]
    assert status == 0
    assert any("mass_quote" in output["method"] for output in told["event"]["outputs"])
    (name, model), *_ = told["model"].items()
    sent = next(output for output in told["event"]["outputs"] if "mass_quote" in output["method"])
    prices = {level[0] for quotes in sent["params"]["quotes"] for side in "ba" for level in quotes.get(side, [])}
    tick = model["settings"]["tick_usd"]
    target = {ticks * tick for side in ("bid_ticks", "ask_ticks") for ticks in model["target"][side]}
    assert prices
    assert prices <= target
    assert told["status"]["instruments"][name]["why"] == "quoting"
    status, out, _ = quoter(run, "--until", quote, "--explain")
    assert "reservation_usd = " in out
    assert f"record {told['event']['sequence']}:" in out


def test_a_flipped_byte_is_located(run: Path, tmp_path: Path) -> None:
    tmp_path.joinpath("run").mkdir()
    content = bytearray(segment_files(run)[0].read_bytes())
    content[len(content) // 3] ^= 1
    (tmp_path / "run" / "000000.journal").write_bytes(content)
    status, out, _ = quoter(tmp_path / "run", "--verify", "--json")
    told = json.loads(out)
    assert status == 1
    assert told["file"].endswith("000000.journal")
    assert told["offset"] <= len(content) // 3
    assert "--until" in told["error"]
    status, out, _ = quoter(tmp_path / "run", "--until", told["record"] - 1)
    assert status == 0


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    status, _, err = quoter(tmp_path)
    assert status == 2
    assert "quoter run --journal" in err
    status, out, _ = quoter(tmp_path / "nothing", "--json")
    assert status == 2
    assert not json.loads(out)["ok"]


def test_an_event_is_told_whatever_it_holds() -> None:
    record = Record(7, Kind.DISCONNECTED, 5, True, b"cut \xff")
    told = event_told(Event(record, (b'{"id":1}', b"not json"), frozenset({1}), 9))
    assert told["input"] == "cut \N{REPLACEMENT CHARACTER}"
    assert told["outputs"] == [{"id": 1}, "not json"]
    assert told["refused_outputs"] == [1]
