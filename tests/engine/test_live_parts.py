"""Parts of the live application: status and summary, log and redaction, tuning, the exchange child, exit statuses."""

import gc
import io
import json
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from engine.config import load
from engine.live import app
from engine.live.clock import now_ns
from engine.live.host import facts, hints
from engine.live.latency import PREFIX, Latency
from engine.live.local_exchange import ExchangeFailed, LocalExchange
from engine.live.log import opened, redacted
from engine.live.parent import die_with
from engine.live.report import run_report
from engine.live.status import StatusLine, status_line, summary
from engine.live.tuning import Tuning
from feed.waterfall import Waterfall
from kernels.addresses import Addresses
from kernels.cache import CacheWarning
from kernels.histogram import Histogram
from kernels.segment import segments

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEcanary\n-----END PRIVATE KEY-----"
JWT = "eyJhbGciOiJSUzUxMiJ9canary.eyJpYXQiOjE3MDAwMDAwMDB9canary.c2lnbmF0dXJlLWNhbmFyeQ"


def core_status(**changes: Any) -> dict[str, Any]:
    status = {
        "mode": "ACTIVE",
        "ticks": 12345,
        "messages_sent": 40,
        "quotes_sent": 200,
        "fills": 3,
        "position": {"BTC-PERPETUAL": 0.25, "ETH-PERPETUAL": 0.0},
        "max_abs_position": {"BTC-PERPETUAL": 0.5, "ETH-PERPETUAL": 0.1},
        "pnl_usd": 1.25,
        "fees_usd": 0.5,
        "funding_usd": 0.0,
        "orders_left": 0,
        "instruments": {
            "BTC-PERPETUAL": {
                "regime": {"now": "widened"},
                "signals": {
                    "enabled": True,
                    "worth": {"momentum": {"weight_bps": 0.3}, "reversal": {"weight_bps": 0.0}},
                },
            }
        },
    }
    return status | changes


def reported(**changes: Any) -> dict[str, Any]:
    latency = Histogram()
    for value_ns in (2_000, 3_000, 90_000):
        latency.record(value_ns)
    figures = {"tick_to_quote": latency.as_dict()}
    return run_report(core_status(**changes), figures, reason="time is up", seconds=20.0, labels={"network": "local"})


def test_the_report_has_the_promised_members() -> None:
    report = reported()
    for name in [
        "ticks",
        "messages_sent",
        "quotes_sent",
        "fills",
        "position",
        "max_abs_position",
        "pnl_usd",
        "fees_usd",
        "orders_left",
        "mode",
    ]:
        assert name in report
    assert {"p50", "p99", "p999", "n"} <= set(report["latency_ns"]["tick_to_quote"])
    assert (report["position"], report["max_abs_position"]) == (0.25, 0.5)
    assert reported(orders_left=-1)["orders_left"] is None


def test_the_status_line_holds_what_matters() -> None:
    line = status_line(reported())
    for part in (
        "ACTIVE",
        "ticks 12,345",
        "quotes 200",
        "fills 3",
        "widened, 1 signals",
        "BTC-PERPETUAL +0.25",
        "PnL +1.25 USD",
        "p50 3.0 us",
        "p99 90",
    ):
        assert part in line
    assert "PnL -" in status_line(reported(pnl_usd=None))


def test_the_summary_says_whether_orders_are_left() -> None:
    assert "no order left" in summary(reported())
    assert "ORDERS MAY BE LEFT (2)" in summary(reported(orders_left=2))
    assert "ORDERS MAY BE LEFT (unknown)" in summary(reported(orders_left=-1))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_and_a_file_sees_lines() -> None:
    terminal, plain = Terminal(), io.StringIO()
    for stream in (terminal, plain):
        line = StatusLine(stream)
        line.show("one")
        line.show("two")
        line.note("note")
        line.end()
    assert terminal.getvalue() == "\r\x1b[Kone\r\x1b[Ktwo\nnote\n"
    assert plain.getvalue() == "one\ntwo\nnote\n"


def test_the_log_is_json_and_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "quoter.log"
    with opened(path, "info", 10_000) as log:
        log.debug("hidden")
        log.info("login", extra={"fields": {"key": PEM, "nested": {"token": [JWT]}, "n": 3}})
        log.warning(f"Authorization: Bearer abcanary and {JWT} and \x1b[31m")
        try:
            raise ValueError(PEM)
        except ValueError:
            log.exception("failed")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert lines[0]["n"] == 3
    assert "canary" not in path.read_text()
    assert "\x1b" not in lines[1]["event"]
    assert path.stat().st_mode & 0o077 == 0


def test_redaction_leaves_ordinary_text_alone() -> None:
    text = "BTC-PERPETUAL 60000.5 x 0.25 at 2026-01-01T00:00:00 wss://thalex.com/ws/api/v2"
    assert redacted(text) == text


