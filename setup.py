"""The one list of compiled modules, and the directives they are compiled with.

``QUOTER_DEBUG=1`` builds the checked profile: bounds and initialisation checks, C asserts and leak counters; an integer
overflow, a division by zero or an impossible shift ends the process (SIGILL, with the Python stack).
``QUOTER_NATIVE=1`` adds ``-march=native`` (not reproducible between machines).
``QUOTER_PREBUILT=1`` installs without compiling, where the extensions have been built in place.
"""

import os
from importlib.metadata import version
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("QUOTER_DEBUG") == "1"
NATIVE = os.environ.get("QUOTER_NATIVE") == "1"
PREBUILT = os.environ.get("QUOTER_PREBUILT") == "1"

MODULES = [
    "kernels.layouts",
    "kernels.records",
    "kernels.number",
    "kernels.ring",
    "kernels.pool",
    "kernels.book",
    "kernels.histogram",
    "kernels.histograms",
    "kernels.rates",
    "feed.symbols",
    "feed.members",
    "feed.decode",
    "feed.loaded",
    "feed.encode",
    "feed.frames",
    "feed.stamps",
    "feed.ticks",
    "feed.exchange_clock",
    "feed.waterfall",
    "feed.outbox",
    "feed.transport",
    "feed.tap",
    "engine.core.orders",
    "engine.core.requests",
    "engine.core.outlook",
    "engine.core.calibrator",
    "engine.core.markouts",
    "engine.core.instrument",
    "engine.core.monitors",
    "engine.core.restraint",
    "engine.core.alarm",
    "engine.core.quoter",
    "engine.core.mass_quoter",
    "engine.core.order_quoter",
    "engine.core.reports",
    "engine.core.risk",
    "engine.core.account",
    "engine.core.changing",
    "engine.core.relisting",
    "engine.core.backfill",
    "engine.core.conduct",
    "engine.core.step",
    "engine.sim.gate_trial",
    "engine.sim.ask",
    "engine.sim.small_venue",
    "engine.sim.quote_client",
    "engine.sim.quote_trial",
    "engine.bench.harness",
    "engine.bench.sharing",
    "engine.bench.allocations",
    "engine.bench.numbered",
    "engine.bench.peer",
    "engine.bench.echo",
]

HOT = {
    "kernels.ring",
    "kernels.book",
    "kernels.histogram",
    "feed.decode",
    "feed.encode",
    "feed.frames",
    "feed.waterfall",
    "feed.outbox",
    "feed.tap",
    "engine.core.orders",
    "engine.core.instrument",
    "engine.core.quoter",
    "engine.core.mass_quoter",
    "engine.core.order_quoter",
    "engine.core.risk",
    "engine.core.step",
}
"""On the way of every tick: compiled for speed at the price of size. The other modules are better small."""

FAST = ["-O3", "-fno-tree-loop-vectorize"]
"""Levels are few: what prepares a loop for vectors takes longer than the loop."""

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "embedsignature.format": "python",
}

MACROS = {"feed.transport": [("PICOWS_VERSION_BUILT", f'"{version("picows")}"')]}

COMPILE_ARGS = ["-O2", "-Wall", "-Wno-unused-function", "-Wno-unreachable-code-fallthrough", "-fno-strict-aliasing"]
COMPILE_ARGS += ["-fno-plt"]  # Python and libc are called at once, not by way of a table
if DEBUG:
    # Cython's checks for overflow and None need the GIL, which the hot functions do not have; the compiler's do not.
    COMPILE_ARGS += ["-UNDEBUG", "-g", "-DQUOTER_DEBUG=1", "-fno-wrapv", "-fsanitize-undefined-trap-on-error"]
    COMPILE_ARGS += ["-fsanitize=signed-integer-overflow,integer-divide-by-zero,shift-exponent,bounds"]
else:
    COMPILE_ARGS += ["-DNDEBUG"]
if NATIVE:
    COMPILE_ARGS += ["-march=native"]


def extension(module: str) -> Extension:
    """One extension a module; the source is the ``.pyx`` at the module's own path."""
    return Extension(
        module,
        [str(Path(*module.split(".")).with_suffix(".pyx"))],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), *MACROS.get(module, [])],
        extra_compile_args=[*COMPILE_ARGS, *(FAST if module in HOT and not DEBUG else [])],
    )


setup(
    ext_modules=cythonize(
        [extension(name) for name in MODULES if Path(*name.split(".")).with_suffix(".pyx").exists() and not PREBUILT],
        compiler_directives=DIRECTIVES,
        compile_time_env=None,
        annotate=os.environ.get("QUOTER_ANNOTATE") == "1",
        build_dir="build/debug" if DEBUG else "build/release",
    ),
)
