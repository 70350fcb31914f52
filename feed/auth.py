"""Login: the private key of an API key, read once, and one-time tokens signed with it.

A token is a JWT with the key's name as ``kid`` and one claim, ``iat`` in seconds (thalex protocol section 4.1). The
venue refuses an ``iat`` that is more than 30 s off, or not later than that of any token of the same key; the second
holds across processes, so processes that share a key share a state file. Nothing here prints, formats or pickles key
material.
"""

import fcntl
import math
import os
import re
import stat
from pathlib import Path
from typing import NoReturn

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ALGORITHM = "RS512"
KEY_BITS_MIN = 2048
KEY_FILE_BYTES_MAX = 64 * 1024
IAT_AHEAD_US_MAX = 25_000_000
"""How far the last ``iat`` may be ahead of the clock; the venue's bound is 30 s."""
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class BadKey(ValueError):
    """A key file, key or key name that must not be used; the message says what to change and holds no key material."""


class ClockError(RuntimeError):
    """The wall clock is too far behind the tokens that were signed already: the venue would refuse every login."""


class Credentials:
    """The name of an API key and its private key.

    ``state_file`` holds the ``iat`` (microseconds) of the last token and is shared by all processes that use the key.
    """

    __slots__ = ("_last_iat_us", "_private_key", "_state_file", "kid")

    def __init__(self, kid: str, private_key: rsa.RSAPrivateKey, state_file: Path | None = None) -> None:
        if not _KEY_ID.match(kid):
            raise BadKey("a key name is 1 to 64 letters, digits, _ or -")
        if private_key.key_size < KEY_BITS_MIN:
            raise BadKey(f"the key of {kid} has {private_key.key_size} bits, fewer than {KEY_BITS_MIN}")
        self.kid = kid
        self._private_key = private_key
        self._state_file = state_file
        self._last_iat_us = 0

    @classmethod
    def load(
        cls, key_file: Path, kid: str, *, directory: Path | None = None, state_file: Path | None = None
    ) -> "Credentials":
        """Read a PEM file that only its owner can read.

        ``directory`` (default: the file's own) is where a symbolic link may lead. Raises ``BadKey`` for a file of
        somebody else, one that group or others may read, a link that leads elsewhere, a key that is not RSA or has
        fewer than 2048 bits.
        """
        pem = _read_private(key_file, key_file.parent if directory is None else directory)
        try:
            private_key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            # Without the cause: a parser's message may quote what it could not parse.
            raise BadKey(f"{key_file} holds no unencrypted PEM private key") from None
        if not isinstance(private_key, rsa.RSAPrivateKey):
            raise BadKey(f"{key_file} holds no RSA key; the venue signs logins with RSA")
        return cls(kid, private_key, state_file)

    def token(self, now_s: float) -> str:
        """A login token for one use. ``now_s``: the wall clock, seconds since 1970.

        Raises ``ClockError`` when the last token of this key is more than 25 s ahead of ``now_s``.
        """
        if not math.isfinite(now_s) or now_s <= 0:
            raise ValueError("now_s must be a positive time in seconds")
        iat_us = self._next_iat_us(round(now_s * 1_000_000))
        return jwt.encode(
            {"iat": iat_us / 1_000_000}, self._private_key, algorithm=ALGORITHM, headers={"kid": self.kid}
        )

    def public_pem(self) -> bytes:
        """The public key, as a venue registers it."""
        return self._private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def _next_iat_us(self, now_us: int) -> int:
        if self._state_file is None:
            self._last_iat_us = _later(now_us, self._last_iat_us, self.kid)
            return self._last_iat_us
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._state_file, flags, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read(64).strip()
            if text and not text.isdigit():
                raise ClockError(f"{self._state_file} holds no time: remove it and wait 30 s before the next login")
            iat_us = _later(now_us, max(int(text or b"0"), self._last_iat_us), self.kid)
            file.seek(0)
            # Fixed width: the new text always covers the old one.
            file.write(b"%020d\n" % iat_us)
            os.fsync(file.fileno())
        self._last_iat_us = iat_us
        return iat_us

    def __repr__(self) -> str:
        return f"Credentials(kid={self.kid!r})"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return format(repr(self), specification)

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not to be pickled or copied")


def throwaway_key(kid: str = "KLOCAL") -> Credentials:
    """A fresh key for the local exchange, gone with the process."""
    return Credentials(kid, rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS_MIN))


def _later(now_us: int, last_us: int, kid: str) -> int:
    if last_us - now_us > IAT_AHEAD_US_MAX:
        raise ClockError(
            f"the clock is {(last_us - now_us) / 1e6:.0f} s behind the last token of {kid}: "
            "the venue would refuse the login"
        )
    return max(now_us, last_us + 1)


def _read_private(path: Path, directory: Path) -> bytes:
    """The bytes of a file of ours that nobody else can read; checked on the opened file, not on its name."""
    try:
        resolved = path.resolve(strict=True)
        allowed = directory.resolve(strict=True)
        descriptor = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise BadKey(f"{path} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not resolved.is_relative_to(allowed):
            raise BadKey(f"{path} is a link that leads out of {allowed}")
        if not stat.S_ISREG(status.st_mode):
            raise BadKey(f"{path} is not a regular file")
        if status.st_uid != os.geteuid():
            raise BadKey(f"{path} belongs to another user")
        if status.st_mode & 0o077:
            raise BadKey(f"{path} can be used by others (mode {status.st_mode & 0o777:o}): chmod 600 {path}")
        if status.st_size > KEY_FILE_BYTES_MAX:
            raise BadKey(f"{path} is too large for a key file")
        return os.read(descriptor, KEY_FILE_BYTES_MAX)
    finally:
        os.close(descriptor)
