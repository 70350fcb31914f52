"""One quoter an account: the lock, whom it names, and that a kill frees it."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.live.alone import AlreadyRunning, alone

URL = "ws://127.0.0.1:1/ws/api/v2"
HOLDER = """
import sys
from pathlib import Path
from engine.live.alone import alone
with alone(Path(sys.argv[1]), sys.argv[2], "K1"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_with_the_first_ones_id_until_that_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "data"), URL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"), alone(tmp_path / "data", URL, "K1"):
            raise AssertionError("two hold the lock")
        with alone(tmp_path / "data", URL, "K2"), alone(tmp_path / "data", URL + "?", "K1"):
            holder.kill()
            holder.wait()
    with alone(tmp_path / "data", URL, "K1"):
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0
