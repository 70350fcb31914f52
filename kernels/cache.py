"""Where compiled kernels are kept between runs.

Numba does not notice a change in a callee's file, so the directory's name carries a hash of every kernel source, the
package version, the processor and the checks that were compiled in: a changed kernel is a new directory. Compiled
code is executable, so the directory must belong to this user and be writable by nobody else; otherwise a private
temporary one is used, with a warning.

Set-up only; this is the one module of the package that reads the environment and the disk.
"""

import hashlib
import os
import stat
import tempfile
import warnings
from importlib import metadata
from pathlib import Path

from llvmlite import binding  # type: ignore[import-untyped]

_private: list[tempfile.TemporaryDirectory[str]] = []


class CacheWarning(UserWarning):
    """Compiled kernels cannot be kept; every start compiles anew (about five seconds)."""


def key() -> str:
    """Name of the directory for exactly this build: package version and 16 hexadecimal digits."""
    try:
        version = metadata.version("thalex-quoter")
    except metadata.PackageNotFoundError:
        version = "source"
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(binding.get_host_cpu_name().encode() + b"\0")
    digest.update(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    return f"{version}-{digest.hexdigest()[:16]}"


def root() -> Path:
    """NUMBA_CACHE_DIR if set, else ``thalex-quoter`` under XDG_CACHE_HOME or ``~/.cache``."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thalex-quoter"


def is_private(path: Path) -> bool:
    """Whether the directory itself (not a link to one) is ours and nobody else may write to it."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def directory() -> Path:
    """The directory for this build, made with mode 0700 where missing; a temporary one, with CacheWarning, where
    unsafe.
    """
    path = root() / key()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        safe = is_private(path) and is_private(path.parent)
        reason = "others may write to it, or it is not ours"
    except (OSError, RuntimeError) as error:
        safe, reason = False, str(error)
    if safe:
        return path
    _private.append(tempfile.TemporaryDirectory(prefix="thalex-quoter-"))
    warnings.warn(f"{path} is not used for compiled kernels: {reason}", CacheWarning, stacklevel=2)
    return Path(_private[-1].name)
