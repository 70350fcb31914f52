"""Where a measurement was made: processor, load, Python and build, so that a figure can be read elsewhere."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

BUILT = ("cython", "numpy", "numba", "picows", "uvloop", "orjson")


def facts() -> dict[str, Any]:
    """Processor model, usable processors, load, kernel, Python, build profile and the versions that matter."""
    return {
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "build": _profile(),
        "versions": {name: _version(name) for name in BUILT},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


def _profile() -> str:
    """``debug`` when the extensions check bounds, else ``release``."""
    from engine.bench.harness import checked

    return "debug" if checked() else "release"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
