"""What an instrument's past looks like: one-minute bars of trades, mark and index, and their sums over 24 hours."""

from collections import deque

MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1440
KEPT_MINUTES = 7 * DAY_MINUTES
RESOLUTIONS_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "1d": 1440, "1w": 10_080}

Candle = tuple[float, float, float, float]
"""Open, high, low, close."""


def wider(candle: Candle | None, price: float) -> Candle:
    """The candle after one more price."""
    if candle is None:
        return price, price, price, price
    return candle[0], max(candle[1], price), min(candle[2], price), price


def joined(first: Candle, second: Candle) -> Candle:
    """One candle of two that follow each other."""
    return first[0], max(first[1], second[1]), min(first[2], second[2]), second[3]


class Bar:
    """One minute: prices in ticks, amounts in lots, value in ticks × lots, funding in USD a contract."""

    __slots__ = (
        "first",
        "funding",
        "high",
        "index",
        "lots",
        "low",
        "mark",
        "minute",
        "rate_sum",
        "rates",
        "top",
        "value",
    )

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.mark: Candle | None = None
        self.index: Candle | None = None
        self.top: list[float | None] | None = None
        self.first = self.high = self.low = 0
        self.lots = 0
        self.value = 0
        self.funding = 0.0
        self.rate_sum = 0.0
        self.rates = 0


class Tape:
    """Bars of one instrument, newest last, and running 24-hour figures. All times epoch ns."""

    __slots__ = ("bars", "day", "funding", "high", "last", "lots", "low", "rate_sum", "rates", "value")

    def __init__(self) -> None:
        self.bars: deque[Bar] = deque(maxlen=KEPT_MINUTES)
        self.day: deque[Bar] = deque()
        self.last = 0
        self.high = self.low = 0
        self.lots = 0
        self.value = 0
        self.funding = 0.0
        self.rate_sum = 0.0
        self.rates = 0

    def bar(self, now_ns: int) -> Bar:
        """The bar of this minute, opened when it does not exist yet; what left the 24 hours is subtracted."""
        minute = now_ns // MINUTE_NS
        if self.bars and self.bars[-1].minute >= minute:
            return self.bars[-1]
        bar = Bar(minute)
        self.bars.append(bar)
        self.day.append(bar)
        extremes_left = False
        while self.day[0].minute <= minute - DAY_MINUTES:
            old = self.day.popleft()
            self.lots -= old.lots
            self.value -= old.value
            self.funding -= old.funding
            self.rate_sum -= old.rate_sum
            self.rates -= old.rates
            extremes_left = extremes_left or old.lots > 0
        if extremes_left:
            self.high = max((b.high for b in self.day if b.lots), default=0)
            self.low = min((b.low for b in self.day if b.lots), default=0)
        return bar

    def trade(self, now_ns: int, price_ticks: int, lots: int) -> None:
        """Record one trade."""
        bar = self.bar(now_ns)
        if bar.lots == 0:
            bar.first = bar.high = bar.low = price_ticks
        else:
            bar.high = max(bar.high, price_ticks)
            bar.low = min(bar.low, price_ticks)
        self.high = max(self.high, price_ticks) if self.lots else price_ticks
        self.low = min(self.low, price_ticks) if self.lots else price_ticks
        bar.lots += lots
        bar.value += lots * price_ticks
        self.lots += lots
        self.value += lots * price_ticks
        self.last = price_ticks

    def mark(self, now_ns: int, mark_usd: float, index_usd: float, top: list[float | None]) -> None:
        """Record a mark, the index and ``[bid, size, ask, size]`` of the moment."""
        bar = self.bar(now_ns)
        bar.mark = wider(bar.mark, mark_usd)
        bar.index = wider(bar.index, index_usd)
        bar.top = top

    def funded(self, now_ns: int, payment_usd: float, rate: float) -> None:
        """Record a funding payment per long contract and the rate it came from."""
        bar = self.bar(now_ns)
        bar.funding += payment_usd
        bar.rate_sum += rate
        bar.rates += 1
        self.funding += payment_usd
        self.rate_sum += rate
        self.rates += 1

    def day_first(self) -> int:
        """Price in ticks of the first trade of the last 24 hours, 0 when there was none."""
        return next((bar.first for bar in self.day if bar.lots), 0)


class Row:
    """Bars of one interval of a candle query, joined."""

    __slots__ = ("funding", "index", "mark", "start", "top")

    def __init__(self, start: int, mark: Candle, index: Candle, funding: float, top: list[float | None] | None) -> None:
        self.start = start
        self.mark = mark
        self.index = index
        self.funding = funding
        self.top = top


def rows(tape: Tape, from_secs: float, to_secs: float, minutes: int) -> list[Row]:
    """Candles of ``minutes`` each whose start lies in [from, to), seconds of the epoch."""
    out: list[Row] = []
    for bar in tape.bars:
        if bar.mark is None or bar.index is None:
            continue
        start = bar.minute // minutes * minutes * 60
        if not from_secs <= start < to_secs:
            continue
        if out and out[-1].start == start:
            row = out[-1]
            row.mark = joined(row.mark, bar.mark)
            row.index = joined(row.index, bar.index)
            row.funding += bar.funding
            row.top = bar.top
        else:
            out.append(Row(start, bar.mark, bar.index, bar.funding, bar.top))
    return out
