"""Error codes of the venue and the exception that carries one to the reply (protocol section 9)."""

from enum import IntEnum


class Code(IntEnum):
    """Error codes the local exchange uses, by the venue's names."""

    ORDER_NOT_FOUND = 1
    DUPLICATE_ORDER_ID = 2
    THROTTLE_EXCEEDED = 4
    UNKNOWN_INSTRUMENT = 5
    INVALID_REQUEST = 6
    NOT_LOGGED_IN = 7
    ALREADY_SUBSCRIBED = 8
    NOT_SUBSCRIBED = 9
    INVALID_ORDER_ID = 12
    INVALID_PRICE = 13
    INVALID_AMOUNT = 14
    PRICE_NOT_ALIGNED = 15
    UNKNOWN_PRODUCT = 17
    AUTHENTICATION_FAILED = 19
    INVALID_PROT_GROUP = 22
    PROT_NOT_SET = 23
    INSUFFICIENT_MARGIN = 24
    INVALID_TIME_IN_FORCE = 25
    UNAUTHORIZED = 28
    UNKNOWN_METHOD = 31
    INVALID_STATE = 37
    UNKNOWN_UNDERLYING = 40
    PRICE_COLLAR_BREACH = 43
    QUOTE_EXCEEDS_PROT_GROUP = 44
    UNBOUNDED_MARKET_ORDER = 45
    TOO_MANY_OPEN_ORDERS = 49
    TOTAL_ORDER_SIZE_TOO_LARGE = 50
    MQP_NOT_ENABLED = 51
    PERSISTENT_SESSION = 52
    CONNECTION_LIMIT = 53
    REDUCE_ONLY_MODE = 57


MESSAGES: dict[int, str] = {
    Code.ORDER_NOT_FOUND: "order not found",
    Code.DUPLICATE_ORDER_ID: "duplicate order id",
    Code.THROTTLE_EXCEEDED: "throttle exceeded",
    Code.UNKNOWN_INSTRUMENT: "unknown instrument",
    Code.INVALID_REQUEST: "request parsing error",
    Code.NOT_LOGGED_IN: "not logged in",
    Code.ALREADY_SUBSCRIBED: "already subscribed",
    Code.NOT_SUBSCRIBED: "not subscribed",
    Code.INVALID_ORDER_ID: "invalid order id",
    Code.INVALID_PRICE: "invalid price",
    Code.INVALID_AMOUNT: "invalid amount",
    Code.PRICE_NOT_ALIGNED: "price not aligned with tick",
    Code.UNKNOWN_PRODUCT: "unknown product",
    Code.AUTHENTICATION_FAILED: "authentication failed",
    Code.INVALID_PROT_GROUP: "invalid protection group",
    Code.PROT_NOT_SET: "protection not set",
    Code.INSUFFICIENT_MARGIN: "insufficient margin",
    Code.INVALID_TIME_IN_FORCE: "invalid time in force",
    Code.UNAUTHORIZED: "unauthorized",
    Code.UNKNOWN_METHOD: "unknown API method",
    Code.INVALID_STATE: "invalid state",
    Code.UNKNOWN_UNDERLYING: "unknown underlying",
    Code.PRICE_COLLAR_BREACH: "price collar breach",
    Code.QUOTE_EXCEEDS_PROT_GROUP: "quote exceeds protection group size",
    Code.UNBOUNDED_MARKET_ORDER: "unbounded market order",
    Code.TOO_MANY_OPEN_ORDERS: "too many open orders",
    Code.TOTAL_ORDER_SIZE_TOO_LARGE: "total order size too large",
    Code.MQP_NOT_ENABLED: "mass quoting not enabled",
    Code.PERSISTENT_SESSION: "persistent session",
    Code.CONNECTION_LIMIT: "API connection limit reached",
    Code.REDUCE_ONLY_MODE: "reduce only",
}
"""Default texts; the venue's own are mostly unknown, so clients match on the code."""


class RequestError(Exception):
    """A request the exchange refuses: ``code`` and ``message`` of the error reply.

    ``detail`` is appended to the code's default text, the way the venue puts figures and parser positions there.
    """

    def __init__(self, code: Code, detail: str = "") -> None:
        text = MESSAGES[code]
        super().__init__(f"{text}: {detail}" if detail else text)
        self.code = code

    @property
    def message(self) -> str:
        """Text of the error reply."""
        return str(self)
