"""Every fact of the venue in one place: addresses, channel names, words and their codes, error codes, limits and fees.

Taken from the protocol description (sections in brackets). Words the venue uses are mapped to the codes of
``feed/events.pxd``.
"""

import re
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache

# -- addresses (section 2) ---------------------------------------------------------------------------------------------


class Network(Enum):
    """Websocket address of each network. The local exchange's port is a default; its address is given at run time."""

    LOCAL = "ws://127.0.0.1:8765/ws/api/v2"
    TEST = "wss://testnet.thalex.com/ws/api/v2"
    PROD = "wss://thalex.com/ws/api/v2"


HTTP_BASE = {Network.TEST: "https://testnet.thalex.com/api/v2", Network.PROD: "https://thalex.com/api/v2"}
WEBSOCKET_PATH = "/ws/api/v2"
ENVIRONMENT = {"production": Network.PROD, "testnet": Network.TEST}
"""The words of ``public/system_info``'s ``environment`` (section 4.5)."""

# -- limits (sections 3, 7.1, 10) --------------------------------------------------------------------------------------

MESSAGE_SIZE_MAX = 1 << 20
"""Bytes of one message; the venue's own bound is unknown, the official SDK closes above this."""
LABEL_MAX = 32
LABEL_PATTERN = re.compile(r"[A-Za-z0-9<>|_-]{1,32}\Z")
CLIENT_ORDER_ID_MAX = 2**64 - 1
MASS_QUOTE_INSTRUMENTS_MAX = 100
MASS_QUOTE_LEVELS_MAX = 10
"""Levels a side."""
RATE_PERSISTENT = 10
"""Matching messages a second on a connection without cancel-on-disconnect."""
RATE_NON_PERSISTENT = 50
"""The same with it; the reply's ``message_rate`` overrides this."""
RATE_CANCEL = 1000
TOKEN_SKEW_S_MAX = 30
"""Largest error of a login token's ``iat`` (section 4.1)."""
RECONNECT_NOTICE_S = 10
"""The venue closes no earlier than this after the ``reconnect`` event (section 8.13)."""
HISTORY_LIMIT_MAX = 1000
FIXED_POINT_DECIMALS = 8

# -- fees (section 11): fraction of fee basis --------------------------------------------------------------------------

FEE_MAKER = {"perpetual": 0.0001, "future": 0.0001, "combination": 0.0001, "option": 0.00025}
FEE_TAKER = {"perpetual": 0.0005, "future": 0.0005, "combination": 0.0005, "option": 0.00025}

# -- methods (sections 4 to 8) -----------------------------------------------------------------------------------------


class Method:
    """Names of the requests."""

    LOGIN = "public/login"
    SET_CANCEL_ON_DISCONNECT = "private/set_cancel_on_disconnect"
    CANCEL_SESSION = "private/cancel_session"
    PUBLIC_SUBSCRIBE = "public/subscribe"
    PRIVATE_SUBSCRIBE = "private/subscribe"
    UNSUBSCRIBE = "unsubscribe"
    SYSTEM_INFO = "public/system_info"
    INSTRUMENTS = "public/instruments"
    ALL_INSTRUMENTS = "public/all_instruments"
    INSTRUMENT = "public/instrument"
    TICKER = "public/ticker"
    INDEX = "public/index"
    BOOK = "public/book"
    MARK_PRICE_HISTORY = "public/mark_price_historical_data"
    INDEX_PRICE_HISTORY = "public/index_price_historical_data"
    INSERT = "private/insert"
    BUY = "private/buy"
    SELL = "private/sell"
    AMEND = "private/amend"
    CANCEL = "private/cancel"
    CANCEL_ALL = "private/cancel_all"
    MASS_QUOTE = "private/mass_quote"
    SET_MM_PROTECTION = "private/set_mm_protection"
    CANCEL_MASS_QUOTE = "private/cancel_mass_quote"
    OPEN_ORDERS = "private/open_orders"
    PORTFOLIO = "private/portfolio"
    ACCOUNT_SUMMARY = "private/account_summary"
    ACCOUNT_BREAKDOWN = "private/account_breakdown"
    REQUIRED_MARGIN_BREAKDOWN = "private/required_margin_breakdown"
    REQUIRED_MARGIN_FOR_ORDER = "private/required_margin_for_order"
    TRADE_HISTORY = "private/trade_history"
    ORDER_HISTORY = "private/order_history"
    DAILY_MARK_HISTORY = "private/daily_mark_history"
    TRANSACTION_HISTORY = "private/transaction_history"


# -- channels (section 8) ----------------------------------------------------------------------------------------------


