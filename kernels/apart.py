"""Kernels compiled each by itself, in any order and by any process: how the first start makes its object file.

By itself Numba compiles a function after all that it calls, links and optimises the whole of that, and makes machine
code of it, for every function anew. A kernel has an explicit signature, which is all that its callers need of it. So
here a kernel is only declared when its module is imported, with ``kernel.declare(Declared)``; what it is compiled to
calls the others by name, and ``kernels.kept`` links and optimises everything once. Of Numba's passes those are left out
that look for what no kernel has: closures, literals to specialise for, array expressions, overloads to be inlined.

Set-up only, in a process of its own: no declared kernel can be called.
"""
# mypy: disallow-untyped-calls=False
# Numba's internals have no types.

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from numba.core import compiler, funcdesc, sigutils, typed_passes, types, untyped_passes
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target
from numba.core.typing import templates

from kernels import linking
from kernels.kernel import OPTIONS

Module = Any
PASSES = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.GenericRewrites,
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.NoPythonSupportedFeatureValidation,
    typed_passes.IRLegalization,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)


class _Manager(PassManager):
    _ENFORCING = False  # no analysis of variables between passes: each that needs one makes it


class _Compiler(compiler.CompilerBase):
    """Numba's pipeline with the passes above."""

    def define_pipelines(self) -> list[PassManager]:
        """The one pipeline."""
        manager = _Manager("kernels")
        for each in PASSES:
            manager.add_pass(each, each.__name__)
        manager.finalize()
        return [manager]


class Declared:
    """A kernel that others can be compiled against: ``symbol`` and Numba's type of it."""

    def __init__(self, function: Callable[..., Any], signature: Any) -> None:
        self.function = function
        self.symbol = f"{function.__module__}.{function.__name__}"
        self._args, self._result = sigutils.normalize_signature(signature)
        concrete = templates.Signature(self._result, self._args, recvr=None)
        template = templates.make_concrete_template(self.symbol, key=self, signatures=[concrete])
        self._numba_type_ = types.Function(template)
        described = funcdesc.ExternalFunctionDescriptor(self.symbol, self._result, self._args)
        cpu_target.target_context.insert_user_function(self, described)

    @property
    def size(self) -> int:
        """Bytes of Python's code: about what compiling it costs."""
        return len(self.function.__code__.co_code)

    def calls(self) -> "list[Declared]":
        """The kernels whose names are in its code, and perhaps more."""
        names = self.function.__code__.co_names
        found = [self.function.__globals__.get(name) for name in names]
        modules = [value for value in found if isinstance(value, ModuleType)]
        found += [getattr(module, name, None) for module in modules for name in names]
        return [value for value in found if isinstance(value, Declared)]

    def compiled(self, entry: str = "") -> Module:
        """LLVM's module of it, with a C function of the name ``entry``, if one is given; all else is internal."""
        flags: Any = compiler.Flags()
        cpu_target.options.parse_as_flags(flags, OPTIONS)
        flags.no_compile = True  # to machine code
        flags.no_cpython_wrapper = True
        flags.no_cfunc_wrapper = not entry
        library = cpu_target.target_context.codegen().create_library(self.symbol)
        done = compiler.compile_extra(
            cpu_target.typing_context,
            cpu_target.target_context,
            self.function,
            self._args,
            self._result,
            flags,
            {},
            library,
            _Compiler,
        )
        module = library._final_module
        module.get_function(done.fndesc.llvm_func_name).name = self.symbol
        if entry:
            module.get_function(done.fndesc.llvm_cfunc_wrapper_name).name = entry
        for needed in dict.fromkeys(library._linking_libraries):
            module.link_in(needed._get_module_for_linking(), preserve=True)
        linking.hide(module, (self.symbol, entry))
        return module


def reached(entries: Iterable[Declared]) -> list[Declared]:
    """The entries and all that they call, the largest first."""
    found = dict.fromkeys(entries)
    waiting = list(found)
    while waiting:
        new = [each for each in waiting.pop().calls() if each not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return sorted(found, key=lambda each: (-each.size, each.symbol))
