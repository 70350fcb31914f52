"""Finding the private key: what is refused, and that no message holds key material."""

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from engine.config_errors import ConfigRefused
from engine.config_schema import Credentials
from engine.live.keys import find_key


def pem_of(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    text: str = key.private_bytes(serialization.Encoding.PEM, *form).decode()
    return text


@pytest.fixture(scope="module")
def pem() -> str:
    return pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(place: Credentials, environment: dict[str, str]) -> str:
    with pytest.raises(ConfigRefused) as caught:
        find_key(place, "test", environment)
    assert "PRIVATE" not in str(caught.value).replace("PEM private key", "")
    return str(caught.value)


def test_a_file_of_ours_alone(tmp_path: Path, pem: str, environment: dict[str, str]) -> None:
    path = written(tmp_path / "key.pem", pem)
    place = Credentials(key_id="K1", key_file=str(path))
    found = find_key(place, "test", environment)
    assert found.kid == "K1"
    assert found.token(1_700_000_000.0).count(".") == 2
    assert (tmp_path / "state" / "thalex-quoter" / "K1.iat").stat().st_mode & 0o077 == 0
    path.chmod(0o644)
    assert "chmod 600" in refused(place, environment)
    path.unlink()
    assert "cannot be read" in refused(place, environment)


def test_an_environment_variable(pem: str, environment: dict[str, str]) -> None:
    place = Credentials(key_id="K1", key_env="THALEX_KEY")
    assert find_key(place, "test", environment | {"THALEX_KEY": pem.replace("\n", "\\n")}).kid == "K1"
    assert "has no THALEX_KEY" in refused(place, environment)
    assert "no unencrypted PEM" in refused(place, environment | {"THALEX_KEY": pem[:200]})
    elliptic = pem_of(ec.generate_private_key(ec.SECP256R1()))
    assert "no RSA key" in refused(place, environment | {"THALEX_KEY": elliptic})


def test_keys_py_is_read_and_never_run(tmp_path: Path, pem: str, environment: dict[str, str]) -> None:
    trap = tmp_path / "ran"
    text = (
        f"from thalex import Network\nopen({str(trap)!r}, 'w')\n"
        f'key_ids = {{Network.TEST: "K7", Network.PROD: "K8"}}\n'
        f'private_keys: dict = {{Network.TEST: """{pem}""", Network.PROD: "prod.pem"}}\n'
    )
    path = written(tmp_path / "keys.py", text)
    place = Credentials(keys_py=str(path))
    assert find_key(place, "test", environment).kid == "K7"
    written(tmp_path / "prod.pem", pem)
    assert find_key(place, "prod", environment).kid == "K8"
    assert not trap.exists()
    assert "is not the id" in refused(Credentials(keys_py=str(path), key_id="K9"), environment)
    path.chmod(0o640)
    assert "open to others (mode 0640)" in refused(place, environment)


@pytest.mark.parametrize(
    ("text", "why"),
    [("key_ids = {", "is not Python"), ("key_ids = {}", "Network.TEST"), ("key_ids = make()", "Network.TEST")],
)
def test_a_keys_py_without_the_network_is_refused(
    tmp_path: Path, environment: dict[str, str], text: str, why: str
) -> None:
    assert why in refused(Credentials(keys_py=str(written(tmp_path / "keys.py", text))), environment)


def test_a_link_and_no_key_are_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    real = written(tmp_path / "keys.py", "")
    os.symlink(real, tmp_path / "link.py")
    assert "symbolic link" in refused(Credentials(keys_py=str(tmp_path / "link.py")), environment)
    assert "network test needs a key" in refused(Credentials(), environment)
