"""The first record of a journal: the core's plan and the build that used it, as JSON text, and back.

Floats are written so that they read back to the same bits; not-a-number and infinities as Python's json writes them.
"""

import functools
import hashlib
import json
import platform
import sys
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast, get_type_hints

import numpy as np

from engine.core.plan import CorePlan
from kernels import cache
from kernels.records import SETTINGS, VOLATILITY

RECORDS = {"settings": SETTINGS, "volatility": VOLATILITY}
PACKAGES = ("thalex-quoter", "numpy", "numba", "picows", "ujson")


class NotThisPlan(ValueError):
    """The text holds a plan of another version of this program."""


@functools.cache
def build_facts() -> dict[str, Any]:
    """What the bytes that a core sends may depend on, beside its inputs."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "byteorder": sys.byteorder,
        "kernels": cache.key(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "source"


def start_text(plan: CorePlan, labels: dict[str, Any]) -> bytes:
    """The first record. ``labels``: what else a reader wants to know (network, time of the start)."""
    told = _plain(plan)
    return json.dumps({"plan": told, "plan_sha256": _digest(told), "build": build_facts(), "labels": labels}).encode()


def plan_of(start: bytes) -> tuple[CorePlan, dict[str, Any]]:
    """The plan of a first record, and everything else that it holds. Raises ``NotThisPlan``."""
    try:
        told = json.loads(start)
        plan = told.pop("plan")
        if _digest(plan) != told["plan_sha256"]:
            raise NotThisPlan("the plan does not have the hash that stands beside it")
        return cast(CorePlan, _built(CorePlan, plan)), told
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotThisPlan(f"the first record holds no plan that this version reads: {error}") from error


def _digest(plan: Any) -> str:
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, np.ndarray):
        names = value.dtype.names or ()
        return {name: value[name][0].tolist() for name in names}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _built(kind: type[Any], told: dict[str, Any]) -> Any:
    hints = get_type_hints(kind)
    names = {item.name for item in fields(kind)}
    if names != told.keys():
        raise NotThisPlan(f"{kind.__name__} has other members: {', '.join(sorted(names ^ told.keys()))}")
    values: dict[str, Any] = {}
    for name, value in told.items():
        if name in RECORDS:
            values[name] = _record(name, value)
        elif is_dataclass(hints[name]):
            values[name] = _built(cast(type[Any], hints[name]), value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _record(name: str, told: dict[str, Any]) -> Any:
    record = np.zeros(1, RECORDS[name])
    if told.keys() != set(RECORDS[name].names or ()):
        raise NotThisPlan(f"{name} has other members")
    for member, value in told.items():
        record[member] = value
    return record
