"""Everything that a core was told, in order: the inputs of a session, enough to drive another core to the same bytes.

The core is a function of (state, event, now_ns), so a fresh one that is given a tape sends what the first one sent.
A ``World`` writes a tape while it runs; tests, benchmarks and replays read it. Times are integer ns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from engine.core.step import Core
from engine.journal.plan_text import plan_of


class Act(IntEnum):
    """What an input is; each is one call of the core."""

    MESSAGE = 0
    CONNECTED = 1
    DISCONNECTED = 2
    TOKEN = 3
    TIMER = 4
    OPERATOR = 5
    CONFIG = 12


class Input(NamedTuple):
    """One call of the core.

    ``data``: the message, the token, the operator's word, the reason of the end, or the text of a plan
    (``engine.journal.plan_text``). ``last``: of a batch of messages.
    """

    act: Act
    now_ns: int
    data: bytes
    last: bool


@dataclass(slots=True)
class Tape:
    """The inputs of a core since it was made."""

    inputs: list[Input] = field(default_factory=list)

    def record(self, act: Act, now_ns: int, data: bytes = b"", last: bool = True) -> None:
        """Append one input."""
        self.inputs.append(Input(act, now_ns, data, last))


def feed(core: Core, entry: Input) -> None:
    """Give one input to a core."""
    act, now_ns, data, last = entry
    if act is Act.MESSAGE:
        core.on_message(data, now_ns, last)
    elif act is Act.TIMER:
        core.on_timer(now_ns)
    elif act is Act.TOKEN:
        core.provide_token(data.decode(), now_ns)
    elif act is Act.CONNECTED:
        core.on_connected(now_ns)
    elif act is Act.DISCONNECTED:
        core.on_disconnected(now_ns, data.decode())
    elif act is Act.CONFIG:
        core.configure(plan_of(data)[0], now_ns)
    else:
        core.operator(data.decode(), now_ns)


def replay(tape: Tape, core: Core, after: Callable[[int], None] = lambda index: None) -> None:
    """Drive a fresh core, with a sink attached, by the whole tape. ``after``: called with the index of each input."""
    for index, entry in enumerate(tape.inputs):
        feed(core, entry)
        after(index)
