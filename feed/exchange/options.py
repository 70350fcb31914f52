"""Switches of the local exchange: one for every unknown fact of the venue, and the parameters it needs of its own.

Each field names the question (protocol sections 13 and 15) and its default. Times are ns, rates fractions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

SECOND_NS = 1_000_000_000

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Options:
    """How the local exchange behaves where the venue's behaviour is unknown or configurable."""

    # --- wire -----------------------------------------------------------------------------------------------------
    reply_first: bool = True
    """The reply to a request precedes the notifications it causes on the same connection (also for subscribe)."""
    whole_numbers_as_float: bool = False
    """Print whole prices and amounts as ``40.0`` instead of ``40``."""
    empty_side: Literal["null", "absent"] = "null"
    """How a ticker shows a best price that does not exist."""
    empty_snapshots: bool = True
    """Send a snapshot notification even when there is nothing in it."""
    updates_in_one_list: bool = True
    """All order changes of one event share a notification; else one each."""
    trades_with_levels: bool = True
    """Trades and level changes of one event share a book message; else trades come first, in one of their own."""
    trade_side: Literal["aggressor", "maker"] = "aggressor"
    """Whose side a public trade names."""
    ticker_on_book: bool = True
    """Tickers follow the top of the book and trades; else only the mark, about once a second."""
    binary_frames: bool = False
    """Send binary frames instead of text frames."""
    server_ping_ns: int = 0
    """Interval of pings sent by the server; 0 for none."""
    idle_timeout_ns: int = 0
    """Close connections without login and subscriptions that make no valid request for so long; 0 for never."""
    messages: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """Replacement texts by error code."""
    environment: Literal["production", "testnet"] = "testnet"
    """``environment`` of ``public/system_info``."""
    api_version: str = "2.63.0"
    """``api_version`` of ``public/system_info``."""

    # --- subscriptions --------------------------------------------------------------------------------------------
    subscribe_invalid: Literal["subset", "error"] = "subset"
    """A subscribe call of which nothing is valid: an empty list, or error 5."""
    resubscribe: Literal["ignore", "error"] = "ignore"
    """Subscribing again: accepted without effect, or error 8 (unsubscribing what is not subscribed: error 9)."""
    max_channels: int = 1000
    """Channels of one connection; further ones are not accepted."""
    private_subscribe_public: bool = True
    """``private/subscribe`` accepts public channel names too."""
    initial_ticker: bool = True
    """ticker, lwt, price_index and the like send their current state right after subscribing."""
    summary_period_ns: int = SECOND_NS
    """Period of ``account.summary``."""
    index_period_ns: int = SECOND_NS
    """Shortest interval between two ``price_index`` notifications."""
    database_delay_ns: int = 50_000_000
    """How much later than the match the history channels and queries know of it."""

    # --- login ----------------------------------------------------------------------------------------------------
    public_keys: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """PEM public key by key name; name ``*`` stands for every other name. Empty: open mode, no signature check."""
    accounts: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Account number by key name, where it is not the one derived from the name."""
    iat_window_ns: int = 30 * SECOND_NS
    """Largest difference between a token's ``iat`` and the exchange's clock; 0 switches the check off."""
    iat_increasing: bool = True
    """Each token of a key must be issued later than any used before."""
    max_connections: int = 50
    """Logged-in connections of one account (error 53)."""
    min_timeout_secs: int = 1
    """Smallest accepted ``timeout_secs`` of cancel-on-disconnect."""
    max_timeout_secs: int = 3600
    """Largest accepted ``timeout_secs`` of cancel-on-disconnect."""

    # --- throttle -------------------------------------------------------------------------------------------------
    message_rate_persistent: int = 10
    """Matching messages a second of a persistent session; 0 for no limit."""
    message_rate: int = 50
    """Matching messages a second after ``set_cancel_on_disconnect``; 0 for no limit."""
    cancel_rate: int = 1000
    """Cancel requests a second; 0 for no limit."""
    throttle_window: Literal["bucket", "fixed"] = "bucket"
    """Token bucket, or windows of one second."""
    throttle_penalty_ns: int = SECOND_NS
    """How long everything of the kind fails once the limit was passed."""
    throttle_counts_quotes: bool = False
    """Count a mass quote by its entries instead of as one message."""
    throttle_counts_protection: bool = True
    """``set_mm_protection`` counts as a matching message."""

    # --- orders ---------------------------------------------------------------------------------------------------
    collar_width: float = 0.02
    """Collars are mark × (1 ± width)."""
    amend_keeps_post_only: bool = False
    """Post-only is remembered by amends; the default is the harsher case, an amend that may take."""
    amend_keeps_reject: bool = True
    """Whether ``reject_post_only`` is remembered where ``post_only`` is; if not, a crossing price is moved."""
    stp_override: bool = True
    """Requests may choose ``stp_level`` and ``stp_action``; if not, error 28."""
    max_open_orders: int = 1000
    """Open orders of an account, quotes not counted (error 49)."""
    max_open_usd: float = 0.0
    """Cash size of open orders per underlying and side, quotes not counted (error 50); 0 for no limit."""
    cancel_all_covers_quotes: bool = True
    """``cancel_all`` also deletes mass quotes."""

    # --- mass quotes ----------------------------------------------------------------------------------------------
    market_makers: frozenset[str] | None = None
    """Accounts enabled for mass quoting (error 51); None enables all."""
    quote_side_names: tuple[str, str] = ("buy", "sell")
    """Names of the sides in ``errors`` of a mass quote: bid, ask."""
    quote_count: Literal["level", "side"] = "level"
    """What ``n_success`` and ``n_fail`` count."""
    quote_identity: Literal["remaining", "amount"] = "remaining"
    """A repeated level is identical if its amount equals what is left, or what was first stated."""
    quote_error_keeps_side: bool = False
    """A side with a failing level is left as it was; by default its good levels replace it."""
    protection_missing: Literal["error", "entry"] = "error"
    """Quoting without protection: an error reply, or an entry in ``errors``."""

    # --- money ----------------------------------------------------------------------------------------------------
    deposit_usd: float = 1_000_000.0
    """USDt an account opens with."""
    maker_fee: float = 0.0001
    """Fee of the resting side, of index × amount."""
    taker_fee: float = 0.0005
    """Fee of the aggressor, of index × amount."""
    margin_rate: float = 0.25
    """Initial margin as a part of the notional of the worst-case position; 0 switches margin off."""
    maintenance: float = 0.7
    """Maintenance margin as a part of initial margin; below it positions are liquidated."""
    liquidation_fee: float = 0.005
    """Fee of a liquidation on top of the taker's, of index × amount."""
    mark_ema_weight: float = 2.0 / 31.0
    """Weight of the newest second in a mark's premium."""
    mark_depth: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"BTCUSD": 1.0, "ETHUSD": 20.0}))
    """Contracts bought and sold to find a perpetual's fair mid; a tenth of it for dated futures."""
    mark_depth_usd: float = 60_000.0
    """The same as notional, for underlyings without an entry in ``mark_depth``."""
    funding_dampener: float = 0.00025
    """Premium within which the funding rate is zero."""
    settlement_ns: int = 8 * 3600 * SECOND_NS
    """Time of day, UTC, of the daily settlement and of expiries."""

    # --- memory ---------------------------------------------------------------------------------------------------
    history_limit: int = 100_000
    """Trades and closed orders kept, each per account and for the exchange."""
