"""Accounts: positions at average price, cash, fees, funding, margin and their rows (protocol 8.17, 8.18 and 11).

Money is exact: integers of 1e-20 USD (price in 1e-8 × amount in 1e-8 × 1e4), so that what clients, crowd and fees hold
always sums to zero. Only what is shown is a float.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from feed.exchange.instruments import E8
from feed.exchange.options import SECOND_NS, Options

if TYPE_CHECKING:
    from feed.exchange.connection import Connection
    from feed.exchange.feeds import ListFeed, OrdersFeed, PortfolioFeed
    from feed.exchange.listed import Listing
    from feed.exchange.orders import Order

USD = 10**20
CASH_PER_E16 = 10**4
PPM = 10**6


def usd(cash: int) -> float:
    """Cash units as USD."""
    return cash / USD


def fee_cash(index_e8: int, amount_e8: int, rate_ppm: int) -> int:
    """Fee of one fill: index × amount × rate, protocol section 11."""
    return index_e8 * amount_e8 * rate_ppm * CASH_PER_E16 // PPM


class Position:
    """One account's position in one instrument, with the worst its open orders can make of it.

    ``amount_e8`` is signed. Basis fields hold what the amount cost, signed alike: ``start`` since the last settlement
    (it is reset to the mark there), ``entry`` at average price (not reset), ``funding`` of the funding mark.
    ``liquidated_e8`` is what the exchange has closed of it, ever.
    """

    __slots__ = (
        "amount_e8", "entry", "fees", "funding", "liquidated_e8", "listing", "open_buy_e8", "open_sell_e8",
        "realised", "realised_funding", "start",
    )  # fmt: skip

    def __init__(self, listing: "Listing") -> None:
        self.listing = listing
        self.amount_e8 = 0
        self.start = self.entry = self.funding = 0
        self.realised = self.realised_funding = self.fees = 0
        self.open_buy_e8 = self.open_sell_e8 = 0
        self.liquidated_e8 = 0

    def trade(self, signed_e8: int, price_e8: int, funding_mark_e12: int) -> tuple[int, int]:
        """Book a fill; returns (realised position P&L, realised funding) of the part that closed, in cash units."""
        value = price_e8 * signed_e8 * CASH_PER_E16
        funding = funding_mark_e12 * signed_e8
        held = self.amount_e8
        pnl = carry = 0
        if held and (held > 0) != (signed_e8 > 0):
            closed = min(abs(held), abs(signed_e8))
            size = abs(signed_e8)
            start = self.start * closed // abs(held)
            carried = self.funding * closed // abs(held)
            self.entry -= self.entry * closed // abs(held)
            pnl = -(value * closed // size) - start
            carry = -(funding * closed // size) - carried
            self.start -= start
            self.funding -= carried
            value -= value * closed // size
            funding -= funding * closed // size
        self.start += value
        self.entry += value
        self.funding += funding
        self.amount_e8 = held + signed_e8
        self.realised += pnl
        self.realised_funding += carry
        return pnl, carry

    def unrealised(self) -> int:
        """Positional P&L against the mark since the last settlement."""
        return self.listing.mark_e8 * self.amount_e8 * CASH_PER_E16 - self.start

    def unrealised_funding(self) -> int:
        """Funding accrued since the last settlement."""
        return self.listing.funding_mark_e12 * self.amount_e8 - self.funding

    def worst_e8(self) -> int:
        """Largest absolute amount if every open order of one side filled."""
        return max(abs(self.amount_e8 + self.open_buy_e8), abs(self.amount_e8 - self.open_sell_e8))

    def row(self) -> dict[str, Any]:
        """The line of ``private/portfolio`` and ``account.portfolio``."""
        listing = self.listing
        held = self.amount_e8
        out: dict[str, Any] = {
            "instrument_name": listing.name,
            "position": listing.value(held),
            "mark_price": listing.value(listing.mark_e8),
            "index": listing.value(listing.underlying.index_e8),
            "start_price": self.start / held / (E8 * CASH_PER_E16) if held else 0,
            "average_price": self.entry / held / (E8 * CASH_PER_E16) if held else 0,
            "unrealised_pnl": usd(self.unrealised()),
            "realised_pnl": usd(self.realised + self.realised_funding - self.fees),
            "entry_value": usd(self.entry),
        }
        if listing.perpetual:
            if self.funding:
                out["perpetual_funding_entry_value"] = usd(self.funding)
            out["unrealised_perpetual_funding"] = usd(self.unrealised_funding())
        return out

    def breakdown(self) -> dict[str, Any]:
        """The line of ``private/account_breakdown``."""
        row = self.row()
        positional, funding = usd(self.unrealised()), usd(self.unrealised_funding())
        return {
            "instrument_name": row["instrument_name"],
            "position": row["position"],
            "mark_price": row["mark_price"],
            "start_price": row["start_price"],
            "average_price": row["average_price"],
            "unrealised_pnl_positional": positional,
            "unrealised_pnl_perpetual": funding,
            "unrealised_pnl": positional + funding,
            "open_buy_amount": self.listing.value(self.open_buy_e8),
            "open_sell_amount": self.listing.value(self.open_sell_e8),
            "session_realised_pnl": row["realised_pnl"],
            "realised_position_pnl": usd(self.realised),
            "realised_perpetual_funding": usd(self.realised_funding),
            "session_fees": usd(self.fees),
        }


class Account:
    """One client's account: ``balance`` is cash at the last settlement, ``realised`` what came since, in cash units."""

    __slots__ = (
        "balance", "connections", "daily_marks", "deposit", "number", "options", "orders", "orders_feed",
        "orders_history", "orders_history_feed", "persistent_feed", "portfolio_feed", "positions", "realised",
        "trades_history", "trades_history_feed", "transactions",
    )  # fmt: skip

    def __init__(self, number: str, options: Options, now_ns: int) -> None:
        self.number = number
        self.options = options
        self.deposit = round(options.deposit_usd * E8) * (USD // E8)
        self.balance = self.deposit
        self.realised = 0
        self.positions: dict[str, Position] = {}
        self.orders: dict[int, Order] = {}
        self.connections: dict[int, Connection] = {}
        self.orders_feed: OrdersFeed | None = None
        self.persistent_feed: OrdersFeed | None = None
        self.portfolio_feed: PortfolioFeed | None = None
        self.trades_history_feed: ListFeed | None = None
        self.orders_history_feed: ListFeed | None = None
        limit = options.history_limit
        self.trades_history: deque[dict[str, Any]] = deque(maxlen=limit)
        self.orders_history: deque[dict[str, Any]] = deque(maxlen=limit)
        self.daily_marks: deque[dict[str, Any]] = deque(maxlen=limit)
        self.transactions: deque[dict[str, Any]] = deque(maxlen=limit)
        self._transaction(now_ns, "deposit", self.balance)

    def position(self, listing: "Listing") -> Position:
        """The position in an instrument, opened empty at first use."""
        position = self.positions.get(listing.name)
        if position is None:
            position = self.positions[listing.name] = Position(listing)
        return position

    def fill(self, position: Position, signed_e8: int, price_e8: int, fee: int) -> tuple[int, int]:
        """Book a fill and its fee; returns (position P&L, funding P&L) realised by it."""
        pnl, carry = position.trade(signed_e8, price_e8, position.listing.funding_mark_e12)
        position.fees += fee
        self.realised += pnl + carry - fee
        return pnl, carry

    def settle(self, now_ns: int) -> None:
        """Pay out P&L and funding at the mark and restart from there; the caller resets the funding marks."""
        before = self.balance
        self.balance += self.realised
        self.realised = 0
        for position in self.positions.values():
            listing = position.listing
            positional, funding = position.unrealised(), position.unrealised_funding()
            if position.amount_e8:
                self.daily_marks.append(
                    {
                        "time": now_ns / SECOND_NS,
                        "instrument_name": listing.name,
                        "position": listing.value(position.amount_e8),
                        "mark_price": listing.value(listing.mark_e8),
                        "realized_position_pnl": usd(positional),
                        "realized_funding_pnl": usd(funding),
                    }
                )
            self.balance += positional + funding
            position.start += positional
            position.funding = 0
            position.realised = position.realised_funding = position.fees = 0
        self._transaction(now_ns, "settlement", self.balance - before)

    def _transaction(self, now_ns: int, kind: str, change: int) -> None:
        self.transactions.append(
            {
                "type": kind,
                "asset": "USDT",
                "time": now_ns / SECOND_NS,
                "amount": usd(change),
                "balance_after": usd(self.balance),
            }
        )

    # --- margin ---------------------------------------------------------------------------------------------------

    def flow(self) -> int:
        """Cash received minus paid on trades, fees and funding since opening; positions count at cost."""
        held = sum(position.start + position.funding for position in self.positions.values())
        return self.balance + self.realised - held - self.deposit

    def unrealised(self) -> int:
        """Unrealised P&L and funding of every position."""
        return sum(p.unrealised() + p.unrealised_funding() for p in self.positions.values())

    def margin(self) -> int:
        """Equity: cash, realised and unrealised."""
        return self.balance + self.realised + self.unrealised()

    def required(self) -> float:
        """Initial margin of every position at its worst, in USD: rate × mark × contracts."""
        rate = self.options.margin_rate
        return sum(p.worst_e8() / E8 * (p.listing.mark_e8 / E8) * rate for p in self.positions.values())

    def affords(self, listing: "Listing", buy: bool, more_e8: int) -> bool:
        """Whether ``more_e8`` on a side stays within margin, or does not raise the worst case at all."""
        rate = self.options.margin_rate
        if not rate:
            return True
        position = self.position(listing)
        worst = position.worst_e8()
        if buy:
            after = abs(position.amount_e8 + position.open_buy_e8 + more_e8)
        else:
            after = abs(position.amount_e8 - position.open_sell_e8 - more_e8)
        if after <= worst:
            return True
        extra = (after - worst) / E8 * (listing.mark_e8 / E8) * rate
        return self.required() + extra <= usd(self.margin())

    def in_liquidation(self) -> bool:
        """Whether equity is below the maintenance margin of what is held."""
        rate = self.options.margin_rate * self.options.maintenance
        held = sum(abs(p.amount_e8) / E8 * (p.listing.mark_e8 / E8) for p in self.positions.values())
        return held > 0 and usd(self.margin()) < held * rate

    def risk_increasing(self) -> list["Order"]:
        """Live orders that do more than reduce a position; what a margin breach deletes."""
        orders = []
        for order in self.orders.values():
            held = self.position(order.listing).amount_e8
            reduces = (held < 0) if order.buy else (held > 0)
            if not reduces or order.remaining * order.listing.lot_e8 > abs(held):
                orders.append(order)
        return orders

    # --- how it is shown ------------------------------------------------------------------------------------------

    def portfolio(self) -> list[dict[str, Any]]:
        """Every position that is not flat."""
        return [position.row() for position in self.positions.values() if position.amount_e8]

    def cash_rows(self) -> list[dict[str, Any]]:
        """The one cash row: USDt."""
        return [{
            "currency": "USDT",
            "balance": usd(self.balance),
            "collateral_factor": 1,
            "collateral_index_price": None,
            "transactable": True,
        }]  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """``private/account_summary`` and ``account.summary``."""
        margin, required = usd(self.margin()), self.required()
        return {
            "cash": self.cash_rows(),
            "unrealised_pnl": usd(self.unrealised()),
            "session_realised_pnl": usd(self.realised),
            "cash_collateral": usd(self.balance),
            "margin": margin,
            "required_margin": required,
            "remaining_margin": margin - required,
        }

    def breakdown(self) -> dict[str, Any]:
        """``private/account_breakdown``."""
        summary = self.summary()
        cash = [{**row, "applied_collateral": row["balance"]} for row in summary["cash"]]
        held = self.positions.values()
        return {
            "account_number": self.number,
            "portfolio": [p.breakdown() for p in held if p.amount_e8 or p.open_buy_e8 or p.open_sell_e8],
            "cash": cash,
            "unrealised_pnl": summary["unrealised_pnl"],
            "session_realised_pnl": summary["session_realised_pnl"],
            "realised_position_pnl": usd(sum(p.realised for p in held)),
            "realised_perpetual_funding": usd(sum(p.realised_funding for p in held)),
            "session_fees": usd(sum(p.fees for p in held)),
            "cash_collateral": summary["cash_collateral"],
            "margin": summary["margin"],
            "required_margin": summary["required_margin"],
            "remaining_margin": summary["remaining_margin"],
        }
