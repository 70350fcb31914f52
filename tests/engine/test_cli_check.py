"""``quoter`` and ``quoter check`` as a user meets them: quick help, exit statuses, every value with its source."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from engine.cli.main import COMMANDS, cli
from engine.config_schema import all_keys

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def quoter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Quoter":
    monkeypatch.chdir(tmp_path)
    return Quoter()


class Quoter:
    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)


def test_help_lists_the_commands_and_imports_none_of_them() -> None:
    code = (
        "import sys; from engine.cli.main import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'numba', 'numpy', 'picows', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    for name in COMMANDS:
        assert f"  {name} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_check_accepts_the_defaults(quoter: Quoter) -> None:
    done = quoter("check")
    assert done.exit_code == 0
    assert "network local, instruments BTC-PERPETUAL" in done.stdout
    assert "floor 1.50 - fee 1.00 = 0.50 bps at least" in done.stdout


def test_check_reports_every_key_as_json(quoter: Quoter) -> None:
    done = quoter("check", "--json", "--gamma", "0.5", "--set", "risk.max_position=2", "--label", "7")
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert set(report["values"]) == set(all_keys())
    assert report["values"]["trading_strategy.avellaneda.gamma"] == {
        "value": 0.5,
        "unit": "1/(USD*contract)",
        "source": "--gamma",
    }
    assert report["values"]["market.label"]["value"] == "7"
    assert report["values"]["trading_strategy.avellaneda.time_horizon"]["value"] is None  # infinity has no JSON
    assert report["fees"][0]["edge_bps"] == pytest.approx(0.5)


def test_a_refused_configuration_is_status_2_with_every_problem(quoter: Quoter) -> None:
    arguments = ("check", "--gamma", "-1", "--set", "risk.max_positon=2", "--levels", "many")
    done = quoter(*arguments)
    assert done.exit_code == 2
    for part in ("gamma = -1", "risk.max_positon = 2: unknown key", "max_levels = 'many'"):
        assert part in done.stderr
    report = json.loads(quoter(*arguments, "--json").stdout)
    assert report["ok"] is False
    assert {problem["key"] for problem in report["problems"]} == {
        "trading_strategy.avellaneda.gamma",
        "trading_strategy.avellaneda.max_levels",
        "risk.max_positon",
    }


def test_fees_that_cannot_be_paid_are_refused_with_the_arithmetic(quoter: Quoter) -> None:
    done = quoter("check", "--set", "trading_strategy.avellaneda.max_spread=10")
    assert done.exit_code == 2
    assert "cannot pay its fees" in done.stderr
    assert "ceiling 0.83 - fee 1.00 = -0.17 bps" in done.stderr
    at_price = ("check", "--set", "trading_strategy.avellaneda.max_spread=20", "--tick", "1", "--price")
    assert quoter(*at_price, "50000").exit_code == 0
    assert quoter(*at_price, "150000").exit_code == 2


def test_the_reference_file_is_understood_and_asks_for_a_key(quoter: Quoter) -> None:
    done = quoter("check", "--config", str(ROOT / "examples" / "config.toml"))
    assert done.exit_code == 2
    assert "network test needs a key" in done.stderr
    assert "gamma = 0.1 [1/(USD*contract)]" in done.stdout
    local = quoter("check", "--config", str(ROOT / "examples" / "config.toml"), "--network", "local")
    assert local.exit_code == 0


def test_a_world_readable_key_is_refused(quoter: Quoter, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\ncanary\n")
    key.chmod(0o644)
    done = quoter("check", "--set", f"credentials.key_file={key}", "--set", "credentials.key_id=K1")
    assert done.exit_code == 2
    assert "chmod 600" in done.stderr
    assert "canary" not in done.output


def pem(path: Path, mode: int = 0o600) -> Path:
    """A key of its own in a file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    path.chmod(mode)
    return path


def test_the_supervisor_has_a_key_of_its_own_or_a_note_says_that_it_has_none(quoter: Quoter, tmp_path: Path) -> None:
    own = ("--set", f"credentials.key_file={pem(tmp_path / 'own.pem')}", "--set", "credentials.key_id=K1")
    done = quoter("check", "--network", "test", "--json", *own)
    told = json.loads(done.stdout)
    assert (told["key"]["id"], told["key"]["supervisor_id"]) == ("K1", "K1")
    assert any("supervisor_key_file" in note for note in told["notes"])
    file = pem(tmp_path / "watch.pem")
    watching = ("--set", f"credentials.supervisor_key_file={file}", "--set", "credentials.supervisor_key_id=K2")
    told = json.loads(quoter("check", "--network", "test", "--json", *own, *watching).stdout)
    assert (told["key"]["id"], told["key"]["supervisor_id"]) == ("K1", "K2")
    assert not any("supervisor_key_file" in note for note in told["notes"])
    file.chmod(0o644)
    done = quoter("check", "--network", "test", *own, *watching)
    assert done.exit_code == 2
    assert f"chmod 600 {file}" in done.stderr


def test_price_without_tick_is_a_usage_error(quoter: Quoter) -> None:
    assert quoter("check", "--price", "5").exit_code == 2
