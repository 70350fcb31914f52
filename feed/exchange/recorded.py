"""A market that plays a recording: its depth and trades are the crowd, its smoothed mid the index.

The rows are performed in exchange-time order (see ``feed.exchange.recording``), their times moved so that the first
book is there at ``start`` and divided by ``speed``. Clients trade in the same books; ``feed.exchange.depth`` says how
their place in the queue comes about and what can fill them. What clients take from the crowd comes back with the next
recorded change of that level: the recording does not react to them.

A recording without ``l2.parquet`` has its best bid and ask, and made-up depth behind them (``feed.exchange.backdrop``).

Single thread; driven by the exchange through ``feed.exchange.market.Market``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feed.exchange.backdrop import Backdrop
from feed.exchange.depth import Cancels, RecordedDepth
from feed.exchange.instruments import Instrument
from feed.exchange.market import NEVER_NS, Floor
from feed.exchange.recording import DEPTH, TRADE, Recording, RecordingOptions, load_recording

_SPLICE_NS = 1_000_000_000  # from the last act of one round to the first of the next, in recorded time


@dataclass(frozen=True, slots=True)
class RecordedOptions:
    """How a recording is played.

    ``speed``: times as fast as recorded. ``loop``: begin again at the end, prices moved by whole ticks so that the
    mid goes on where it was. ``cancels``: who leaves when depth shrinks without a trade. ``backdrop_levels`` and
    ``backdrop_gap_bps``: number and distance of made-up levels where only the best bid and ask were recorded; each
    shows the median recorded amount.
    """

    speed: float = 1.0
    loop: bool = False
    cancels: Cancels = "newest"
    backdrop_levels: int = 10
    backdrop_gap_bps: float = 2.0


class RecordedMarket:
    """Plays the recording in ``directory``, a ``feed.exchange.market.Market`` of one instrument.

    Raises ``feed.exchange.recording.RecordingError`` when the directory holds no recording, ValueError for an option
    that makes no sense.
    """

    def __init__(
        self,
        directory: str | Path,
        options: RecordedOptions | None = None,
        recording: RecordingOptions | None = None,
    ) -> None:
        self._options = options or RecordedOptions()
        if not self._options.speed > 0:
            raise ValueError(f"RecordedOptions.speed must be positive, not {self._options.speed}")
        if self._options.cancels not in {"newest", "pro_rata"}:
            raise ValueError(f"RecordedOptions.cancels must be newest or pro_rata, not {self._options.cancels!r}")
        self._recording = load_recording(directory, recording)
        self._instrument = self._recording.instrument
        self._acts = _Acts(self._recording, self._options.speed)
        self._round_ns = self._acts.due_ns[-1] + max(1, int(_SPLICE_NS / self._options.speed))
        self._floor: Floor | None = None
        self._depth: RecordedDepth | None = None
        self._backdrop: Backdrop | None = None
        self._next = 0
        self._base_ns = 0
        self._shift_ticks = 0
        self.held_back_ns = 0

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The one instrument recorded."""
        return (self._instrument,)

    @property
    def rows(self) -> int:
        """Recorded trades and depth rows in one round."""
        return self._recording.rows

    def start(self, floor: Floor, now_ns: int) -> None:
        """Publish the first index and lay out the first book; the recording's time begins now."""
        self._floor = floor
        self._depth = RecordedDepth(floor, self._instrument.name, self._options.cancels)
        self._backdrop = self._new_backdrop() if self._recording.top_of_book else None
        self._base_ns, self._next, self._shift_ticks = now_ns, 0, 0
        floor.set_index(self._instrument.underlying, float(self._recording.index_usd[0]))
        self.advance(now_ns)

    def next_ns(self) -> int:
        """Epoch time in ns of the next row; ``NEVER_NS`` before ``start`` and after the last."""
        if self._floor is None or self._next >= len(self._acts.due_ns):
            return NEVER_NS
        return self._base_ns + self._acts.due_ns[self._next]

    def hold_back(self, by_ns: int) -> None:
        """Play on so much later: for a machine that cannot keep the speed. ``held_back_ns`` is the sum."""
        self._base_ns += by_ns
        self.held_back_ns += by_ns

    def advance(self, now_ns: int) -> None:
        """Perform every row due at or before ``now_ns``, in order."""
        floor, depth = self._floor, self._depth
        if floor is None or depth is None:
            raise RuntimeError("RecordedMarket.advance before start")
        acts = self._acts
        due_ns, kinds, rows = acts.due_ns, acts.kinds, acts.rows
        while self._next < len(due_ns) and self._base_ns + due_ns[self._next] <= now_ns:
            kind, row = kinds[self._next], rows[self._next]
            if kind == DEPTH:
                self._message(depth, row)
            elif kind == TRADE:
                buy, price = acts.trade_buy[row], acts.trade_ticks[row] + self._shift_ticks
                depth.trade(buy, price, acts.trade_lots[row])
                if self._backdrop is not None:
                    self._backdrop.traded(not buy, price)
            else:
                shift_usd = self._shift_ticks * self._instrument.tick_usd
                floor.set_index(self._instrument.underlying, acts.index_usd[row] + shift_usd)
            self._next += 1
            if self._next == len(due_ns) and self._options.loop:
                self._rewind()

    def _message(self, depth: RecordedDepth, group: int) -> None:
        acts, shift = self._acts, self._shift_ticks
        begin, end = acts.group_start[group], acts.group_start[group + 1]
        prices = acts.depth_ticks[begin:end]
        if shift:
            prices = [price + shift for price in prices]
        levels = zip(acts.depth_buy[begin:end], prices, acts.depth_lots[begin:end], strict=True)
        backdrop = self._backdrop
        if backdrop is not None:
            depth.apply([row for buy, price, lots in levels for row in backdrop.rows(bool(buy), price, lots)])
        elif group == 0 or acts.group_snapshot[group]:
            depth.replace(levels)
        else:
            depth.apply(levels)

    def _rewind(self) -> None:
        """Begin the next round where this one's mid ended; back at the first price if that has fallen by half."""
        self._base_ns += self._round_ns
        self._next = 0
        recording = self._recording
        self._shift_ticks += recording.last_mid_ticks - recording.first_mid_ticks
        if 2 * (recording.first_mid_ticks + self._shift_ticks) < recording.first_mid_ticks:
            self._shift_ticks = 0

    def _new_backdrop(self) -> Backdrop:
        options, recording = self._options, self._recording
        gap_ticks = round(recording.first_mid_ticks * options.backdrop_gap_bps * 1e-4)
        return Backdrop(options.backdrop_levels, gap_ticks, int(np.median(recording.depth_lots)))


