"""What the signals of an instrument say, and why, as plain values: shown in the status and in ``--json``."""

from typing import Any

from engine.core.plan import DIRECTED

NAMES = (*DIRECTED, "volatility", "toxicity")
"""Rows of a Forecast record's arrays."""

REASONS = (
    "used",
    "signals are off",
    "too few samples",
    "the signal or the price did not move",
    "the interval of its correlation holds zero",
    "it goes with smaller moves, and only larger ones widen",
    "used with the weight that the configuration gives",
    "the live correlation has the other sign than the weight that the configuration gives",
)
"""In words, the codes of ``kernels.forecast``, which needs Numba and a reader of them does not."""

REGIMES = ("normal", "widened", "one-sided: bids", "one-sided: asks", "pulled")
CAUSES = ("calm again", "volatility", "toxicity", "expected move", "signals switched off")
"""In words, the regimes and reasons of ``kernels.regime``, by code."""

SIDES = ("after market sells", "after market buys", "after own bids", "after own asks")
CHANGES_MAX = 16


def signals_told(records: dict[str, Any], outlook: Any) -> dict[str, Any]:
    """Every signal with what it has proven to be worth, the adverse moves, and counts of what came in.

    Moves are in spans: sigma times the root of the horizon. ``n`` counts samples that do not overlap.
    """
    flow, candles, state, market = (records[name] for name in ("flow", "candles", "forecast", "market"))
    values = [*market["signals"].tolist(), float(state["toxicity"])]
    overlap = max(int(state["steps"]), 1)
    squares = float(state["weight_squares"])
    n = float(state["weight_sum"]) ** 2 / squares / overlap if squares > 0.0 else 0.0
    span_bps = 1e4 * float(state["span_usd"]) / market["fair_usd"] if market["fair_usd"] > 0.0 else 0.0
    worth = {
        name: {
            "value": values[i],
            "n": round(n, 1),
            "ic": float(state["ic"][i]),
            "low": float(state["low"][i]) if state["updates"] else -1.0,
            "high": float(state["high"][i]) if state["updates"] else 1.0,
            "weight_bps": float(state["weight"][i]) * span_bps,
            "reason": REASONS[int(state["reason"][i])] if state["updates"] else "too few samples",
        }
        for i, name in enumerate(NAMES)
    }
    return {
        "enabled": bool(state["enabled"]),
        "horizon_s": float(state["steps"] * state["interval_ns"]) * 1e-9,
        "span_bps": span_bps,
        "worth": worth,
        "adverse_spans": {
            name: {
                "mean": float(state["adverse"][i]),
                "low": float(state["adverse_low"][i]),
                "trades": float(state["adverse_weight"][i]),
            }
            for i, name in enumerate(SIDES)
        },
        "trades": {
            "taken": int(flow["trades"]),
            "late": int(flow["late"]),
            "refused": int(flow["refused"]),
            "off_grid": outlook.off_grid,
            "repeated": outlook.repeated,
            "too_old": outlook.too_old,
            "back_filled": outlook.missed,
            "back_filled_late": outlook.late,
            "books_refused": int(flow["refused"]) - int(candles["refused"]),
        },
        "candles": {
            "threshold_lots": int(candles["threshold_lots"]),
            "closed": int(candles["closed"]),
            "kept": int(candles["count"]),
        },
        "samples": {"taken": int(state["samples"]), "learnt": int(state["outcomes"]), "gaps": int(state["gaps"])},
        "impact_ticks_per_lot": _ratio(float(flow["impact_cross"]), float(flow["impact_square"])),
    }


def effective_told(records: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the last ladder: the model's, and what the signals made of them."""
    state, market, model, target = (records[name] for name in ("forecast", "market", "model", "target"))
    return {
        "gamma": float(model["gamma"]),
        "kappa": float(model["kappa"]),
        "intensity": float(model["intensity"]),
        "sigma_usd": float(market["sigma_usd"]),
        "sigma_factor": float(state["sigma_factor"]) if state["enabled"] else 1.0,
        "size_factor": float(market["size_factor"]) or 1.0,
        "spread_factor": float(market["widen"]) or 1.0,
        "alpha_usd": float(market["alpha_usd"]),
        "toxic_bid_usd": float(market["toxic_bid_usd"]),
        "toxic_ask_usd": float(market["toxic_ask_usd"]),
        "half_bid_usd": float(target["half_bid_usd"]),
        "half_ask_usd": float(target["half_ask_usd"]),
    }


def regime_told(state: Any, why: str, *, quoted: bool) -> dict[str, Any]:
    """The regime, its measures, and its last changes, oldest first; an instrument that is not quoted is pulled."""
    changes, kept = int(state["changes"]), min(int(state["changes"]), CHANGES_MAX)
    return {
        "now": REGIMES[int(state["regime"])] if quoted else "pulled",
        "why": why,
        "vol_stress": float(state["vol_stress"]),
        "toxic_stress": float(state["toxic_stress"]),
        "lean_halves": float(state["lean_halves"]),
        "changes": changes,
        "last_changes": [_change(state, i % CHANGES_MAX) for i in range(changes - kept, changes)],
    }


def _change(state: Any, at: int) -> dict[str, Any]:
    return {
        "now_ns": int(state["change_ns"][at]),
        "from": REGIMES[int(state["change_from"][at])],
        "to": REGIMES[int(state["change_to"][at])],
        "reason": CAUSES[int(state["change_reason"][at])],
        "measure": float(state["change_value"][at]),
    }


def _ratio(over: float, under: float) -> float:
    return over / under if under > 0.0 else 0.0
