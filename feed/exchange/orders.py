"""A client's order and how it is shown: OrderStatus (protocol section 6.6)."""

from typing import TYPE_CHECKING, Any

import orjson

from feed.exchange.matching import Resting
from feed.exchange.options import SECOND_NS

if TYPE_CHECKING:
    from feed.exchange.accounts import Account
    from feed.exchange.connection import Connection
    from feed.exchange.listed import Listing

FILLS_IN_HISTORY = 8


class Order(Resting):
    """One order of a client, mass quotes included. Price in ticks, amounts in lots, times epoch ns.

    ``delete_reason`` is empty while the order lives; a market order rests never and shows no price.
    """

    __slots__ = (
        "account",
        "amount",
        "change",
        "client_id",
        "close_ns",
        "create_ns",
        "delete_reason",
        "filled",
        "fills",
        "insert_reason",
        "ioc",
        "label",
        "listing",
        "market",
        "persistent",
        "post_only",
        "quote",
        "reduce_only",
        "reject_post_only",
        "session",
        "stp",
        "stp_no_fill",
    )  # fmt: skip

    def __init__(
        self, order_id: int, session: "Connection", listing: "Listing", buy: bool, price: int, lots: int, now_ns: int
    ) -> None:
        account = session.account
        if account is None:
            raise ValueError("an order needs a logged-in session")
        super().__init__(order_id, buy, price, lots, account)
        self.account: Account = account
        self.session = session
        self.listing = listing
        self.amount = lots
        self.filled = 0
        self.create_ns = now_ns
        self.close_ns = 0
        self.client_id: int | None = None
        self.label = ""
        self.market = self.ioc = self.quote = False
        self.post_only = self.reject_post_only = self.reduce_only = False
        self.persistent = session.persistent
        self.stp = True
        self.stp_no_fill = False
        self.change = "insert"
        self.delete_reason = ""
        self.insert_reason = "client_request"
        self.fills: list[dict[str, Any]] = []

    @property
    def status(self) -> str:
        """``open``, ``partially_filled``, ``filled``, ``cancelled`` or ``cancelled_partially_filled``."""
        reason = self.delete_reason
        if reason == "filled":
            return "filled"
        if reason:
            return "cancelled_partially_filled" if self.filled else "cancelled"
        return "partially_filled" if self.filled else "open"

    def _identity(self, listing: "Listing") -> dict[str, Any]:
        out: dict[str, Any] = {
            "order_id": f"{self.id:016X}",
            "order_type": "market" if self.market else "limit",
            "time_in_force": "immediate_or_cancel" if self.ioc else "good_till_cancelled",
            "instrument_name": listing.name,
            "direction": "buy" if self.buy else "sell",
        }
        if not self.market:
            out["price"] = listing.price(self.price)
        out["amount"] = listing.amount(self.amount)
        out["filled_amount"] = listing.amount(self.filled)
        return out

    def encoded(self, change: str, fills: list[dict[str, Any]]) -> bytes:
        """OrderStatus as JSON, with the fills that are new in this change (all of them for ``existing``)."""
        listing = self.listing
        out = self._identity(listing)
        out["remaining_amount"] = 0 if self.delete_reason else listing.amount(self.remaining)
        if self.label:
            out["label"] = self.label
        if self.client_id is not None:
            out["client_order_id"] = self.client_id
        out["status"] = self.status
        out["fills"] = fills
        out["change_reason"] = change
        if self.delete_reason:
            out["delete_reason"] = self.delete_reason
        out["insert_reason"] = self.insert_reason
        out["create_time"] = self.create_ns / SECOND_NS
        if self.delete_reason:
            out["close_time"] = self.close_ns / SECOND_NS
        out["persistent"] = self.persistent
        if self.reduce_only:
            out["reduce_only"] = True
        return orjson.dumps(out)

    def closed(self) -> dict[str, Any]:
        """The row of ``order_history``."""
        out = self._identity(self.listing)
        del out["time_in_force"]
        if self.label:
            out["label"] = self.label
        if self.client_id is not None:
            out["client_order_id"] = self.client_id
        out["status"] = self.status
        out["fills"] = self.fills[:FILLS_IN_HISTORY]
        out["delete_reason"] = self.delete_reason
        out["insert_reason"] = self.insert_reason
        out["create_time"] = self.create_ns / SECOND_NS
        out["close_time"] = self.close_ns / SECOND_NS
        return out
