from typing import Any

class Outlook:
    repeated: int
    too_old: int
    off_grid: int
    def __init__(self, plan: Any, addresses: Any) -> None: ...
    def records(self) -> dict[str, Any]: ...
