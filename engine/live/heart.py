"""The quoter's side of its supervisor: the heartbeat, and the process that watches it."""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from engine.live.plan import LivePlan
from engine.live.supervisor import BEAT, HEART_PREFIX, STATUS, Orders, State
from kernels.ring import RingReader, RingWriter
from kernels.segment import sweep

SILENCE_S = 2.0
"""Longest time without a heartbeat; the loop beats ten times a second."""
RESTARTS_MAX = 5
RESTART_WINDOW_S = 60.0
END_S_MAX = 2.0


class Heart:
    """Beats, and starts a supervisor that died anew. Owner thread: the event loop's."""

    def __init__(self, plan: LivePlan, url: str) -> None:
        sweep(HEART_PREFIX)
        self._ring = RingWriter(HEART_PREFIX, "beat", 64, BEAT)
        given = plan.credentials.model_dump(exclude_none=True)
        self._orders = Orders(self._ring.name, url, plan.network, given, SILENCE_S)
        self._starts: list[float] = []
        self._status: RingReader | None = None
        self._closed = False
        self.restarts = 0
        self._child = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._starts.append(time.monotonic())
        command = [sys.executable, "-m", "engine.live.supervisor"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        if child.stdin is None:
            raise OSError("no pipe to the supervisor")
        child.stdin.write(json.dumps(asdict(self._orders)).encode())
        child.stdin.close()
        return child

    def beat(self, now_ns: int) -> str | None:
        """Alive; returns why nobody can be made to watch, else None."""
        record = np.zeros(1, BEAT)
        record["now_ns"] = now_ns
        self._ring.push(record)
        if self._child.poll() is None:
            return None
        now_s = time.monotonic()
        self._starts = [at_s for at_s in self._starts if now_s - at_s < RESTART_WINDOW_S]
        if len(self._starts) > RESTARTS_MAX:
            return f"the supervisor died {len(self._starts)} times in a minute, last with {self._child.returncode}"
        self._status = None
        self.restarts += 1
        self._child = self._start()
        return None

    def summary(self) -> dict[str, Any]:
        """For the report: process, what it does, how often it cancelled everything, how often it was started anew."""
        state, cancels = State.CONNECTING, 0
        if self._status is None:
            try:
                self._status = RingReader(f"{HEART_PREFIX}-{self._child.pid}-status", STATUS, oldest=True)
            except (FileNotFoundError, ValueError):
                self._status = None
        latest = None if self._status is None else self._status.latest()
        if latest is not None:
            state, cancels = State(int(latest["state"][0])), int(latest["cancels"][0])
        return {
            "pid": self._child.pid,
            "state": state.name.lower(),
            "cancels": cancels,
            "restarts": self.restarts,
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
