"""Margin queries (protocol section 8.22): the exchange's simple rule in the venue's form.

Required margin is rate × mark × worst-case amount, so one scenario per direction says it all.
"""

from typing import Any

import orjson

from feed.exchange.accounts import Account, Position
from feed.exchange.connection import Connection
from feed.exchange.errors import Code, RequestError
from feed.exchange.instruments import E8
from feed.exchange.params import Params, need_number_e8
from feed.exchange.trading import target, ticks_of

ZEROES = (
    "roll_cash_position",
    "roll_contingency_margin",
    "d1_roll_contingency_margin",
    "d1_roll_cash_position",
    "options_roll_contingency_margin",
    "options_roll_cash_position",
    "options_contingency_margin",
    "options_short_cash_position",
)


def _underlying_margin(account: Account, underlying: str, extra: float) -> dict[str, Any]:
    held = [p for p in account.positions.values() if p.listing.underlying.name == underlying]
    required = _required(account, held) + extra
    return {
        "required_margin": required,
        "underlying": {
            "required_margin": required,
            "underlying": underlying,
            "loss_margin": required,
            "roll_contingency_margin": 0,
            "d1_roll_contingency_margin": 0,
            "options_roll_contingency_margin": 0,
            "options_contingency_margin": 0,
        },
    }


def _required(account: Account, positions: list[Position]) -> float:
    rate = account.options.margin_rate
    return sum(p.worst_e8() / E8 * (p.listing.mark_e8 / E8) * rate for p in positions)


def required_margin_for_order(session: Connection, params: Params) -> bytes:
    """private/required_margin_for_order."""
    account = session.owner()
    listing = target(session, params)
    ticks_of(listing, need_number_e8(params, "price"))
    amount_e8 = need_number_e8(params, "amount")
    if amount_e8 <= 0:
        raise RequestError(Code.INVALID_AMOUNT)
    position = account.position(listing)
    worst = position.worst_e8()
    scale = listing.mark_e8 / E8 * account.options.margin_rate / E8
    name = listing.underlying.name
    with_buy = max(worst, abs(position.amount_e8 + position.open_buy_e8 + amount_e8))
    with_sell = max(worst, abs(position.amount_e8 - position.open_sell_e8 - amount_e8))
    return orjson.dumps(
        {
            "current": _underlying_margin(account, name, 0.0),
            "with_buy": _underlying_margin(account, name, (with_buy - worst) * scale),
            "with_sell": _underlying_margin(account, name, (with_sell - worst) * scale),
        }
    )


def _scenario(account: Account, held: list[Position], sign: int) -> dict[str, Any]:
    rate = account.options.margin_rate
    rows: list[dict[str, Any]] = []
    for position in held:
        listing = position.listing
        mark = listing.mark_e8 / E8
        change = sign * rate * mark
        row: dict[str, Any] = {
            "instrument_name": listing.name,
            "position": listing.value(position.amount_e8),
            "instrument_pnl": change,
            "pnl": change * position.amount_e8 / E8,
            "scenario_price": mark + change,
            "current_price": mark,
            "open_order": False,
        }
        rows.append(row)
    loss = -min(0.0, sum(float(row["pnl"]) for row in rows))
    return {
        "underlying_change_pct": sign * rate * 100,
        "vol_change_pct_point": 0,
        "pnl": sum(float(row["pnl"]) for row in rows),
        "coverage_factor": 1,
        "required_margin": loss,
        "loss_margin": loss,
        **dict.fromkeys(ZEROES, 0),
        "positions": rows,
        "assets": [],
    }


def required_margin_breakdown(session: Connection, params: Params) -> bytes:
    """private/required_margin_breakdown."""
    account = session.owner()
    underlyings = []
    for name in session.exchange.underlyings:
        held = [p for p in account.positions.values() if p.listing.underlying.name == name]
        if not any(p.worst_e8() for p in held):
            continue
        required = _required(account, held)
        scenarios = [_scenario(account, held, sign) for sign in (-1, 1)]
        used = 0 if scenarios[0]["loss_margin"] >= scenarios[1]["loss_margin"] else 1
        scenarios[used]["highlight"] = True
        underlyings.append(
            {
                "underlying": name,
                "required_margin": required,
                "loss_margin": required,
                **dict.fromkeys(ZEROES, 0),
                "scenario_used": used,
                "scenarios": scenarios,
            }
        )
    return orjson.dumps({"portfolio": {"required_margin": account.required(), "underlyings": underlyings}})
