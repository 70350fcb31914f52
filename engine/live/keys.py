"""Finding the private key: a file, an environment variable, or a ``keys.py`` that is read and never run.

What comes out are ``feed.auth.Credentials``, which no print, format or pickle shows.
"""

import ast
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from engine.config_errors import ConfigRefused, Problem
from engine.config_schema import Credentials as KeyPlace
from engine.config_source import FILE_BYTES_MAX
from feed.auth import BadKey, Credentials

NETWORK_NAMES = {"test": "TEST", "prod": "PROD"}


def find_key(place: KeyPlace, network: str, environment: Mapping[str, str]) -> Credentials:
    """The key of a network. Raises ``ConfigRefused`` saying what is missing or too open, and the remedy.

    Times of issue are kept under XDG_STATE_HOME (``~/.local/state``), so that all processes with the key stay in order.
    """
    try:
        if place.key_file is not None:
            kid = place.key_id or ""
            return Credentials.load(Path(place.key_file), kid, state_file=_state_file(kid, environment))
        if place.key_env is not None:
            text = environment.get(place.key_env)
            if not text:
                raise _refused("credentials.key_env", f"the environment has no {place.key_env}", "export it")
            return _from_text(text.replace("\\n", "\n"), place.key_id or "", "credentials.key_env", environment)
        if place.keys_py is not None:
            return _from_keys_py(Path(place.keys_py), network, place.key_id, environment)
    except BadKey as bad:
        raise _refused("credentials", str(bad), "see docs/configuration.md") from None
    remedy = "give credentials.key_id and credentials.key_file, or use --network local"
    raise _refused("credentials", f"network {network} needs a key", remedy)


def supervisor_place(place: KeyPlace) -> KeyPlace:
    """Where the supervisor's key is: its own where one is given, else the quoter's."""
    if place.supervisor_key_file is None:
        return place
    return KeyPlace(account=place.account, key_id=place.supervisor_key_id, key_file=place.supervisor_key_file)


def _from_text(text: str, kid: str, key: str, environment: Mapping[str, str]) -> Credentials:
    try:
        private = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        # Without the cause: a parser's message may quote what it could not parse.
        raise _refused(key, "holds no unencrypted PEM private key", "BEGIN and END lines belong to it") from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise _refused(key, "holds no RSA key", "the venue signs logins with RSA")
    return Credentials(kid, private, _state_file(kid, environment))


def _from_keys_py(path: Path, network: str, wanted: str | None, environment: Mapping[str, str]) -> Credentials:
    """``key_ids[Network.X]`` and ``private_keys[Network.X]`` of a ``keys.py``, whose values are PEM texts or paths."""
    key = "credentials.keys_py"
    try:
        tables = _tables(ast.parse(_read_private(path, key)))
    except SyntaxError as error:
        raise _refused(key, f"{path} is not Python (line {error.lineno})", "two dictionaries are wanted") from None
    name = NETWORK_NAMES.get(network, network)
    ids, texts = tables.get("key_ids", {}), tables.get("private_keys", {})
    if name not in ids or name not in texts:
        raise _refused(key, f"{path} has no key_ids and private_keys for Network.{name}", "add both, as literal texts")
    if wanted is not None and wanted != ids[name]:
        raise _refused("credentials.key_id", f"{wanted} is not the id in {path}", "drop one of the two")
    if "-----BEGIN" in texts[name]:
        return _from_text(texts[name], ids[name], key, environment)
    return Credentials.load(path.parent / texts[name], ids[name], state_file=_state_file(ids[name], environment))


def _tables(module: ast.Module) -> dict[str, dict[str, str]]:
    """Dictionaries of literal texts assigned at the top level, by name; keys as ``Network.TEST``, or as texts."""
    tables: dict[str, dict[str, str]] = {}
    for node in module.body:
        if isinstance(node, ast.Assign):
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        if not isinstance(target, ast.Name) or not isinstance(node.value, ast.Dict):
            continue
        table = tables.setdefault(target.id, {})
        for name, item in zip(node.value.keys, node.value.values, strict=True):
            if isinstance(item, ast.Constant) and isinstance(item.value, str):
                table[_label(name)] = item.value
    return tables


def _label(name: ast.expr | None) -> str:
    """``TEST`` of ``Network.TEST`` and of ``"test"``."""
    if isinstance(name, ast.Attribute):
        return name.attr.upper()
    return str(name.value).upper() if isinstance(name, ast.Constant) else ""


def _read_private(path: Path, key: str) -> str:
    """Text of a file that is ours and that nobody else may read; never through a symbolic link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        why = "is a symbolic link" if path.is_symlink() else f"cannot be opened: {error.strerror}"
        raise _refused(key, f"{path} {why}", "give the path of the file itself") from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _refused(key, f"{path} is not a regular file", "give the path of a file")
        if found.st_uid != os.geteuid():
            raise _refused(key, f"{path} belongs to another user", f"chown it to user {os.geteuid()}")
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            raise _refused(key, f"{path} is open to others (mode {mode:04o})", f"chmod 600 {path}")
        try:
            return file.read(FILE_BYTES_MAX).decode()
        except UnicodeDecodeError:
            raise _refused(key, f"{path} is not a text file", "Python source is wanted") from None


def _state_file(kid: str, environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "thalex-quoter"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home / f"{kid}.iat"


def _refused(key: str, why: str, remedy: str) -> ConfigRefused:
    return ConfigRefused([Problem(key, why, remedy=remedy)])
