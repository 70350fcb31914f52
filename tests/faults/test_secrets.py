"""Canary secrets: a real key and its login tokens are in no output, whatever goes wrong.

Looked through: standard output and error, log, journal, state, shared memory, other commands, what a crash prints. A
key is looked for as the lines of its PEM text and as its numbers, a token by its parts.
"""

import json
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from feed.venue import ErrorCode
from kernels.segment import DIRECTORY
from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.venue import Quoter, quoting
from tests.shared import ROOT

AGAIN_S = 20.0
TEST = ("--network", "test", "--supervisor")


class Canary:
    """A key made for one test, in a file of ours alone."""

    def __init__(self, directory: Path) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PrivateFormat.TraditionalOpenSSL
        pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        self.path = directory / "key.pem"
        self.path.write_bytes(pem)
        self.path.chmod(0o600)
        numbers = private.private_numbers()
        self.secrets = [line for line in pem.splitlines() if b"-----" not in line]
        for number in (numbers.d, numbers.p, numbers.q):
            self.secrets += [str(number).encode(), f"{number:x}".encode(), f"{number:X}".encode()]

    def settings(self) -> dict[str, str]:
        """As ``Quoter`` takes them."""
        return {"credentials__key_file": str(self.path), "credentials__key_id": "KCANARY"}

    def shown_in(self, texts: dict[str, bytes], tokens: set[str]) -> list[str]:
        """Names of the texts that hold a secret."""
        parts = {part.encode() for token in tokens for part in token.split(".")[1:]}
        wanted = [*self.secrets, *parts]
        found = [name for name, text in texts.items() if any(secret in text for secret in wanted)]
        # A token that no login has used: three parts, the first a JSON object in base64.
        return found + [name for name, text in texts.items() if re.search(rb"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", text)]


def tokens(world: World) -> set[str]:
    """Every login token that the venue has seen."""
    return {asked.params["token"] for asked in world.venue.asked() if asked.method == "public/login"}


def files(world: World, canary: Canary) -> dict[str, bytes]:
    """What the quoter has written below the test's directory, and shared memory."""
    found = [path for path in world.directory.rglob("*") if path.is_file() and path != canary.path]
    found += Path(DIRECTORY).glob("quoter.*")
    return {str(path): path.read_bytes() for path in found}


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path)


def told(quoter: Quoter, *arguments: str) -> bytes:
    """What a command says from another terminal."""
    command = [sys.executable, "-m", "engine.cli.main", *arguments]
    environment = os.environ | {"XDG_STATE_HOME": str(quoter.state)}
    done = subprocess.run(command, check=False, capture_output=True, cwd=ROOT, env=environment, timeout=60)
    return done.stdout + done.stderr


def test_the_search_finds_what_is_there(world: World, canary: Canary) -> None:
    (world.directory / "leak").write_bytes(b"x" + canary.secrets[3] + b"x")
    assert canary.shown_in(files(world, canary), set()) == [str(world.directory / "leak")]
    assert canary.shown_in({"token": b"... signature ..."}, {"eyJhbGciOi.payload.signature"}) == ["token"]


@pytest.mark.faults
def test_a_run_shows_no_secret_and_what_it_writes_is_its_users_alone(world: World, canary: Canary) -> None:
    quoter = world.quoting(*TEST, **canary.settings(), log__level="debug")
    before = world.venue.connections()
    world.proxy.reset()
    quoting(world.venue, AGAIN_S, before)
    texts = files(world, canary)
    for command in (("top", "--json"), ("halt", "--network", "test"), ("check", "--json")):
        texts[command[0]] = told(quoter, *command)
    assert any(name.startswith(DIRECTORY) for name in texts)
    for path in quoter.state.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert quoter.log.stat().st_mode & 0o077 == 0
    limits = Path(f"/proc/{quoter.process.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0\s", limits)
    quoter.process.terminate()
    status, out, err = quoter.wait()
    assert status == 1, "halted"
    texts |= files(world, canary) | {"out": out.encode(), "err": err.encode()}
    assert any(name.endswith(".journal") and b"public/login" in text for name, text in texts.items())
    assert len(tokens(world)) >= 3  # two of the quoter, one of its supervisor
    assert canary.shown_in(texts, tokens(world)) == []


SPILLING = """
import sys
from pathlib import Path
from engine.cli.main import main
from feed.auth import Credentials
real, logins = Credentials.token, []
def spilling(self, now_s):
    token = real(self, now_s)
    logins.append(token)
    if len(logins) == {at}:
        raise RuntimeError("spilt " + token + " and " + Path({path!r}).read_text())
    return token
Credentials.token = spilling
main()
"""
"""An error whose message is the key and a token, at the first login or when quotes are in the market."""


@pytest.mark.parametrize("at", [1, 2], ids=["first-login", "second-login"])
@pytest.mark.faults
def test_an_error_that_holds_secrets_ends_the_run_without_showing_them(world: World, canary: Canary, at: int) -> None:
    program = SPILLING.format(at=at, path=str(canary.path))
    start = world.start if at == 1 else world.quoting
    quoter = start("--network", "test", "--no-supervisor", program=program, **canary.settings())
    if at == 2:
        world.proxy.reset()
    status, out, err = quoter.wait()
    assert status == 1, out + err
    texts = files(world, canary) | {"out": out.encode(), "err": err.encode()}
    assert "spilt (secret) and (secret)" in out + err
    assert canary.shown_in(texts, tokens(world)) == []
    wait_until(lambda: not world.venue.orders(), 5, "no order left")


UNCAUGHT = """
from pathlib import Path
import engine.cli.run
from engine.cli.main import main
def spilling(*_):
    raise RuntimeError("spilt " + Path({path!r}).read_text() + "\\x1b[31m")
engine.cli.run._run = spilling
main()
"""


def test_what_nobody_catches_is_printed_without_secrets(world: World, canary: Canary) -> None:
    status, out, err = world.start(program=UNCAUGHT.format(path=str(canary.path))).wait()
    assert status == 1
    assert "RuntimeError: spilt (secret)\n" in err or "spilt (secret)\\x1b" in err
    assert "\x1b" not in err
    assert canary.shown_in({"out": out.encode(), "err": err.encode()}, set()) == []


@pytest.mark.faults
def test_a_venue_that_echoes_the_token_gets_it_into_no_output(world: World, canary: Canary) -> None:
    """The login is refused with the token in the message, between control characters for the terminal."""

    def echoing(message: bytes) -> bytes:
        if b"account_number" in message and (asked := tokens_now(world)):
            error = {"code": ErrorCode.AUTHENTICATION_FAILED, "message": f"\x1b[2Jbad token {asked[-1]}"}
            return json.dumps({"id": json.loads(message)["id"], "error": error}).encode()
        return message

    world.venue.exchange.filter = echoing
    quoter = world.start("--network", "test", "--no-supervisor", **canary.settings())
    status, out, err = quoter.wait()
    assert status == 2, out + err
    assert "bad token (secret)" in out + err
    assert "\x1b" not in out + err
    time.sleep(0.3)
    texts = files(world, canary) | {"out": out.encode(), "err": err.encode()}
    assert canary.shown_in(texts, tokens(world)) == []


def tokens_now(world: World) -> list[str]:
    """As ``tokens``, on the exchange's own thread."""
    return [asked.params["token"] for asked in world.venue.exchange.asked if asked.method == "public/login"]