class Delay(Enum):
    """Least time between two notifications of a channel (section 8.1)."""

    RAW = "raw"
    MS_100 = "100ms"
    MS_200 = "200ms"
    MS_500 = "500ms"
    MS_1000 = "1000ms"
    MS_5000 = "5000ms"
    MS_60000 = "60000ms"


class Kind(IntEnum):
    """The hot channels, with the codes of ``feed/events.pxd``; SLOW is every other channel."""

    SLOW = 0
    TICKER = 1
    LWT = 2
    BOOK = 3
    TRADES = 4
    ORDERS = 5
    PORTFOLIO = 6
    INDEX = 7
    REPLY = 8


SESSION_ORDERS = "session.orders"
SESSION_MM_PROTECTION = "session.mm_protection"
ACCOUNT_ORDERS = "account.orders"
ACCOUNT_PERSISTENT_ORDERS = "account.persistent_orders"
ACCOUNT_PORTFOLIO = "account.portfolio"
ACCOUNT_SUMMARY = "account.summary"
ACCOUNT_TRADE_HISTORY = "account.trade_history"
ACCOUNT_ORDER_HISTORY = "account.order_history"
INSTRUMENTS = "instruments"
BANNERS = "banners"
SYSTEM = "system"
PRIVATE_PREFIXES = ("session.", "account.", "mm.", "user.")


def ticker(instrument: str, delay: Delay = Delay.RAW) -> str:
    """Channel of full tickers (8.2)."""
    return f"ticker.{instrument}.{delay.value}"


def lwt(instrument: str, delay: Delay = Delay.RAW) -> str:
    """Channel of lightweight tickers (8.3)."""
    return f"lwt.{instrument}.{delay.value}"


def book(instrument: str, delay: Delay = Delay.RAW, grouping: str = "none", levels: str = "all") -> str:
    """Channel of book changes (8.5); ``grouping`` is "none" or a step in USD, ``levels`` "all" or a number."""
    return f"book.{instrument}.{grouping}.{levels}.{delay.value}"


def recent_trades(target: str, category: str = "single") -> str:
    """Channel of public trades (8.6): an instrument with "single", an underlying with "all", "options" or
    "future_rolls".
    """
    return f"recent_trades.{target}.{category}"


def price_index(underlying: str) -> str:
    """Channel of an index (8.7)."""
    return f"price_index.{underlying}"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel name taken apart: family (text before the target), target (instrument, underlying or ""), the rest,
    and the kind.
    """

    name: str
    family: str
    target: str
    parameters: tuple[str, ...]
    kind: Kind

    @property
    def private(self) -> bool:
        """Does it need a login?"""
        return self.name.startswith(PRIVATE_PREFIXES)


_DELAYS = frozenset(delay.value for delay in Delay)
_WHOLE = {SESSION_ORDERS: Kind.ORDERS, ACCOUNT_PORTFOLIO: Kind.PORTFOLIO}
_CATEGORIES = frozenset(("single", "all", "options", "future_rolls"))


@lru_cache(maxsize=1024)
def parse_channel(name: str) -> Channel:
    """Take a channel name apart. A name of no known form is a channel of kind SLOW whose family is the whole name."""
    if name in _WHOLE:
        return Channel(name, name, "", (), _WHOLE[name])
    family, _, rest = name.partition(".")
    if family in ("ticker", "lwt"):
        target, _, delay = rest.rpartition(".")
        if target and delay in _DELAYS:
            return Channel(name, family, target, (delay,), Kind.TICKER if family == "ticker" else Kind.LWT)
    elif family == "book":
        # A grouping such as 0.5 has a point of its own.
        match = re.fullmatch(r"(.+?)\.(none|\d+(?:\.\d+)?)\.(all|\d+)\.(\w+)", rest)
        if match and match[4] in _DELAYS:
            return Channel(name, family, match[1], (match[2], match[3], match[4]), Kind.BOOK)
    elif family == "recent_trades":
        target, _, category = rest.rpartition(".")
        if target and category in _CATEGORIES:
            return Channel(name, family, target, (category,), Kind.TRADES)
    elif family == "price_index" and rest:
        return Channel(name, family, rest, (), Kind.INDEX)
    elif family in (
        "lwt_options",
        "lwt_futures",
        "lwt_future_rolls",
        "base_price",
        "index_components",
        "underlying_statistics",
    ):
        target, *parameters = rest.split(".")
        if target:
            return Channel(name, family, target, tuple(parameters), Kind.SLOW)
    elif family == INSTRUMENTS and rest:
        return Channel(name, family, "", tuple(rest.split(".")), Kind.SLOW)
    return Channel(name, name, "", (), Kind.SLOW)


# -- instruments (section 11) ------------------------------------------------------------------------------------------

_OPTION = re.compile(r"[A-Z0-9]+-\d{1,2}[A-Z]{3}\d{2}-\d+(?:\.\d+)?-[CP]\Z")
_OUTRIGHT = re.compile(r"[A-Z0-9]+-(?:PERPETUAL|\d{1,2}[A-Z]{3}\d{2})\Z")


def underlying_of(instrument: str) -> str:
    """Underlying of an instrument's name: the coin in USD (section 11)."""
    return instrument.partition("-")[0] + "USD"


