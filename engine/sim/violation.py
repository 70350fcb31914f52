"""What is raised when an invariant does not hold."""


class Violation(Exception):
    """An invariant does not hold: its number in the list of docs/simulation.md, and what was seen."""

    def __init__(self, invariant: int, what: str) -> None:
        super().__init__(f"invariant {invariant}: {what}")
        self.invariant = invariant
