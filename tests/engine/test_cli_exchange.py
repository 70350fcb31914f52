"""``quoter exchange`` as a process: the first line, a client, its end, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.cli.exchange import parsed
from engine.cli.main import cli
from engine.live.local_exchange import LocalExchange
from feed.exchange.options import Options

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def exchange(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "engine.cli.main", "exchange", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_it_says_where_it_listens_and_ends_at_ctrl_c() -> None:
    with exchange("--seed", "3") as (process, description):
        assert description["url"].startswith("ws://127.0.0.1:")
        assert {"BTC-PERPETUAL", "ETH-PERPETUAL"} <= set(description["instruments"])
        assert (description["recorded"], description["seed"], description["pid"]) == (False, 3, process.pid)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "clients 0" in complaint
        assert "Traceback" not in complaint


def test_tls_prints_the_certificate_to_trust() -> None:
    with exchange("--tls", "--quiet") as (_, description):
        assert description["url"].startswith("wss://")
        assert description["certificate_pem"].startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--host", "0.0.0.0"], "not a loopback address"),
        (["--options", "no_such=1"], "unknown switch"),
        (["--options", "message_rate=many"], "a number like 50"),
        (["--options", "reply_first=1"], "true or false"),
        (["--cert", __file__], "need --tls"),
        (["--tls", "--cert", __file__], "--cert"),
    ],
)
def test_what_it_refuses_is_status_2(arguments: list[str], why: str) -> None:
    done = CliRunner().invoke(cli, ["exchange", "--port", "0", *arguments])
    assert done.exit_code == 2
    assert why in done.stderr


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["exchange", "--port", "0", "--market", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert str(tmp_path / "none") in done.stderr


def test_switches_are_typed_like_their_defaults() -> None:
    found = parsed(Options, ["message_rate=7", "reply_first=false", "maker_fee=0.0002", "environment=production"])
    assert (found.message_rate, found.reply_first, found.maker_fee, found.environment) == (
        7,
        False,
        0.0002,
        "production",
    )
    listed = CliRunner().invoke(cli, ["exchange", "--list-options"]).stdout
    assert "maker_fee = 0.0001" in listed


def test_the_child_of_a_run_is_isolated_and_ends() -> None:
    child = LocalExchange(["--seed", "1"])
    try:
        assert child.alive
        assert child.url.startswith("ws://127.0.0.1:")
        assert os.getsid(child.pid) == child.pid, "a Ctrl-C of the terminal must not reach it"
    finally:
        child.close()
    assert not child.alive


def test_a_child_whose_parent_has_gone_does_not_start() -> None:
    done = CliRunner().invoke(cli, ["exchange", "--port", "0", "--parent-pid", "1"])
    assert done.exit_code == 2