def is_outright(instrument: str) -> bool:
    """Is it a perpetual or a dated future, whose prices are always positive?"""
    return _OUTRIGHT.match(instrument) is not None


def is_option(instrument: str) -> bool:
    """Is it an option, whose prices are never negative?"""
    return _OPTION.match(instrument) is not None


# -- words (section 6.6) and their codes in feed/events.pxd ------------------------------------------------------------

SIDES = {"buy": 1, "sell": -1}
STATUSES = {"open": 1, "partially_filled": 2, "cancelled": 3, "cancelled_partially_filled": 4, "filled": 5}
CHANGE_REASONS = {"existing": 1, "insert": 2, "amend": 3, "cancel": 4, "fill": 5}
DELETE_REASONS = {
    "client_cancel": 2,
    "client_bulk_cancel": 3,
    "session_end": 4,
    "instrument_deactivated": 5,
    "mm_protection": 6,
    "failover": 7,
    "margin_breach": 8,
    "filled": 9,
    "immediate_cancel": 10,
    "admin_cancel": 11,
    "replaced": 12,
    "self_trade_prevention": 13,
}
INSERT_REASONS = {"client_request": 1, "conditional_order": 2, "bot": 3, "liquidation": 4}
UNKNOWN_STATUS = UNKNOWN_CHANGE_REASON = UNKNOWN_INSERT_REASON = 0
NO_DELETE_REASON, UNKNOWN_DELETE_REASON = 0, 1
ORDER_TYPES = ("limit", "market")
TIMES_IN_FORCE = ("good_till_cancelled", "immediate_or_cancel")
MAKER_TAKER = {"maker": 1, "taker": 0}
PROTECTION_REASONS = ("refill", "executions", "client_cancel", "session_end", "failover")
INSTRUMENT_TYPES = ("perpetual", "future", "option", "combination")
SEVERITIES = ("info", "warning", "critical")
RECONNECT_EVENT = "reconnect"

# -- errors (section 9) ------------------------------------------------------------------------------------------------


class Action(Enum):
    """What the quoter does about an error."""

    DROP = "drop"
    """The request was refused for what it said: forget it, plan anew from current data."""
    BACK_OFF = "back off"
    """Over a rate: send nothing but cancels for a while."""
    RETRY_LATER = "retry later"
    """A passing fault of the venue: try again after a pause."""
    RESYNC = "resync"
    """What we believe about orders is wrong: query before anything else."""
    REARM = "rearm"
    """The session's protection is not (any more) in force: arm it again."""
    RELOAD = "reload"
    """What we believe about instruments is wrong: load them anew."""
    REDUCE = "reduce"
    """The account may only reduce its risk for now."""
    RECONNECT = "reconnect"
    """The session is not what it should be: set up a new one."""
    HALT = "halt"
    """A person must look at it."""


