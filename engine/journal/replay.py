"""A recorded run driven through a fresh core: the same inputs, and what it sends compared byte for byte."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

from engine.core.plan import CorePlan
from engine.core.step import Core
from engine.journal.plan_text import NotThisPlan, build_facts, plan_of
from engine.sim.tape import Act, Input, feed
from feed.journal import Journal, JournalDamaged, Kind, Record
from feed.tap import AnswerSink, batch_end
from kernels.addresses import Addresses
from kernels.kept import addresses


class CannotReplay(ValueError):
    """The journal is whole, but not one that can be replayed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Event:
    """One input and what the recorded core sent because of it. ``refused``: numbers of the outputs not taken."""

    input: Record
    outputs: tuple[bytes, ...]
    refused: frozenset[int]
    last_sequence: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event whose outputs differ, and both versions of the first output that does (None: there is none)."""

    event: Event
    sent: tuple[bytes, ...]
    index: int

    @property
    def recorded(self) -> bytes | None:
        """What the journal holds."""
        return self.event.outputs[self.index] if self.index < len(self.event.outputs) else None

    @property
    def replayed(self) -> bytes | None:
        """What the replay sent."""
        return self.sent[self.index] if self.index < len(self.sent) else None


@dataclass(slots=True)
class Replayed:
    """What a replay found."""

    core: Core
    start: dict[str, Any]
    records: int = 0
    inputs: int = 0
    outputs: int = 0
    recorded_sha256: str = ""
    replayed_sha256: str = ""
    difference: Difference | None = None
    errors: list[str] = field(default_factory=list)
    cut_bytes: int = 0
    ended: str | None = None
    event: Event | None = None
    """The last one."""

    @property
    def identical(self) -> bool:
        """Whether every request of the replay is the recorded one."""
        return self.difference is None and self.recorded_sha256 == self.replayed_sha256

    def report(self) -> dict[str, Any]:
        """For machines."""
        return {
            "identical": self.identical,
            "records": self.records,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "recorded_sha256": self.recorded_sha256,
            "replayed_sha256": self.replayed_sha256,
            "state_sha256": state_sha256(self.core),
            "cut_bytes": self.cut_bytes,
            "ended": self.ended,
            "errors": self.errors,
            "same_build": self.start["build"] == build_facts(),
            "start": self.start,
        }


def state_sha256(core: Core) -> str:
    """A hash over everything a core believes and counts."""
    digest = hashlib.sha256(json.dumps(core.status(), sort_keys=True).encode())
    for instrument in core.instruments:
        for record in instrument.records().values():
            digest.update(record.tobytes())
    return digest.hexdigest()


def _wanted(records: Iterator[Record], until: int | None) -> Iterator[Record]:
    """Records as far as they are needed: damage behind the last one that is wanted is not looked at."""
    last = -1
    while True:
        try:
            record = next(records, None)
        except JournalDamaged:
            if until is not None and last >= until:
                return
            raise
        if record is None:
            return
        last = record.sequence
        yield record


def events(records: Iterator[Record]) -> Iterator[Event]:
    """Inputs with their outputs. Outputs whose input is not there are passed over."""
    cause: Record | None = None
    outputs: list[bytes] = []
    refused: set[int] = set()
    last = 0
    for record in records:
        if record.kind is Kind.OUTPUT:
            outputs.append(record.data)
        elif record.kind is Kind.REFUSED:
            refused.add(len(outputs) - 1)
        else:
            if cause is not None:
                yield Event(cause, tuple(outputs), frozenset(refused), last)
            cause, outputs, refused = record, [], set()
        last = record.sequence
    if cause is not None:
        yield Event(cause, tuple(outputs), frozenset(refused), last)


def replay(
    directory: Path,
    *,
    until: int | None = None,
    strategy: str | None = None,
    after: Callable[[Event, Core], None] = lambda event, core: None,
    progress: Callable[[float], None] = lambda share: None,
) -> Replayed:
    """Drive a fresh core by a journal, to record ``until`` or to the end, and compare.

    ``strategy``: the ``module:function`` that quoted, where it was not the shipped one; it must be named again, because
    a file is no reason to run code. ``after``: called behind every input. Stops at the first difference. Raises
    ``feed.journal.JournalDamaged``, ``CannotReplay``.
    """
    journal = Journal(directory)
    read = events(_wanted(journal.records(), until))
    first = next(read, None)
    plan, start = _start(journal, first)
    core, sink = Core(plan, _kernels(start["labels"].get("strategy"), strategy)), AnswerSink()
    core.attach(sink)
    result = Replayed(core, start, records=1, event=first)
    recorded, replayed = hashlib.sha256(), hashlib.sha256()
    for event in read:
        if until is not None and event.input.sequence > until:
            break
        result.event = event
        result.inputs += 1
        result.outputs += len(event.outputs)
        result.records = event.last_sequence + 1
        sent = _drive(core, sink, event, result)
        if event.last_sequence + 1 == journal.next_sequence and event.input.kind is not Kind.END:
            # The last one before a crash: requests behind it may be missing in the journal, and were not sent.
            sent = sent[: len(event.outputs)]
        _hash(recorded, event.outputs)
        _hash(replayed, sent)
        after(event, core)
        if sent != event.outputs:
            index = next(
                (i for i, pair in enumerate(zip(event.outputs, sent, strict=False)) if pair[0] != pair[1]),
                min(len(event.outputs), len(sent)),
            )
            result.difference = Difference(event, sent, index)
            break
        if result.inputs % 1024 == 0:
            progress(journal.share)
    progress(1.0)
    result.cut_bytes = journal.cut_bytes
    result.recorded_sha256, result.replayed_sha256 = recorded.hexdigest(), replayed.hexdigest()
    return result


def _start(journal: Journal, first: Event | None) -> tuple[CorePlan, dict[str, Any]]:
    """The plan in the first record. Raises ``CannotReplay`` where it is not there."""
    if first is None:
        raise CannotReplay(f"{journal.directory}: empty, the run ended before its first record was written")
    if first.input.kind is not Kind.START:
        raise CannotReplay(
            f"{journal.files[0]}: begins with record {first.input.sequence}; earlier ones were removed by the limit on "
            "disk space, and a replay needs the first"
        )
    try:
        return plan_of(first.input.data)
    except NotThisPlan as error:
        raise CannotReplay(f"{journal.files[0]}: record 0: {error}: use the version that wrote it") from None


def _kernels(recorded: str | None, given: str | None) -> Addresses:
    """The kernels that quoted. Raises ``CannotReplay`` where they are others than those asked for."""
    if recorded != given:
        why = "the shipped strategy: leave --strategy out" if recorded is None else f"--strategy {recorded}: give it"
        raise CannotReplay(f"the run quoted with {why}")
    if recorded is None:
        return addresses()
    from engine.live.strategy import found
    from kernels.compiled import compile_strategy

    return replaced(addresses(), quote=compile_strategy(found(recorded)))


def _drive(core: Core, sink: AnswerSink, event: Event, result: Replayed) -> tuple[bytes, ...]:
    """Give one input to the core; returns what it sent."""
    kind, now_ns, data = event.input.kind, event.input.now_ns, event.input.data
    sink.expect(set(event.refused))
    try:
        if kind is Kind.ATTACHED:
            core.attach(sink)
        elif kind is Kind.BATCH_END:
            batch_end(core, now_ns)
        elif kind is Kind.PREPARED:
            core.session.prepared(**json.loads(data))
        elif kind is Kind.END:
            result.ended = data.decode()
        else:
            feed(core, Input(Act(kind), now_ns, data, event.input.last))
    except Exception as error:
        # So it did when it was recorded; whether it then sent the same is compared as always.
        result.errors.append(f"record {event.input.sequence}: {type(error).__name__}: {error}")
    return tuple(sink.sent)


def _hash(digest: Any, texts: tuple[bytes, ...]) -> None:
    for text in texts:
        digest.update(len(text).to_bytes(4, "little") + text)
