"""Types of the compiled module."""

from engine.bench.harness import Player
from engine.core.step import Core

def allocator_calls(player: Player, core: Core, start: int, stop: int) -> list[int]: ...
