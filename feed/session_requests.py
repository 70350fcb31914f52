"""The requests of a session that are under way: their ids, what their answers are about, and when those are due."""

from dataclasses import dataclass
from typing import Any

import ujson

FIRST_HOT_ID = 1_000_000_000
"""Request ids from here on belong to the sender of orders; a session uses 1 up to the one before."""
NEVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Pending:
    """A request under way: its method, what its answer is about, and its own deadline if it is no step of set-up."""

    method: str
    argument: Any
    deadline_ns: int

    @property
    def is_step(self) -> bool:
        """Is it part of the set-up?"""
        return self.deadline_ns == NEVER_NS


@dataclass(frozen=True, slots=True)
class Refetch:
    """What leaving and joining channels is about whose loss costs history only: the connection is kept without them."""

    channels: tuple[str, ...]


class Requests:
    """Texts to write, and answers to wait for. Times are ns."""

    def __init__(self) -> None:
        self._next_id = 1
        self._pending: dict[int, Pending] = {}
        self._texts: list[bytes] = []

    @property
    def waiting(self) -> bool:
        """Is any answer waited for?"""
        return bool(self._pending)

    def under_way(self) -> list[tuple[int, Pending]]:
        """All of them, by id."""
        return list(self._pending.items())

    @property
    def deadline_ns(self) -> int:
        """When the first answer is due; ``NEVER_NS`` when none has a deadline of its own."""
        if not self._pending:
            return NEVER_NS
        return min(pending.deadline_ns for pending in self._pending.values())

    @property
    def methods(self) -> set[str]:
        """What is waited for."""
        return {pending.method for pending in self._pending.values()}

    def open(self, method: str, params: dict[str, Any], argument: Any, deadline_ns: int) -> int:
        """Write a request; returns its id."""
        request_id = self._next_id
        self._next_id = request_id + 1 if request_id + 1 < FIRST_HOT_ID else 1
        text = ujson.dumps(
            {"method": method, "params": params, "id": request_id}, allow_nan=False, escape_forward_slashes=False
        )
        self._pending[request_id] = Pending(method, argument, deadline_ns)
        self._texts.append(text.encode())
        return request_id

    def close(self, request_id: int) -> Pending | None:
        """Its answer has come, or is not waited for any more; None: it is not known."""
        return self._pending.pop(request_id, None)

    def overdue(self, now_ns: int) -> list[int]:
        """Ids of those whose deadline has passed."""
        return [key for key, pending in self._pending.items() if pending.deadline_ns <= now_ns]

    def take(self) -> list[bytes]:
        """The texts to write now, in order; they are not given twice."""
        texts, self._texts = self._texts, []
        return texts

    def clear(self) -> None:
        """Nothing is waited for, and nothing is written any more."""
        self._pending.clear()
        self._texts.clear()
