"""The waterfall as text: where a tick's time goes, stage by stage, and what else is timed. For terminals."""

from collections.abc import Mapping
from typing import Any

from feed.stamps import NAMES
from feed.waterfall import ACKS

Figures = Mapping[str, Mapping[str, int]]

LABELS: dict[str, str] = {
    "tick_to_quote": "read to request written",
    "tick_to_quote_corrected": "the same, with what waited",
    "tick_done": "read until all of it is done",
    **{f"ack_{kind}": f"{kind.replace('_', ' ')} until its answer" for kind in ACKS},
    "feed_delay": "market data, over its freshest",
    "gc": "garbage collection",
    "loop_lag": "event loop late (timer: 1 ms)",
}
HEAD = f"{'us':<31}{'n':>9}{'mean':>13}{'p50':>13}{'p99':>13}{'p99.9':>13}{'max':>13}"


def row(label: str, figures: Mapping[str, int]) -> str:
    """One line; times in us."""
    times = "".join(f"{figures[name] / 1000:>13,.2f}" for name in ("mean", "p50", "p99", "p999", "max"))
    return f"{label:<31}{figures['n']:>9,}{times}"


def stages(latency_ns: Figures) -> list[str]:
    """The stages of sampled ticks, each with its share of the mean; empty where none was sampled.

    Means sum to the mean of the total; percentiles do not, because no tick is slow in every stage.
    """
    total = latency_ns.get("stages_total")
    if total is None:
        return []
    lines = []
    for name in NAMES:
        if (figures := latency_ns.get(name)) is not None:
            # A stage that a tick did not pass has no value there; the mean is over all ticks.
            mean = figures["mean"] * figures["n"] / total["n"]
            share = f"{100 * mean / total['mean']:.0f} %" if total["mean"] else ""
            lines.append(row(f"  {name:<22}{share:>5}", {**figures, "mean": round(mean)}))
    lines.append(row("  sum of the stages", total))
    for name, label in (("stages_after", "  then, until done"), ("stages_check", "  sum against another clock")):
        if name in latency_ns:
            lines.append(row(label, latency_ns[name]))
    return lines


def table(latency_ns: Figures) -> str:
    """Everything that was timed."""
    rest = [row(label, latency_ns[name]) for name, label in LABELS.items() if name in latency_ns]
    return "\n".join([HEAD, *rest[:1], *stages(latency_ns), "", *rest[1:]])


def slow_line(read: Mapping[str, Any], now_ns: int) -> str:
    """A slow read in a line: when, how long, why."""
    age_s = max(now_ns - read["at_ns"], 0) / 1e9
    why = ", ".join(read["causes"]) or "no cause seen"
    longest = max(read["stages"], key=read["stages"].get) if read["stages"] else None
    where = "" if longest is None else f"; longest: {longest} {read['stages'][longest] / 1000:,.0f} us"
    return f"{age_s:>8,.1f} s ago {read['total_ns'] / 1000:>10,.0f} us, {read['messages']} messages: {why}{where}"
