"""The quoter's side of its supervisor: the heartbeat, the process that watches it, and whether that is alive itself.

Each watches the other. A supervisor that is dead, silent or without a connection watches nothing: ``unwatched`` tells,
and nothing is quoted until one watches again. A dead one is started anew, a silent one is killed first, a bounded
number of times.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from engine.live.plan import LivePlan
from engine.live.supervisor import BEAT, HEART_PREFIX, STATUS, Orders, Pulse, State
from kernels.ring import RingReader, RingWriter
from kernels.segment import sweep

SILENCE_S = 2.0
"""Longest time without a heartbeat; the loop beats ten times a second, the supervisor twenty times."""
START_S_MAX = 20.0
"""A supervisor that does not beat by then is as good as dead."""
UNCONNECTED_S_MAX = 10.0
"""Longest time that a supervisor may be between two connections: one is lost now and then, and theirs with ours."""
RESTARTS_MAX = 5
RESTART_WINDOW_S = 60.0
END_S_MAX = 2.0


class Heart:
    """Beats, and starts a supervisor that died anew. Owner thread: the event loop's.

    ``unwatched``: why nobody watches; None: a supervisor does.
    """

    def __init__(self, plan: LivePlan, url: str) -> None:
        sweep(HEART_PREFIX)
        self._ring = RingWriter(HEART_PREFIX, "beat", 64, BEAT)
        given = plan.credentials.model_dump(exclude_none=True)
        self._orders = Orders(self._ring.name, url, plan.network, given, SILENCE_S, plan.requests_a_minute)
        self._starts: list[float] = []
        self._closed = False
        self.restarts = 0
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._starts.append(time.monotonic())
        self._pulse: Pulse | None = None
        self._connected_s: float | None = None
        self.unwatched: str | None = "the supervisor is starting"
        command = [sys.executable, "-m", "engine.live.supervisor"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        if self._child.stdin is None:
            raise OSError("no pipe to the supervisor")
        self._child.stdin.write(json.dumps(asdict(self._orders)).encode())
        self._child.stdin.close()

    def beat(self, now_ns: int) -> str | None:
        """Alive; returns why nobody can be made to watch, else None."""
        record = np.zeros(1, BEAT)
        record["now_ns"] = now_ns
        self._ring.push(record)
        now_s = time.monotonic()
        if self._child.poll() is None:
            self.unwatched = self._judged(now_s)
            return None
        self._starts = [at_s for at_s in self._starts if now_s - at_s < RESTART_WINDOW_S]
        if len(self._starts) > RESTARTS_MAX:
            self.unwatched = "the supervisor died"
            return f"the supervisor died {len(self._starts)} times in a minute, last with {self._child.returncode}"
        self.restarts += 1
        self._start()
        return None

    def _judged(self, now_s: float) -> str | None:
        """Why the supervisor that runs does not watch; None: it does. A silent one is killed."""
        if self._pulse is None:
            try:
                ring = RingReader(f"{HEART_PREFIX}-{self._child.pid}-status", STATUS, oldest=True)
            except (FileNotFoundError, ValueError):
                if now_s - self._starts[-1] > START_S_MAX:
                    self._child.kill()
                return "the supervisor is starting"
            self._pulse = Pulse(ring, SILENCE_S, now_s)
        if self._pulse.stopped(now_s):
            self._child.kill()
            return f"no heartbeat of the supervisor for {SILENCE_S:g} s"
        if self._state is State.CANCELLING:
            return "the supervisor is cancelling everything"
        if self._state is State.WATCHING:
            self._connected_s = now_s
        if self._connected_s is None:
            return "the supervisor is connecting"
        if now_s - self._connected_s > UNCONNECTED_S_MAX:
            return f"the supervisor is without a connection for {UNCONNECTED_S_MAX:g} s"
        return None

    @property
    def _state(self) -> State:
        """What it says that it does."""
        last = None if self._pulse is None else self._pulse.last
        return State.CONNECTING if last is None else State(int(last["state"][0]))

    def summary(self) -> dict[str, Any]:
        """For the report: process, what it does, how often it cancelled everything, how often it was started anew."""
        if self._pulse is not None:
            self._pulse.stopped(time.monotonic())
        last = None if self._pulse is None else self._pulse.last
        return {
            "pid": self._child.pid,
            "state": self._state.name.lower(),
            "cancels": 0 if last is None else int(last["cancels"][0]),
            "restarts": self.restarts,
            "unwatched": self.unwatched,
        }

    def close(self) -> None:
        """The end in order: nobody needs to watch any more."""
        if self._closed:
            return
        self._closed = True
        self._ring.close()
        try:
            self._child.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
