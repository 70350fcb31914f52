"""Login tokens: signed JWTs of an API key (protocol section 4.1)."""

import hashlib
import re

import jwt

from feed.exchange.errors import Code, RequestError
from feed.exchange.options import SECOND_NS, Options

ALGORITHMS = ["RS256", "RS384", "RS512"]


def account_number(kid: str) -> str:
    """The account a key belongs to unless the options say otherwise: ``A`` and digits derived from the key's name."""
    if re.fullmatch(r"K\d+", kid):
        return f"A{kid[1:]}"
    digest = int.from_bytes(hashlib.sha256(kid.encode()).digest()[:8], "big")
    return f"A{digest % 10**9:09d}"


class Logins:
    """Checks tokens and remembers the latest ``iat`` of each key."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.issued: dict[str, float] = {}

    def check(self, token: str, account: str | None, now_ns: int) -> str:
        """The account number a token logs in to. Raises RequestError 19 for a bad token, 28 for a foreign account."""
        kid, issued = self._verified(token)
        window_ns = self.options.iat_window_ns
        if window_ns and abs(issued - now_ns / SECOND_NS) * SECOND_NS > window_ns:
            raise RequestError(Code.AUTHENTICATION_FAILED, "iat is too far from the server's time")
        if self.options.iat_increasing and issued <= self.issued.get(kid, float("-inf")):
            raise RequestError(Code.AUTHENTICATION_FAILED, "iat is not later than that of a token used before")
        own = self.options.accounts.get(kid) or account_number(kid)
        if account is not None and account != own:
            raise RequestError(Code.UNAUTHORIZED, "the key has no access to this account")
        self.issued[kid] = issued
        return own

    def _verified(self, token: str) -> tuple[str, float]:
        """Key name and ``iat`` of a token whose form, and signature where keys are registered, are right."""
        keys = self.options.public_keys
        unchecked = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if not isinstance(kid, str) or not kid or header.get("alg") not in ALGORITHMS:
                raise RequestError(Code.AUTHENTICATION_FAILED)
            if keys:
                key = keys.get(kid) or keys.get("*")
                if key is None:
                    raise RequestError(Code.AUTHENTICATION_FAILED, "unknown key")
                claims = jwt.decode(token, key, algorithms=ALGORITHMS, options=unchecked)  # type: ignore[arg-type]
            else:
                claims = jwt.decode(token, options={"verify_signature": False, **unchecked})  # type: ignore[arg-type]
        except (jwt.PyJWTError, ValueError) as error:
            raise RequestError(Code.AUTHENTICATION_FAILED, str(error)) from None
        issued = claims.get("iat")
        if isinstance(issued, bool) or not isinstance(issued, int | float):
            raise RequestError(Code.AUTHENTICATION_FAILED, "no iat")
        return kid, float(issued)
