from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from typing_extensions import Buffer

OK: int
EMPTY: int
OVERRUN: int
CLOSED: int
CAPACITY_MAX: int

class RingWriter:
    path: str
    record_bytes: int
    capacity: int
    def __init__(
        self, prefix: str, label: str, capacity: int, record: DTypeLike | int, directory: str = ...
    ) -> None: ...
    def push(self, records: Buffer | NDArray[np.void]) -> int: ...
    @property
    def published(self) -> int: ...
    @property
    def name(self) -> str: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

class RingReader:
    path: str
    record_bytes: int
    capacity: int
    position: int
    lost: int
    overruns: int
    def __init__(self, name: str, record: DTypeLike | int, oldest: bool = False, directory: str = ...) -> None: ...
    def read(self, n: int = 4096) -> tuple[int, NDArray[Any]]: ...
    def latest(self) -> NDArray[Any] | None: ...
    @property
    def backlog(self) -> int: ...
    def writer_alive(self) -> bool: ...
