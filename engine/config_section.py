"""What every table of the configuration is made of: frozen models, and keys with unit, bounds and a line of help."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LEVELS_MAX = 10
"""Levels a side in one mass quote (protocol section 7.1)."""


def key(default: Any, unit: str, text: str, **bounds: Any) -> Any:
    """A configuration key: its default, unit, line of help and bounds (``ge``, ``lt``, lengths, pattern)."""
    return Field(default, description=text, json_schema_extra={"unit": unit}, **bounds)


def _as_tuple(value: Any) -> Any:
    """Lists come from TOML; a comma-separated text from the environment and from flags."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return tuple(value) if isinstance(value, list) else value


Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=64)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple)]
Multipliers = Annotated[
    tuple[Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)], ...], BeforeValidator(_as_tuple)
]


class Section(BaseModel):
    """A table of the configuration: frozen, strictly typed, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=False, defer_build=True)
