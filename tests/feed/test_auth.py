"""Keys are read only when they are ours alone, never shown, and every token is later than the one before."""

import copy
import itertools
import json
import math
import os
import pickle
from multiprocessing import get_context
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from feed.auth import BadKey, ClockError, Credentials, throwaway_key

NOW_S = 1_776_715_497.718817


def pem_of(key, encryption=None) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        encryption or serialization.NoEncryption(),
    )


@pytest.fixture(scope="module")
def rsa_pem() -> bytes:
    return pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture
def key_file(tmp_path: Path, rsa_pem: bytes) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(rsa_pem)
    path.chmod(0o600)
    return path


def test_a_token_is_what_the_venue_expects(key_file):
    credentials = Credentials.load(key_file, "K123456789")
    token = credentials.token(NOW_S)
    assert jwt.get_unverified_header(token) == {"alg": "RS512", "kid": "K123456789", "typ": "JWT"}
    claims = jwt.decode(token, credentials.public_pem(), algorithms=["RS512"], options={"verify_iat": False})
    assert claims == {"iat": NOW_S}


def iat_of(token: str) -> float:
    return float(jwt.decode(token, options={"verify_signature": False})["iat"])


def test_iat_is_fractional_and_strictly_increasing_even_if_the_clock_stands_or_steps_back():
    credentials = throwaway_key()
    times = [NOW_S, NOW_S, NOW_S, NOW_S - 20, NOW_S + 1e-6, NOW_S + 5]
    iats = [iat_of(credentials.token(now)) for now in times]
    assert all(earlier < later for earlier, later in itertools.pairwise(iats))
    assert iats[-1] == NOW_S + 5
    assert max(iats[:-1]) - NOW_S < 0.001


def test_a_clock_far_behind_the_last_token_is_an_error():
    credentials = throwaway_key()
    credentials.token(NOW_S)
    with pytest.raises(ClockError, match="behind"):
        credentials.token(NOW_S - 26)


def test_processes_that_share_a_key_share_the_state_file(key_file, tmp_path):
    state = tmp_path / "iat"
    first = Credentials.load(key_file, "K1", state_file=state)
    second = Credentials.load(key_file, "K1", state_file=state)
    iats = [iat_of(key.token(NOW_S)) for key in (first, second, second, first)]
    assert all(earlier < later for earlier, later in itertools.pairwise(iats))
    assert state.stat().st_mode & 0o777 == 0o600


def _sign(arguments) -> list[float]:
    key_file, state = arguments
    credentials = Credentials.load(key_file, "K1", state_file=state)
    return [iat_of(credentials.token(NOW_S)) for _ in range(10)]


def test_concurrent_processes_never_use_an_iat_twice(key_file, tmp_path):
    with get_context("forkserver").Pool(2) as pool:
        lists = pool.map(_sign, [(key_file, tmp_path / "iat")] * 3)
    iats = [iat for some in lists for iat in some]
    assert len(set(iats)) == 30
    assert all(some == sorted(some) for some in lists)


def test_a_damaged_state_file_is_an_error(key_file, tmp_path):
    state = tmp_path / "iat"
    state.write_text("yesterday")
    with pytest.raises(ClockError, match="no time"):
        Credentials.load(key_file, "K1", state_file=state).token(NOW_S)


@pytest.mark.parametrize("now_s", [0.0, -1.0, math.nan, math.inf])
def test_a_senseless_time_is_refused(now_s):
    with pytest.raises(ValueError):
        throwaway_key().token(now_s)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610, 0o601])
def test_a_key_that_others_can_use_is_refused(key_file, mode):
    key_file.chmod(mode)
    with pytest.raises(BadKey, match="chmod 600"):
        Credentials.load(key_file, "K1")


def test_a_link_must_stay_in_its_directory(key_file, tmp_path):
    inside = tmp_path / "current.pem"
    inside.symlink_to(key_file)
    assert Credentials.load(inside, "K1").kid == "K1"
    elsewhere = tmp_path / "config"
    elsewhere.mkdir()
    outside = elsewhere / "key.pem"
    outside.symlink_to(key_file)
    with pytest.raises(BadKey, match="leads out"):
        Credentials.load(outside, "K1")
    assert Credentials.load(outside, "K1", directory=tmp_path).kid == "K1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(key_file):
    os.chown(key_file, 12345, -1)
    with pytest.raises(BadKey, match="another user"):
        Credentials.load(key_file, "K1")


def test_other_things_are_refused(tmp_path, rsa_pem):
    def load(name: str, content: bytes) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(0o600)
        Credentials.load(path, "K1")

    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(BadKey, match="1024 bits"):
        load("small", pem_of(small))
    with pytest.raises(BadKey, match="no RSA key"):
        load("curve", pem_of(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(BadKey, match="no unencrypted"):
        load("public", throwaway_key().public_pem())
    with pytest.raises(BadKey, match="no unencrypted"):
        load("text", b"-----BEGIN RSA PRIVATE KEY-----\nMIIsecret\n-----END RSA PRIVATE KEY-----\n")
    with pytest.raises(BadKey, match="no unencrypted"):
        load("locked", pem_of(small, serialization.BestAvailableEncryption(b"password")))
    with pytest.raises(BadKey, match="too large"):
        load("large", rsa_pem + b"\n" * 70_000)
    with pytest.raises(BadKey, match="cannot be read"):
        Credentials.load(tmp_path / "missing", "K1")
    with pytest.raises(BadKey, match="regular"):
        Credentials.load(tmp_path, "K1", directory=tmp_path.parent)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(BadKey, match="regular"):
        Credentials.load(tmp_path / "pipe", "K1")


@pytest.mark.parametrize("kid", ["", "K 1", "K1\n", 'K"1', "K" * 65])
def test_odd_key_names_are_refused(key_file, kid):
    with pytest.raises(BadKey):
        Credentials.load(key_file, kid)


def test_nothing_shows_the_key(key_file, rsa_pem, tmp_path):
    credentials = Credentials.load(key_file, "K123", state_file=tmp_path / "iat")
    secret = rsa_pem.decode().splitlines()[1]
    shown = [repr(credentials), str(credentials), f"{credentials}", f"{credentials!r:>60}", "%s" % credentials]  # noqa: UP031
    shown += [repr({"key": credentials}), repr([credentials])]
    for text in shown:
        assert "K123" in text
        assert secret not in text and "PRIVATE" not in text
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars):
        with pytest.raises(TypeError):
            attempt(credentials)


def test_an_error_never_quotes_the_file(tmp_path):
    path = tmp_path / "bad.pem"
    path.write_bytes(b"-----BEGIN RSA PRIVATE KEY-----\nSECRETSECRET\n-----END RSA PRIVATE KEY-----\n")
    path.chmod(0o600)
    with pytest.raises(BadKey) as caught:
        Credentials.load(path, "K1")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
