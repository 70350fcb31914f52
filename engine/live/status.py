"""What the operator sees: one status line while running, a summary at the end."""

import sys
from collections.abc import Mapping
from typing import Any, TextIO

TTY_INTERVAL_S = 0.5
PLAIN_INTERVAL_S = 5.0


def latency_text(latency: Mapping[str, Any]) -> str:
    """p50 and p99 of tick to quote in microseconds, or that there is none."""
    if not latency.get("n"):
        return "latency -"
    return f"latency p50 {latency['p50'] / 1e3:.1f} us p99 {latency['p99'] / 1e3:.1f} us"


def position_text(positions: Mapping[str, float]) -> str:
    """Positions in contracts by instrument, those that are flat left out."""
    rows = [f"{name} {value:+g}" for name, value in positions.items() if value]
    return " ".join(rows) if rows else "flat"


def profit_text(report: Mapping[str, Any]) -> str:
    """Profit and loss in USD, where every price it needs is known."""
    return "PnL -" if report["pnl_usd"] is None else f"PnL {report['pnl_usd']:+,.2f} USD"


def regime_text(report: Mapping[str, Any]) -> str:
    """Regime of each instrument, with how many signals have a weight where they may act."""
    rows = []
    for line in report["instruments"].values():
        used = sum(row["weight_bps"] != 0.0 for row in line["signals"]["worth"].values())
        rows.append(line["regime"]["now"] + (f", {used} signals" if line["signals"]["enabled"] else ""))
    return "; ".join(rows)


def status_line(report: Mapping[str, Any]) -> str:
    """The line: mode, ticks, quotes, fills, regimes, position, profit, latency."""
    return (
        f"{report['mode']} | ticks {report['ticks']:,} | quotes {report['quotes_sent']:,} | "
        f"fills {report['fills']:,} | {regime_text(report)} | "
        f"position {position_text(report['positions'])} | {profit_text(report)} | "
        f"{latency_text(report['latency_ns']['tick_to_quote'])}"
    )


def summary(report: Mapping[str, Any]) -> str:
    """The end of a run in a few lines."""
    left = report["orders_left"]
    warning = f"  ORDERS MAY BE LEFT ({'unknown' if left is None else left}): check the venue"
    return "\n".join(
        (
            f"{report['reason']} after {report['seconds']:.1f} s, mode {report['mode']}",
            f"  {report['ticks']:,} ticks, {report['messages_sent']:,} messages, {report['quotes_sent']:,} quotes, "
            f"{report['fills']:,} fills",
            f"  position {position_text(report['positions'])}, largest {report['max_abs_position']:g} contracts",
            f"  {profit_text(report)}, fees {report['fees_usd']:,.2f} USD",
            f"  {latency_text(report['latency_ns']['tick_to_quote'])}",
            "  no order left" if left == 0 else warning,
        )
    )


class StatusLine:
    """Rewrites one line on a terminal; elsewhere a line every five seconds."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._open = False
        self.interval_s = TTY_INTERVAL_S if self._terminal else PLAIN_INTERVAL_S

    def show(self, text: str) -> None:
        """Replace the line, or add one."""
        if self._terminal:
            self._stream.write(f"\r\x1b[K{text}")
            self._open = True
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def note(self, text: str) -> None:
        """A line of its own that stays."""
        self.end()
        self._stream.write(text + "\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line as it is and go to the next."""
        if self._open:
            self._stream.write("\n")
            self._open = False
