"""Market-maker protection in truth and belief: how far it is overshot, and whether anybody is told."""

from collections.abc import Mapping

import orjson

from engine.core.step import Core
from engine.sim.violation import Violation
from feed.exchange.protection import Group

PROTECTION = b'{"channel_name":"session.mm_protection'


class Guard:
    """Invariant 6: what trades beyond a protection is at most what one aggressor can take, one side of what rests; the
    core reports the worst that it was told, and quotes no more before it has armed the protection again.
    """

    def __init__(self, core: Core, products: Mapping[str, str]) -> None:
        self.fired = 0
        self.overshot = 0
        self._core = core
        self._products = products
        self._spent: set[str] = set()
        self._told_e8 = 0
        self._seen: dict[Group, int] = {}

    def restarted(self, core: Core) -> None:
        """Another process: it has been told nothing."""
        self._core = core
        self._told_e8 = 0

    def reset(self) -> None:
        """A connection begins or ends, and its protection with it."""
        self._spent.clear()
        self._seen.clear()

    def delivered(self, data: bytes) -> None:
        """A message of protection reaches the core."""
        for row in orjson.loads(data)["notification"]:
            remaining_e8 = round(row["remaining_amount"] * 1e8)
            self._told_e8 = max(self._told_e8, -remaining_e8)
            if remaining_e8 <= 0:
                self._spent.add(row["product"])

    def armed(self, product: str) -> None:
        """The core asks for a protection to be filled."""
        self._spent.discard(product)

    def quoting(self, name: str) -> None:
        """The core quotes an instrument."""
        if self._products[name] in self._spent:
            raise Violation(6, f"quoted {name} on a protection that is told to be used up")

    def judge(self, group: Group, rested_e8: int) -> None:
        """A group is used up in truth; ``rested_e8``: the larger side of what rested before this event."""
        over_e8 = -group.remaining_e8
        if self._seen.get(group) == over_e8:
            return
        self._seen[group] = over_e8
        self.fired += 1
        self.overshot += over_e8 > 0
        if over_e8 > rested_e8:
            raise Violation(6, f"{group.product}: overshot by {over_e8 / 1e8}, of {rested_e8 / 1e8} that rested a side")

    def reported(self) -> None:
        """The core tells of the worst overshoot that it was told of."""
        if self._core.overshoot_e8 < self._told_e8:
            raise Violation(6, f"an overshoot of {self._told_e8 / 1e8} contracts was told, and none is reported")
