"""``quoter check --host``: every cost is seen, each with its remedy; what the kernel does not tell is unknown."""

import json
import os
from pathlib import Path

from click.testing import CliRunner

from engine.bench.host import findings
from engine.cli.main import cli

FILES = {
    "sys/devices/system/cpu/isolated": ("\n", "3\n"),
    "sys/kernel/mm/transparent_hugepage/enabled": ("[always] madvise never\n", "always [madvise] never\n"),
    "sys/devices/system/clocksource/clocksource0/current_clocksource": ("hpet\n", "tsc\n"),
}
CPU_FILES = {
    "cpufreq/scaling_governor": ("powersave\n", "performance\n"),
    "topology/thread_siblings_list": ("0-1", "0"),
}
NAMES = ("frequency governor", "isolated processors", "SMT siblings", "transparent huge pages", "clock source")


def write(root: Path, which: int) -> Path:
    files = dict(FILES)
    for cpu in os.sched_getaffinity(0):
        files |= {f"sys/devices/system/cpu/cpu{cpu}/{name}": texts for name, texts in CPU_FILES.items()}
    for name, texts in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(texts[which])
    return root


def test_each_cost_is_told_with_its_remedy(tmp_path: Path) -> None:
    slow = {f.name: f for f in findings(write(tmp_path / "slow", 0))}
    fast = {f.name: f for f in findings(write(tmp_path / "fast", 1))}
    for name in NAMES:
        assert slow[name].ok is False and slow[name].remedy in str(slow[name]), name
        assert fast[name].ok is True and fast[name].remedy not in str(fast[name]), name


def test_what_the_kernel_does_not_tell_is_unknown(tmp_path: Path) -> None:
    unknown = {f.name: f for f in findings(tmp_path)}
    assert all(unknown[name].ok is None for name in NAMES)


def test_the_command_prints_one_object_or_a_line_each() -> None:
    shown = CliRunner().invoke(cli, ["check", "--host", "--json"])
    report = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert report["ok"] == all(f["ok"] is not False for f in report["findings"])
    lines = CliRunner().invoke(cli, ["check", "--host"]).stdout.splitlines()
    assert len(lines) == len(report["findings"]) == 7
