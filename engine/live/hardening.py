"""What must be so around a process before it reads a key: its memory and its TLS sessions are written nowhere.

A key goes to one venue, over connections that the system's certificate authorities vouch for.
"""

import ctypes
import resource
from collections.abc import Mapping
from urllib.parse import urlsplit

from feed.venue import Network

TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL is told of other certificate authorities."""
SESSION_KEYS = "SSLKEYLOGFILE"
_PR_SET_DUMPABLE = 4


def environment_refusal(network: str, environment: Mapping[str, str]) -> str | None:
    """Why a key of ``network`` must not be used in this environment, with the remedy; None: it may."""
    if network == "local":
        return None
    if environment.get(SESSION_KEYS):
        return f"{SESSION_KEYS} is set, so that the keys of TLS sessions would be written to a file: unset it"
    for name in TRUST if network == "prod" else ():
        if environment.get(name):
            return f"{name} is set, and production trusts the system's certificate authorities alone: unset it"
    return None


def address_refusal(network: str, url: str) -> str | None:
    """Why a key of ``network`` must not be shown at ``url``; None: it may. Production's goes to production alone."""
    production, asked = urlsplit(Network.PROD.value), urlsplit(url)
    there = (asked.scheme, asked.hostname, asked.port) == (production.scheme, production.hostname, production.port)
    if network == "prod" and not there:
        return f"production is at {Network.PROD.value}: its key is shown nowhere else"
    if network != "prod" and asked.hostname == production.hostname:
        return f"{production.hostname} is production, and the network is {network}"
    return None


def no_dumps() -> None:
    """Neither a core dump nor another process of this user may read this one's memory. Raises ``OSError``."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A limit of 0 does not bind where the kernel pipes dumps to a program.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
