"""Loading modules without the garbage collector, which would search what is there to stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No collections while modules are imported."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
