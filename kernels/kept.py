"""The kernels that trade, kept between runs as one object file, so that a start needs no Numba.

Once Numba has compiled the C callbacks of ``kernels.compiled``, their modules are linked into one, everything but the
callbacks is made internal, and LLVM optimises the whole. What remains is kept when it calls nothing but the functions
of libm: then no kernel can raise, allocate or reach Python, which the linker's list of symbols shows. It must also
leave the same bytes as Numba's own code (``kernels.proof.answers``). A later start loads the file through llvmlite in
tens of milliseconds. The file carries its hash, and the versions and record layouts it was made for; anything else is
compiled anew. ``kernels.cache`` looks after the directory.

Set-up only; reads and writes the cache directory.
"""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import fields
from functools import cache as once
from importlib import metadata
from pathlib import Path
from typing import Any

from llvmlite import binding  # type: ignore[import-untyped]

from kernels import cache, proof, records
from kernels.addresses import Addresses
from kernels.compiling import OtherFailed, compile_all, compile_beside

FILE = "kernels.object"
LIBM = frozenset(
    ("exp", "expm1", "log", "log1p", "log2", "log10", "pow", "sqrt", "floor", "ceil", "rint", "fabs", "fmod", "tanh")
)

Engine = Any
_engines: list[Engine] = []


class NotKept(RuntimeError):
    """The kernels cannot be used without Numba; the message says why."""


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
    return Addresses(**linked(code(file), names()))


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


def linked(made: bytes, wanted: Sequence[str]) -> dict[str, int]:
    """Addresses of kernels of an object file, whose code stays in memory for as long as the process lives."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(made))
    engine.finalize_object()
    found = {name: engine.get_function_address(_symbol(name)) for name in wanted}
    if not all(found.values()):
        raise NotKept(f"no address for {', '.join(name for name, at in found.items() if not at)}")
    _engines.append(engine)
    return found


def _symbol(name: str) -> str:
    return f"quoter_{name}"


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
    compile_all()
    from kernels import compiled

    try:
        return make(file)
    except (NotKept, OSError) as error:
        if not checked:
            warnings.warn(f"the kernels are not kept: {error}", cache.CacheWarning, stacklevel=3)
        return compiled.addresses()


def make(file: Path) -> Addresses:
    """Keep the kernels of ``kernels.compiled`` in ``file``; the kept ones.

    Raises ``NotKept`` where they cannot be kept or do not leave the same bytes, and ``OSError`` where the file cannot
    be written.
    """
    from kernels import compiled

    made = object_code(compiled.callbacks())
    found = Addresses(**linked(made, names()))
    if proof.answers(found) != proof.answers(compiled.addresses()):
        raise NotKept("the optimised kernels differ from Numba's")
    _write(file, json.dumps(_head(made)).encode() + b"\n" + made)
    return found


def object_code(callbacks: dict[str, Any], processor: str | None = None) -> bytes:
    """One object file of Numba's C callbacks, for this processor or another of LLVM's names.

    Raises ``NotKept`` when it would call more than libm.
    """
    whole = None
    for name, callback in callbacks.items():
        module = binding.parse_bitcode(callback._library._get_module_for_linking().as_bitcode())
        entry = module.get_function(callback.native_name)
        entry.name, entry.linkage = _symbol(name), "external"
        if whole is None:
            whole, machine = module, callback._library.codegen._tm
        else:
            whole.link_in(module)
    if whole is None:
        raise NotKept("there is no kernel")
    entries = {_symbol(name) for name in callbacks}
    for value in (*whole.functions, *whole.global_variables):
        if not value.is_declaration and value.name not in entries:
            value.linkage = "internal"
    if processor is not None:
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=processor, opt=3, jit=True, reloc="default", codemodel="jitdefault"
        )
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(whole, builder)
    outside = {value.name for value in (*whole.functions, *whole.global_variables) if value.is_declaration}
    outside = {name for name in outside if not name.startswith("llvm.")} - LIBM
    if outside:
        raise NotKept(f"the kernels need {', '.join(sorted(outside))}")
    made: bytes = machine.emit_object(whole)
    return made


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, also beside another process that writes the same."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
        temporary.write(data)
    os.replace(temporary.name, file)
