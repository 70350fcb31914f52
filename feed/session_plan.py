"""What a session is to set up: the configuration of ``feed/session.py``, checked once and then frozen.

Amounts are integers in units of 1e-8 contracts, times integer nanoseconds.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from feed import venue
from feed.session_table import AFTER_SET_UP, PRELUDE_STEPS, PRIVATE_STEPS, State

SNAPSHOT_CHANNELS = frozenset((venue.SESSION_ORDERS, venue.ACCOUNT_ORDERS, venue.ACCOUNT_PORTFOLIO))
"""Private channels whose first message is the state of record (thalex protocol sections 8.14, 8.15 and 8.17)."""
PRIVATE_CHANNELS = (
    venue.SESSION_ORDERS,
    venue.ACCOUNT_ORDERS,
    venue.SESSION_MM_PROTECTION,
    venue.ACCOUNT_PORTFOLIO,
    venue.ACCOUNT_SUMMARY,
)


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One session's set-up.

    ``environment`` and ``account`` are checked against the venue's answers when given. ``protection`` maps a product to
    (trade_amount_e8, quote_amount_e8) and is armed only when ``mass_quote`` is set. Without ``login`` the session only
    reads public data. ``snapshots_required``: give the connection up when the first state of a private channel does
    not come; otherwise the queries that follow are taken as the state of record (whether an empty list is sent is not
    known). ``account.orders`` is a second witness of open orders, left after the query; it may not be silent alone.
    ``prelude``: only the first steps, those of ``session_table.PRELUDE_STEPS``; the session is syncing after them.
    """

    instruments: tuple[str, ...]
    channels_public: tuple[str, ...]
    channels_private: tuple[str, ...] = PRIVATE_CHANNELS
    environment: str | None = None
    account: str | None = None
    login: bool = True
    cancel_on_disconnect_s: int = 6
    mass_quote: bool = False
    protection: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    snapshots_required: bool = False
    reply_timeout_ns: int = 5_000_000_000
    snapshot_timeout_ns: int = 2_000_000_000
    sync_timeout_ns: int = 30_000_000_000
    login_attempts: int = 3
    channels_a_request: int = 200
    prelude: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "protection", MappingProxyType(dict(self.protection)))
        problems = [*self._channel_problems(), *self._number_problems(), *self._protection_problems()]
        if problems:
            raise ValueError("; ".join(problems))

    def without(self, names: Collection[str]) -> "SessionPlan":
        """The same without these instruments and their channels."""
        return replace(
            self,
            instruments=tuple(name for name in self.instruments if name not in names),
            channels_public=tuple(c for c in self.channels_public if not set(c.split(".")) & set(names)),
        )

    def wants(self, state: State) -> bool:
        """Is this step of set-up part of the plan?"""
        if self.prelude and state not in PRELUDE_STEPS:
            return state in AFTER_SET_UP
        if state in PRIVATE_STEPS:
            return self.login and (state is not State.PRIVATE or bool(self.channels_private))
        if state is State.PROTECTION:
            return self.mass_quote
        if state is State.PUBLIC:
            return bool(self.channels_public)
        return True

    def _channel_problems(self) -> list[str]:
        problems = []
        for name in ("instruments", "channels_public", "channels_private"):
            values = getattr(self, name)
            if len(set(values)) != len(values) or not all(values):
                problems.append(f"{name} holds an empty name or one twice")
        if not self.instruments:
            problems.append("no instruments")
        return problems

    def _number_problems(self) -> list[str]:
        problems = []
        if not 1 <= self.cancel_on_disconnect_s <= 60:
            problems.append("cancel_on_disconnect_s must be 1 to 60")
        for name in (
            "reply_timeout_ns",
            "snapshot_timeout_ns",
            "sync_timeout_ns",
            "login_attempts",
            "channels_a_request",
        ):
            if getattr(self, name) <= 0:
                problems.append(f"{name} must be positive")
        return problems

    def _protection_problems(self) -> list[str]:
        problems = []
        for product, (trade_e8, quote_e8) in self.protection.items():
            if not product or not 0 < trade_e8 <= quote_e8:
                problems.append(f"protection of {product!r}: trade amount must be in (0, quote amount]")
        if self.mass_quote and not self.login:
            problems.append("mass quoting needs a login")
        return problems
