"""Why did it quote that: one event with the state, the input and every intermediate of the model behind it."""

import json
from typing import Any

import numpy as np

from engine.core.step import Core
from engine.journal.replay import Event, Replayed


def explanation(result: Replayed) -> dict[str, Any]:
    """The last event of a replay: its input, what was sent because of it, and every instrument's records after it."""
    return {
        "event": None if result.event is None else event_told(result.event),
        "status": result.core.status(),
        "model": {instrument.name.decode(): records_of(instrument) for instrument in result.core.instruments},
        "start": result.start,
    }


def event_told(event: Event) -> dict[str, Any]:
    """An event for people: times in ns, texts as JSON where they are JSON."""
    return {
        "sequence": event.input.sequence,
        "kind": event.input.kind.name,
        "now_ns": event.input.now_ns,
        "last_in_batch": event.input.last,
        "input": _text(event.input.data),
        "outputs": [_text(output) for output in event.outputs],
        "refused_outputs": sorted(event.refused),
    }


def records_of(instrument: Any) -> dict[str, dict[str, Any]]:
    """Every member of every record of the model: settings, resolved model, market, target, volatility, position."""
    return {name: _members(record) for name, record in instrument.records().items()}


def _members(record: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in record.dtype.names or ():
        value = record[name]
        told[name] = _shortened(value) if isinstance(value, np.ndarray) else value.item()
    return told


def _shortened(values: Any) -> list[Any]:
    """An array without its unused end."""
    used = np.flatnonzero(values)
    return list(values[: used[-1] + 1].tolist()) if len(used) else []


def _text(data: bytes) -> Any:
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def lines(core: Core, told: dict[str, Any]) -> list[str]:
    """An explanation for a terminal."""
    event = told["event"]
    shown = [f"record {event['sequence']}: {event['kind']} at {event['now_ns']} ns", f"  in   {_short(event['input'])}"]
    shown += [f"  out  {_short(output)}" for output in event["outputs"]] or ["  out  nothing"]
    shown.append(f"  mode {core.mode}, session {told['status']['session']}, halted: {core.halt_reason or 'no'}")
    if core.restraint.reason is not None:
        shown.append(f"  only reduces: {core.restraint.reason}")
    for name, records in told["model"].items():
        shown.append(f"{name}: {told['status']['instruments'][name]['why']}")
        for kind, members in records.items():
            shown.append(f"  {kind}")
            shown += [f"    {member} = {_short(value)}" for member, value in members.items()]
    return shown


def _short(value: Any, limit: int = 400) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
