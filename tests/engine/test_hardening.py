"""Before a key is read: no other authorities, no log of session keys, no other host, no dump, no open directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.live.hardening import address_refusal, environment_refusal
from engine.live.places import made
from tests.shared import ROOT

PROD = "wss://thalex.com/ws/api/v2"
TESTNET = "wss://testnet.thalex.com/ws/api/v2"
LOOPBACK = "ws://127.0.0.1:9/ws/api/v2"


@pytest.mark.parametrize(
    ("network", "environment", "named"),
    [
        ("local", {"SSL_CERT_FILE": "/ca.pem", "SSLKEYLOGFILE": "/keys"}, None),
        ("test", {"SSL_CERT_FILE": "/ca.pem", "SSL_CERT_DIR": "/ca"}, None),
        ("test", {"SSLKEYLOGFILE": "/keys"}, "SSLKEYLOGFILE"),
        ("prod", {"SSLKEYLOGFILE": "/keys"}, "SSLKEYLOGFILE"),
        ("prod", {"SSL_CERT_FILE": "/ca.pem"}, "SSL_CERT_FILE"),
        ("prod", {"SSL_CERT_DIR": "/ca"}, "SSL_CERT_DIR"),
        ("prod", {"SSL_CERT_FILE": "", "HOME": "/root"}, None),
    ],
)
def test_environments(network: str, environment: dict[str, str], named: str | None) -> None:
    why = environment_refusal(network, environment)
    assert (why is None) if named is None else (why is not None and why.startswith(f"{named} is set"))


@pytest.mark.parametrize(
    ("network", "url", "refused"),
    [
        ("prod", PROD, False),
        ("prod", PROD.replace("thalex.com", "thalex.com.example.org"), True),
        ("prod", PROD.replace("thalex.com", "thalex.com:8443"), True),
        ("prod", PROD.replace("wss", "ws"), True),
        ("prod", TESTNET, True),
        ("prod", LOOPBACK, True),
        ("test", TESTNET, False),
        ("test", LOOPBACK, False),
        ("test", PROD, True),
        ("local", PROD.replace("thalex", "Thalex"), True),
        ("local", LOOPBACK, False),
    ],
)
def test_addresses(network: str, url: str, refused: bool) -> None:
    assert (address_refusal(network, url) is not None) == refused


DUMPING = """
import ctypes, os, resource, signal
from engine.live.hardening import no_dumps
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
no_dumps()
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_crash_dumps_no_memory() -> None:
    child = subprocess.Popen([sys.executable, "-c", DUMPING], cwd=ROOT)
    _, status = os.waitpid(child.pid, 0)
    child.returncode = 0
    assert os.WIFSIGNALED(status)
    assert not os.WCOREDUMP(status)


def test_a_directory_that_was_open_is_closed_to_others(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    directory.chmod(0o755)
    made(directory)
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a directory away needs root")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    os.chown(directory, 12345, 12345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        made(directory)