def test_a_full_log_queue_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.live.log.QUEUE_LINES_MAX", 2)
    monkeypatch.setattr(logging.handlers.QueueListener, "start", lambda self: None)
    monkeypatch.setattr(logging.handlers.QueueListener, "stop", lambda self: None)
    with opened(tmp_path / "a.log", "info", 10_000) as log:
        for _ in range(5):
            log.info("line")
        handler = log.handlers[0]
        assert handler.dropped == 3  # type: ignore[attr-defined]


def test_a_processor_that_does_not_exist_is_refused() -> None:
    (problem,) = Tuning(cpu=4096).problems()
    assert str(problem).startswith("--cpu = 4096: this process may not use that processor (allowed: one of ")
    assert Tuning(cpu=min(os.sched_getaffinity(0))).problems() == []


def test_host_facts_are_read() -> None:
    found = facts()
    assert found["cpus"]
    assert any("governor powersave" in hint for hint in hints(found | {"governor": "powersave"}))


def test_an_exchange_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ExchangeFailed, match=r"did not start: .*no-such"):
        _ = LocalExchange(["--market", str(tmp_path / "no-such")]).url


def test_a_child_ends_when_its_parent_is_killed() -> None:
    child = (
        f"import sys, time; from {die_with.__module__} import die_with\n"
        "print(die_with(int(sys.argv[1])), flush=True); time.sleep(60)"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}, str(os.getpid())], stdout=subprocess.PIPE)\n"
        "print(child.pid, child.stdout.readline().decode(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid, tied = process.stdout.readline().split()
        process.kill()
        process.wait()
    assert tied == "True"
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        subprocess.run(["sleep", "0.02"], check=True)
    pytest.fail(f"child {pid} outlived its parent")


def test_latency_is_in_shared_memory_while_it_runs_and_knows_the_collections() -> None:
    mine = f"{PREFIX}-{os.getpid()}-"
    with Latency(pytest.fail) as latency:
        assert [name for name in segments(PREFIX) if name.startswith(mine)] == [f"{mine}slow", f"{mine}stages"]
        latency.waterfall.counts()
        for _ in range(200):
            latency.waterfall.begin(now_ns())
            latency.waterfall.lap(2)
            latency.waterfall.written()
            latency.waterfall.end()
        gc.collect()
        latency.waterfall.look(now_ns(), 1)
        latency.waterfall.begin(now_ns())
        latency.waterfall.end()
        assert latency.brief()["tick_to_quote"]["n"] == 200
        told = latency.whole(0)
        found, facts = told["latency_ns"], told["waterfall"]
        assert found["gc"]["n"] >= 1 and found["decode"]["n"] == found["stages_total"]["n"] > 0
        assert "ack_insert" not in found, "what was never seen is left out"
        assert (facts["reads"], facts["every"], facts["slow"], facts["exchange_clock"]) == (201, 32, 1, None)
        assert facts["slow_reads"][0]["total_ns"] > 1
        latency.waterfall.exchange.heard(1_000.0, int(999e9))
        latency.waterfall.exchange.executed(1_000.002, int(999e9))
        clock = latency.whole(int(0.5e9))["waterfall"]["exchange_clock"]
        assert clock == {"ahead_ns": pytest.approx(501e6, abs=1e3), "uncertain_ns": pytest.approx(1e6, abs=1e3)}
    assert not [name for name in segments(PREFIX) if name.startswith(mine)]
    assert not [callback for callback in gc.callbacks if getattr(callback, "__self__", None) is latency]


def test_latency_without_shared_memory_says_so_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(prefix: str | None, every: int) -> Waterfall:
        if prefix is not None:
            raise OSError(28, "No space left on device")
        return Waterfall(None, every)

    monkeypatch.setattr("engine.live.latency.Waterfall", full)
    said: list[str] = []
    with Latency(said.append) as latency:
        assert "quoter top" in said[0] and "No space left" in said[0]
        assert latency.brief()["tick_to_quote"]["n"] == 0


def test_kernels_that_were_compiled_alone_are_told_and_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, shown = app.kept.addresses(), io.StringIO()

    def compiled_alone() -> Addresses:
        warnings.warn("half of the kernels is compiled here: killed", CacheWarning, stacklevel=1)
        return real

    monkeypatch.setattr(app.kept, "addresses", compiled_alone)
    with opened(tmp_path / "log", "info", 1 << 20) as log:
        assert app._kernels(None, load().config, StatusLine(shown), log) == real
    assert shown.getvalue() == "note: half of the kernels is compiled here: killed\n"
    logged = json.loads((tmp_path / "log").read_text())
    assert (logged["level"], logged["problem"]) == ("warning", "half of the kernels is compiled here: killed")