class ErrorCode(IntEnum):
    """Error codes of the venue."""

    ORDER_NOT_FOUND = 1
    DUPLICATE_ORDER_ID = 2
    TOO_MANY_PENDING_REQUESTS = 3
    THROTTLE_EXCEEDED = 4
    UNKNOWN_INSTRUMENT = 5
    INVALID_REQUEST = 6
    NOT_LOGGED_IN = 7
    ALREADY_SUBSCRIBED = 8
    NOT_SUBSCRIBED = 9
    PARTITION_UNAVAILABLE = 10
    SESSION_EXHAUSTED = 11
    INVALID_ORDER_ID = 12
    INVALID_PRICE = 13
    INVALID_QUANTITY = 14
    PRICE_NOT_ALIGNED_WITH_TICK = 15
    INSTRUMENT_EXISTS = 16
    UNKNOWN_PRODUCT = 17
    PRODUCT_EXISTS = 18
    AUTHENTICATION_FAILED = 19
    TEMPORARY_FAILURE = 20
    INVALID_PARTITION = 21
    INVALID_PROT_GROUP = 22
    PROT_NOT_SET = 23
    INSUFFICIENT_MARGIN = 24
    INVALID_TIME_IN_FORCE = 25
    ACCOUNT_LOCKED = 26
    INSUFFICIENT_FUNDS = 27
    UNAUTHORIZED = 28
    NEED_TOTP = 29
    NEED_SMS = 30
    UNKNOWN_METHOD = 31
    REQUIRE_2FA = 32
    PASSWORD_NOT_ACCEPTED = 33
    INVALID_VERIFICATION_CODE = 34
    INVALID_EMAIL_ADDRESS = 35
    INVALID_SESSION_FOR_MASS_QUOTING = 36
    INVALID_STATE = 37
    INVALID_PHONE_NUMBER = 38
    UNKNOWN_ASSET = 39
    UNKNOWN_UNDERLYING = 40
    INSUFFICIENT_LIQUIDITY = 41
    EXCLUDED_JURISDICTION = 42
    PRICE_COLLAR_BREACH = 43
    QUOTE_EXCEEDS_PROT_GROUP_SIZE = 44
    UNBOUNDED_MARKET_ORDER = 45
    UNSUPPORTED_BTC_TRANSFER = 46
    SMS_THROTTLE_EXCEEDED = 47
    INSUFFICIENT_FEE_FUNDS = 48
    TOO_MANY_OPEN_ORDERS = 49
    TOTAL_ORDER_SIZE_TOO_LARGE = 50
    MQP_NOT_ENABLED = 51
    PERSISTENT_SESSION = 52
    API_CONNECTION_LIMIT_REACHED = 53
    ASSET_NOT_TRANSACTABLE = 54
    MAX_BOTS_REACHED = 55
    COMBO_TOTAL_GROSS_AMOUNT_TOO_LARGE = 56
    REDUCE_ONLY_MODE = 57
    REJECTED_ON_VOLUME_QUOTA = 58


_E = ErrorCode
ACTIONS: dict[ErrorCode, Action] = {code: Action.HALT for code in ErrorCode} | {
    _E.ORDER_NOT_FOUND: Action.RESYNC,
    _E.DUPLICATE_ORDER_ID: Action.RESYNC,
    _E.INVALID_ORDER_ID: Action.RESYNC,
    _E.TOO_MANY_PENDING_REQUESTS: Action.BACK_OFF,
    _E.THROTTLE_EXCEEDED: Action.BACK_OFF,
    _E.REJECTED_ON_VOLUME_QUOTA: Action.BACK_OFF,
    _E.PARTITION_UNAVAILABLE: Action.RETRY_LATER,
    _E.TEMPORARY_FAILURE: Action.RETRY_LATER,
    _E.INVALID_STATE: Action.RETRY_LATER,
    _E.SESSION_EXHAUSTED: Action.RECONNECT,
    _E.NOT_LOGGED_IN: Action.RECONNECT,
    _E.PERSISTENT_SESSION: Action.RECONNECT,
    _E.INVALID_SESSION_FOR_MASS_QUOTING: Action.RECONNECT,
    _E.ALREADY_SUBSCRIBED: Action.DROP,
    _E.NOT_SUBSCRIBED: Action.DROP,
    _E.INVALID_PRICE: Action.DROP,
    _E.INSUFFICIENT_LIQUIDITY: Action.DROP,
    _E.PRICE_COLLAR_BREACH: Action.DROP,
    _E.UNBOUNDED_MARKET_ORDER: Action.DROP,
    _E.COMBO_TOTAL_GROSS_AMOUNT_TOO_LARGE: Action.DROP,
    _E.UNKNOWN_INSTRUMENT: Action.RELOAD,
    _E.INVALID_QUANTITY: Action.RELOAD,
    _E.PRICE_NOT_ALIGNED_WITH_TICK: Action.RELOAD,
    _E.INVALID_PROT_GROUP: Action.REARM,
    _E.PROT_NOT_SET: Action.REARM,
    _E.QUOTE_EXCEEDS_PROT_GROUP_SIZE: Action.REARM,
    _E.INSUFFICIENT_MARGIN: Action.REDUCE,
    _E.INSUFFICIENT_FUNDS: Action.REDUCE,
    _E.INSUFFICIENT_FEE_FUNDS: Action.REDUCE,
    _E.TOO_MANY_OPEN_ORDERS: Action.REDUCE,
    _E.TOTAL_ORDER_SIZE_TOO_LARGE: Action.REDUCE,
    _E.REDUCE_ONLY_MODE: Action.REDUCE,
}


def action(code: int) -> Action:
    """What to do about an error; a code we do not know halts."""
    try:
        return ACTIONS[ErrorCode(code)]
    except ValueError:
        return Action.HALT
