"""A running quoter looked at from outside: state and waterfall out of shared memory, as objects and as text."""

from collections.abc import Mapping
from typing import Any

from engine.live.board import BoardReader
from engine.live.latency import PREFIX as LATENCY
from engine.live.latency import figures, told
from engine.live.status import latency_text, position_text, profit_text
from engine.live.waterfall_table import slow_line, table
from feed.waterfall import SLOW, SLOW_READS
from kernels.histograms import HistogramReader
from kernels.ring import RingReader
from kernels.segment import pid_of

SILENT_S = 3.0
"""A report of a quoter that works is never older."""
SLOW_SHOWN = 8


class Seen:
    """One quoter, by the name of its board. Raises FileNotFoundError where it is gone, ValueError where it just begins.

    The waterfall is None where it has no shared memory, or is being written each time it is looked at.
    """

    def __init__(self, board: str) -> None:
        self.pid = pid_of(board)
        self._board = BoardReader(board)
        self._histograms: HistogramReader | None = None
        self._slow: RingReader | None = None
        try:
            self._histograms = HistogramReader(f"{LATENCY}-{self.pid}-stages")
            self._slow = RingReader(f"{LATENCY}-{self.pid}-slow", SLOW, oldest=True)
        except (FileNotFoundError, ValueError):
            self._histograms = None
        self._rows: list[Any] = []

    @property
    def alive(self) -> bool:
        """Whether the quoter still runs."""
        return self._board.alive

    def look(self, now_ns: int, ahead_ns: int) -> dict[str, Any] | None:
        """The report with ``pid``, ``age_s``, ``latency_ns`` and ``waterfall``; None before there is one."""
        report = self._board.read()
        if report is None:
            return None
        found = {
            **report,
            "pid": self.pid,
            "age_s": round(max(now_ns - report["at_ns"], 0) / 1e9, 3),
            "waterfall": None,
        }
        snapshot = None if self._histograms is None else self._histograms.snapshot()
        if snapshot is not None and self._slow is not None:
            self._rows = [*self._rows, *self._slow.read(SLOW_READS)[1]][-SLOW_READS:]
            found["latency_ns"] = figures(snapshot[0])
            found["waterfall"] = told(snapshot[1], self._rows, ahead_ns)
        return found


def head(found: Mapping[str, Any]) -> str:
    """The line of the whole quoter, and why it is halted, or that it hangs."""
    lines = [
        f"{found['network']}, process {found['pid']}: {found['mode']}, session {found['session']}, "
        f"{found['quote_mode']}, {found['seconds']:,.0f} s",
        f"ticks {found['ticks']:,} | messages {found['messages_sent']:,} | quotes {found['quotes_sent']:,} | "
        f"fills {found['fills']:,} | position {position_text(found['positions'])} | {profit_text(found)} | "
        f"{latency_text(found['latency_ns']['tick_to_quote'])}",
    ]
    if found["halt_reason"]:
        lines.append(f"halted: {found['halt_reason']}")
    if found["reduce_reason"]:
        lines.append(f"only reduces: {found['reduce_reason']}")
    if found["hold_reason"]:
        lines.append(f"held: {found['hold_reason']}")
    if found["age_s"] > SILENT_S:
        lines.append(f"SILENT for {found['age_s']:.1f} s: hung, stopped or starved")
    return "\n".join(lines)


def instruments(found: Mapping[str, Any]) -> str:
    """A line an instrument: quotes, market, position, profit, and why it is quoted or not."""
    lines = [
        f"{'instrument':<20}{'bid':>13}{'ask':>13}{'fair':>13}{'reserve':>13}"
        f"{'position':>12}{'PnL USD':>11}{'fills':>7}  why"
    ]
    for name, line in found["instruments"].items():
        prices = "".join(_price(line[key]) for key in ("bid_usd", "ask_usd", "fair_usd", "reservation_usd"))
        pnl = "-" if line["pnl_usd"] is None else f"{line['pnl_usd']:+,.2f}"
        lines.append(f"{name:<20}{prices}{line['position']:>+12g}{pnl:>11}{line['fills']:>7,}  {line['why']}")
    if found.get("cut"):
        lines.append("too many instruments for the board")
    return "\n".join(lines)


def _price(value: float | None) -> str:
    return f"{'-':>13}" if value is None else f"{value:>13,.6g}" if abs(value) < 1000 else f"{value:>13,.2f}"


def waterfall(found: Mapping[str, Any], now_ns: int) -> str:
    """The table of times, the facts beside it, and the last slow reads."""
    facts = found["waterfall"]
    if facts is None:
        return "no waterfall: the quoter has no shared memory for it, or is too busy; try again"
    clock = facts["exchange_clock"]
    offset = (
        "not known"
        if clock is None
        else f"{clock['ahead_ns'] / 1e3:+,.0f} us, to {clock['uncertain_ns'] / 1e3:,.0f} us"
    )
    return "\n".join(
        [
            table(found["latency_ns"]),
            "",
            f"reads {facts['reads']:,}, stages of one in {facts['every']} or each 10 ms | "
            f"clock: {facts['clock']} | exchange's clock ahead: {offset}",
            f"slow reads (above {facts['slow_ns'] / 1000:,.0f} us): {facts['slow']:,}",
            *(slow_line(read, now_ns) for read in facts["slow_reads"][-SLOW_SHOWN:]),
        ]
    )
