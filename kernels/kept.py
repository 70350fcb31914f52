"""The kernels that trade, kept between runs as one object file, so that a start needs no Numba.

Once Numba has compiled the kernels, their modules are linked into one, everything but the C functions of those that
trade is made internal, and LLVM optimises the whole. What remains is kept when it calls nothing but the functions of
libm: then no kernel can raise, allocate or reach Python, which the linker's list of symbols shows. It must also leave
the same bytes as the code before that (``kernels.proof.answers``). A later start loads the file through llvmlite in
tens of milliseconds. The file carries its hash, and the versions and record layouts it was made for; anything else is
compiled anew. ``kernels.cache`` looks after the directory.

Set-up only; reads and writes the cache directory.
"""

import hashlib
import json
import os
import tempfile
import warnings
from dataclasses import fields
from functools import cache as once
from importlib import metadata
from pathlib import Path
from typing import Any

from llvmlite import binding  # type: ignore[import-untyped]

from kernels import cache, proof, records
from kernels.addresses import Addresses
from kernels.compiling import OtherFailed, compile_beside
from kernels.linking import NotKept, linked, object_code, together

FILE = "kernels.object"


def names() -> tuple[str, ...]:
    """The kernels, in the order of ``Addresses``."""
    return tuple(field.name for field in fields(Addresses))


def made_for() -> dict[str, Any]:
    """What the object file depends on beside the name of its directory."""
    layouts = {name: repr(getattr(records, name).descr) for name in dir(records) if name.isupper() and _is_dtype(name)}
    return {
        "kernels": names(),
        "numba": metadata.version("numba"),
        "llvmlite": metadata.version("llvmlite"),
        "processor": binding.get_host_cpu_features().flatten(),
        "layouts": hashlib.sha256(json.dumps(layouts, sort_keys=True).encode()).hexdigest(),
    }


def _is_dtype(name: str) -> bool:
    return hasattr(getattr(records, name), "descr")


@once
def addresses() -> Addresses:
    """The kernels that trade: kept ones, or compiled now and kept.

    Where they cannot be kept, those of ``kernels.compiled``, with a warning unless they check their bounds (a debug
    build, whose kernels may raise).
    """
    file = path()
    try:
        return load(file)
    except NotKept:
        return _compiled(file)


def path() -> Path:
    """Where the object file is, or would be."""
    return cache.directory() / FILE


def is_kept() -> bool:
    """Whether a start of this build finds its kernels."""
    return (cache.root() / cache.key() / FILE).is_file()


def load(file: Path) -> Addresses:
    """The kernels of an object file, ready to be called. Raises ``NotKept``."""
    return of(code(file))


def of(made: bytes) -> Addresses:
    """The kernels of object code, ready to be called. Raises ``NotKept``."""
    return Addresses(**linked(made, names()))


def code(file: Path) -> bytes:
    """What a file of kernels holds. Raises ``NotKept`` when there is none, or not one made for this process."""
    try:
        head, _, found = file.read_bytes().partition(b"\n")
        told = json.loads(head)
        sound = told == _head(found)
    except (OSError, ValueError) as error:
        raise NotKept(str(error)) from None
    if not sound:
        raise NotKept(f"{file} was made for another build, or is damaged")
    return found


def _head(made: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(made_for()))
    return told | {"sha256": hashlib.sha256(made).hexdigest()}


def _compiled(file: Path) -> Addresses:
    """The kernels after a compilation, kept in ``file``; Numba's own where that cannot be."""
    checked = bool(os.environ.get("NUMBA_BOUNDSCHECK"))
    if not checked:
        try:
            compile_beside(file)
            return load(file)
        except (OtherFailed, NotKept) as failed:
            warnings.warn(
                f"the kernels are compiled here: the process for it {failed}", cache.CacheWarning, stacklevel=3
            )
    from kernels import compiled

    try:
        return keep(file, object_code(together(compiled.callbacks())), compiled.addresses())
    except (NotKept, OSError) as error:
        if not checked:
            warnings.warn(f"the kernels are not kept: {error}", cache.CacheWarning, stacklevel=3)
        return compiled.addresses()


def keep(file: Path, made: bytes, reference: Addresses) -> Addresses:
    """Keep object code in ``file``, whose kernels must leave the same bytes as the reference's; the kept ones.

    Raises ``NotKept`` where they do not, and ``OSError`` where the file cannot be written.
    """
    found = of(made)
    if proof.answers(found) != proof.answers(reference):
        raise NotKept("the optimised kernels differ from Numba's")
    _write(file, json.dumps(_head(made)).encode() + b"\n" + made)
    return found


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, also beside another process that writes the same."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
        temporary.write(data)
    os.replace(temporary.name, file)