class _Acts:
    """A recording as plain lists, which Python reads many times faster than single array elements."""

    __slots__ = (
        "depth_buy",
        "depth_lots",
        "depth_ticks",
        "due_ns",
        "group_snapshot",
        "group_start",
        "index_usd",
        "kinds",
        "rows",
        "trade_buy",
        "trade_lots",
        "trade_ticks",
    )

    def __init__(self, recording: Recording, speed: float) -> None:
        due_ns = recording.act_ns if speed == 1 else (recording.act_ns / speed).astype(np.int64)
        self.due_ns: list[int] = due_ns.tolist()
        self.kinds: list[int] = recording.act_kind.tolist()
        self.rows: list[int] = recording.act_row.tolist()
        self.trade_buy: list[bool] = recording.trade_buy.astype(bool).tolist()
        self.trade_ticks: list[int] = recording.trade_ticks.tolist()
        self.trade_lots: list[int] = recording.trade_lots.tolist()
        self.group_start: list[int] = recording.group_start.tolist()
        self.group_snapshot: list[int] = recording.group_snapshot.tolist()
        self.depth_buy: list[int] = recording.depth_buy.tolist()
        self.depth_ticks: list[int] = recording.depth_ticks.tolist()
        self.depth_lots: list[int] = recording.depth_lots.tolist()
        self.index_usd: list[float] = recording.index_usd.tolist()
