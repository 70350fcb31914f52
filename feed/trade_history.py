"""Trades of the account as ``private/trade_history`` tells them (thalex protocol sections 8.19 and 8.22), in pages.

Amounts and prices are integers in units of 1e-8, times seconds since the epoch by the venue's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from feed.session_results import E8, Unexpected, member, rows

PAGES_MAX = 20
LIMIT = 1000
TRIES_MAX = 5
AGAIN_NS = 500_000_000
"""The database lags behind the matching engine: what is not there yet is asked for again, so often and so far apart.

Once more after that, it is asked for the newest trades of any time: the venue's clock may have been told wrongly.
"""

EXECUTIONS = frozenset(("normal", "block", "combo", "rfq", "liquidation"))
"""Types of trades that have a price of their own; settlements, transfers and corrections have not."""


@dataclass(frozen=True, slots=True)
class TradeOfRecord:
    """One execution. ``signed_e8``: positive when the account bought. ``fee_usd``: paid; None: not told."""

    trade_id: str
    instrument: str
    signed_e8: int
    price_e8: int
    fee_usd: float | None
    time_s: float


def page(result: Any) -> tuple[list[TradeOfRecord], str | None]:
    """One page and the bookmark of the next. Raises ``Unexpected`` for another form."""
    trades = [
        _trade(row)
        for row in rows(member(result, "trades"), "trades")
        if isinstance(row, dict) and row.get("trade_type") in EXECUTIONS
    ]
    bookmark = result.get("bookmark")
    if bookmark is not None and not isinstance(bookmark, str):
        raise Unexpected(f"bookmark {bookmark!r}")
    return trades, bookmark


def _trade(row: dict[str, Any]) -> TradeOfRecord:
    direction, fee = member(row, "direction"), row.get("fee")
    if direction not in ("buy", "sell"):
        raise Unexpected(f"direction {direction!r}")
    amount = _e8(member(row, "amount"))
    return TradeOfRecord(
        trade_id=str(member(row, "trade_id")),
        instrument=str(member(row, "instrument_name")),
        signed_e8=amount if direction == "buy" else -amount,
        price_e8=_e8(member(row, "price")),
        fee_usd=None if fee is None else _number(fee),
        time_s=_number(member(row, "time")),
    )


def _number(value: Any) -> float:
    if type(value) not in (int, float, Decimal) or not abs(value) < 1e18:
        raise Unexpected(f"{value!r} in a trade")
    return float(value)


def _e8(value: Any) -> int:
    """The venue rounds to 8 decimals (section 3), and so do the texts of its doubles."""
    _number(value)
    return round(Decimal(str(value)) * E8)


class HistoryStep:
    """The set-up's step that asks for the trades since ``since_s``; None: it is left out."""

    def __init__(self) -> None:
        self.since_s: float | None = None
        self.again_ns: int | None = None
        self.any_time = False
        self.taken = False
        self._trades: list[TradeOfRecord] = []
        self._pages = 0
        self._tries = 0

    def begin(self) -> None:
        """A new connection."""
        self.again_ns, self.any_time, self.taken, self._tries = None, False, False, 0

    def params(self, instruments: Sequence[str], bookmark: str | None = None) -> dict[str, Any]:
        """Of the request for the first page, or of the one behind ``bookmark``."""
        if bookmark is None:
            self._trades, self._pages, self.again_ns = [], 0, None
            self._tries += 1
        params: dict[str, Any] = {"limit": LIMIT, "instrument_names": ",".join(instruments)}
        if self.any_time:
            return params | {"sort": "descending"}
        params["sort"] = "ascending"
        return params | {"time_low": self.since_s} | ({} if bookmark is None else {"bookmark": bookmark})

    def take(self, result: Any) -> str | None:
        """Add a page; the bookmark of the next one that is wanted. Raises ``Unexpected``."""
        trades, bookmark = page(result)
        self._trades += reversed(trades) if self.any_time else trades
        self._pages += 1
        return bookmark if self._pages < PAGES_MAX and not self.any_time else None

    @property
    def trades(self) -> tuple[TradeOfRecord, ...]:
        """What was told so far, oldest first."""
        return tuple(self._trades)

    def ask_again(self, now_ns: int) -> bool:
        """Wait and ask once more; False when that was done often enough."""
        if self.any_time:
            return False
        self.any_time = self._tries >= TRIES_MAX
        self.again_ns = now_ns + AGAIN_NS
        return True
