"""The states of a session and the table of what moves it on. Whatever is not in the table is an error.

The steps of set-up follow the venue's order (thalex protocol section 12): connect, log in, check environment and
account, cancel-on-disconnect, clear leftovers, private channels, orders and positions of record, instruments, trades
missed since the last connection, protection, market data.
"""

from enum import Enum, auto


class State(Enum):
    """Where the session is. The members from LOGIN to PUBLIC are the steps of set-up, in their order."""

    DISCONNECTED = auto()
    LOGIN = auto()
    SYSTEM_INFO = auto()
    CANCEL_ON_DISCONNECT = auto()
    CANCEL_SESSION = auto()
    PRIVATE = auto()
    OPEN_ORDERS = auto()
    PORTFOLIO = auto()
    INSTRUMENTS = auto()
    PRICES = auto()
    HISTORY = auto()
    PROTECTION = auto()
    PUBLIC = auto()
    SYNCING = auto()
    LIVE = auto()
    FAILED = auto()
    CLOSED = auto()


class Trigger(Enum):
    """What moves the session on."""

    CONNECTED = auto()
    DONE = auto()
    SYNCED = auto()
    UNSYNCED = auto()
    FAIL = auto()
    LOST = auto()
    CLOSE = auto()


_ENDS = {Trigger.FAIL: State.FAILED, Trigger.LOST: State.DISCONNECTED, Trigger.CLOSE: State.CLOSED}

TABLE: dict[State, dict[Trigger, State]] = {
    State.DISCONNECTED: {Trigger.CONNECTED: State.LOGIN, Trigger.LOST: State.DISCONNECTED, Trigger.CLOSE: State.CLOSED},
    State.LOGIN: {Trigger.DONE: State.SYSTEM_INFO, **_ENDS},
    State.SYSTEM_INFO: {Trigger.DONE: State.CANCEL_ON_DISCONNECT, **_ENDS},
    State.CANCEL_ON_DISCONNECT: {Trigger.DONE: State.CANCEL_SESSION, **_ENDS},
    State.CANCEL_SESSION: {Trigger.DONE: State.PRIVATE, **_ENDS},
    State.PRIVATE: {Trigger.DONE: State.OPEN_ORDERS, **_ENDS},
    State.OPEN_ORDERS: {Trigger.DONE: State.PORTFOLIO, **_ENDS},
    State.PORTFOLIO: {Trigger.DONE: State.INSTRUMENTS, **_ENDS},
    State.INSTRUMENTS: {Trigger.DONE: State.PRICES, **_ENDS},
    State.PRICES: {Trigger.DONE: State.HISTORY, **_ENDS},
    State.HISTORY: {Trigger.DONE: State.PROTECTION, **_ENDS},
    State.PROTECTION: {Trigger.DONE: State.PUBLIC, **_ENDS},
    State.PUBLIC: {Trigger.DONE: State.SYNCING, **_ENDS},
    State.SYNCING: {Trigger.SYNCED: State.LIVE, **_ENDS},
    State.LIVE: {Trigger.UNSYNCED: State.SYNCING, **_ENDS},
    State.FAILED: {Trigger.LOST: State.DISCONNECTED, Trigger.CLOSE: State.CLOSED},
    State.CLOSED: {Trigger.LOST: State.CLOSED, Trigger.CLOSE: State.CLOSED},
}

PRIVATE_STEPS = frozenset(
    (
        State.LOGIN,
        State.CANCEL_ON_DISCONNECT,
        State.CANCEL_SESSION,
        State.PRIVATE,
        State.OPEN_ORDERS,
        State.PORTFOLIO,
        State.HISTORY,
    )
)
PRELUDE_STEPS = frozenset((State.LOGIN, State.SYSTEM_INFO, State.CANCEL_ON_DISCONNECT, State.CANCEL_SESSION))
"""What a connection can go through while another one is quoted on: it tells nothing of orders, positions or the market,
and ``private/cancel_session`` removes orders of its own connection only."""
AFTER_SET_UP = frozenset((State.SYNCING, State.LIVE))
