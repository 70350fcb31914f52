"""The core's state for people and machines, as plain values: prices in USD, sizes in contracts."""

import math
from typing import Any


def describe(core: Any) -> dict[str, Any]:
    """Status of an ``engine.core.step.Core``. Numbers that are not known are None."""
    instruments = {instrument.name.decode(): instrument.status() for instrument in core.instruments}
    pnl = sum(line["pnl_usd"] for line in instruments.values())
    return {
        "mode": core.mode,
        "halt_reason": core.halt_reason,
        "reduce_reason": core.restraint.reason,
        "hold_reason": core.restraint.held,
        "size_share": 0.5**core.restraint.halvings,
        "session": core.session.state.name,
        "config_version": core.config_version,
        "connections": core.connections,
        "ticks": sum(line["ticks"] for line in instruments.values()),
        "messages_received": core.messages,
        "messages_sent": core.quoter.messages_sent,
        "quotes_sent": core.quoter.quotes_sent,
        "decisions": core.quoter.decisions,
        "fills": sum(line["fills"] for line in instruments.values()),
        "position": {name: line["position"] for name, line in instruments.items()},
        "max_abs_position": {name: line["max_abs_position"] for name, line in instruments.items()},
        "pnl_usd": pnl if math.isfinite(pnl) else None,
        "fees_usd": sum(line["fees_usd"] for line in instruments.values()),
        "funding_usd": sum(line["funding_usd"] for line in instruments.values()),
        "orders_left": core.orders_left,
        "orders_believed": core.table.used,
        "gate": {"passed": core.gate.passed, "refused": core.gate.refusals()},
        "outbox": core.outbox.stats(),
        "counters": {
            "slow_messages": core.slow_messages,
            "malformed": core.malformed,
            "resyncs": core.resyncs,
            "trade_fetches": core.fetches,
            "trade_fetches_failed": core.fetches_failed,
            "duplicate_fills": core.reports.duplicates,
            "unknown_replies": core.reports.unknown_replies,
            "venue_errors": core.reports.errors,
            "last_venue_error": core.reports.last_error,
            "adopted_orders": core.table.adopted,
            "late_reports": core.table.late,
            "missed_lots": core.missed_lots,
            "history_fills": core.history_fills,
            "marked_lots": core.marked_lots,
            "protection_overshoots": core.overshoots,
            "protection_overshoot": core.overshoot_e8 / 1e8,
        },
        "last_error": core.last_error,
        "instruments": instruments,
    }
