"""LLVM's modules of kernels: linked into one, optimised as a whole, made into object code and loaded.

Set-up only.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from llvmlite import binding  # type: ignore[import-untyped]

Engine = Any
Module = Any
LIBM = frozenset(
    ("exp", "expm1", "log", "log1p", "log2", "log10", "pow", "sqrt", "floor", "ceil", "rint", "fabs", "fmod", "tanh")
)


_engines: list[Engine] = []


class NotKept(RuntimeError):
    """The kernels cannot be used without Numba; the message says why."""


def together(callbacks: dict[str, Any]) -> Module:
    """One module of Numba's C callbacks, in which the entries have the symbols that ``linked`` looks for."""
    if not callbacks:
        raise NotKept("there is no kernel")
    modules = []
    for name, callback in callbacks.items():
        modules.append(binding.parse_bitcode(callback._library._get_module_for_linking().as_bitcode()))
        entry = modules[-1].get_function(callback.native_name)
        entry.name, entry.linkage = symbol(name), "external"
    return join(modules, map(symbol, callbacks))


def join(modules: Iterable[Module], public: Iterable[str]) -> Module:
    """One module of all, which are used up; only what is public can be called from outside."""
    whole, *others = modules
    for module in others:
        whole.link_in(module)
    hide(whole, public)
    return whole


def hide(module: Module, public: Iterable[str]) -> None:
    """Make everything in a module internal that is not public."""
    names = set(public)
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name not in names:
            value.linkage = "internal"


def object_code(whole: Module, processor: str | None = None) -> bytes:
    """One object file of a module, optimised for this processor or another of LLVM's names; the module is used up.

    Raises ``NotKept`` when it would call more than libm.
    """
    machine = _machine(processor)
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(whole, builder)
    outside = {value.name for value in (*whole.functions, *whole.global_variables) if value.is_declaration}
    outside = {name for name in outside if not name.startswith("llvm.")} - LIBM
    if outside:
        raise NotKept(f"the kernels need {', '.join(sorted(outside))}")
    made: bytes = machine.emit_object(whole)
    return made


def plain_code(whole: Module) -> bytes:
    """One object file of a module as it is, not optimised and not looked into."""
    code: bytes = _machine(optimise=0).emit_object(whole)
    return code


def _machine(processor: str | None = None, optimise: int = 3) -> Any:
    """What makes code for Numba's processor, this one, or for another of LLVM's names."""
    from numba.core.registry import cpu_target

    options: dict[str, Any] = {}
    cpu_target.target_context.codegen()._customize_tm_options(options)
    if processor is not None:
        options |= {"cpu": processor, "features": ""}
    return binding.Target.from_default_triple().create_target_machine(**options, opt=optimise)


def linked(made: bytes, wanted: Sequence[str]) -> dict[str, int]:
    """Addresses of kernels of an object file, whose code stays in memory for as long as the process lives."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(made))
    engine.finalize_object()
    found = {name: engine.get_function_address(symbol(name)) for name in wanted}
    if not all(found.values()):
        raise NotKept(f"no address for {', '.join(name for name, at in found.items() if not at)}")
    _engines.append(engine)
    return found


def symbol(name: str) -> str:
    """What the C function of a kernel is called in an object file."""
    return f"quoter_{name}"
