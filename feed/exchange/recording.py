"""Recorded market data on disk → integers in the order in which they happened.

A recording is a directory of parquet files: ``quotes.parquet`` (ts_ns, ex_ts_ns, bid_px, bid_qty, ask_px, ask_qty),
``trades.parquet`` (ts_ns, ex_ts_ns, price, qty, aggressor_side: +1 the buyer took, -1 the seller) and, where depth
was recorded, ``l2.parquet`` (ts_ns, ex_ts_ns, side: +1 bid, -1 ask, px, qty: absolute, snapshot). ``ts_ns`` is when
the recorder received a row, ``ex_ts_ns`` when the exchange made it, 0 where that is not known; both epoch ns.

Everything is ordered by exchange time, because in receive order a trade may come after the quote that it moved. A row
without exchange time gets its receive time plus the set's median difference of the two. Time never runs backwards
within a file. At one and the same time trades come before depth, whose new amounts already count them. What a client
sees of this, and when, is up to the exchange that plays it and the network behind that.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from feed.exchange.instruments import E8, Instrument

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_QUOTE_COLUMNS = ("ts_ns", "ex_ts_ns", "bid_px", "bid_qty", "ask_px", "ask_qty")
_TRADE_COLUMNS = ("ts_ns", "ex_ts_ns", "price", "qty", "aggressor_side")
_DEPTH_COLUMNS = ("ts_ns", "ex_ts_ns", "side", "px", "qty", "snapshot")
_EXACT_E8 = 2**53  # beyond this a double no longer holds every integer
_INVERSE_LOT_E8 = E8 // 10_000
_SECOND_NS = 1_000_000_000
_INDEX_MEMORY = 0.8  # share of the index that lasts to the next second: a time constant of about 4.5 s

TRADE, DEPTH, INDEX = 0, 1, 2
"""Kinds of acts, in the order in which they are performed at one and the same time."""


class RecordingError(ValueError):
    """A directory that is not a recording; says what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """What a recording does not say about itself; anything left out is found in its name and numbers.

    ``base``: the coin. ``tick_e8`` and ``lot_e8``: price and amount ticks in 1e-8. ``contract_usd``: for inverse
    contracts the USD value of one, whose recorded quantities are divided by the price; 0 where quantities are in
    coins.
    """

    base: str | None = None
    tick_e8: int | None = None
    lot_e8: int | None = None
    contract_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """Rows in ticks and lots, and the order to perform them in.

    ``act_ns``/``act_kind``/``act_row`` (n acts): time since the first act in ns, one of TRADE, DEPTH, INDEX, and the
    row of that kind. Trades (m): ``trade_buy`` (1 or 0), ``trade_ticks``, ``trade_lots``. Depth message i is the rows
    ``group_start[i]`` up to ``group_start[i + 1]`` of ``depth_buy``, ``depth_ticks``, ``depth_lots``;
    ``group_snapshot[i]`` is 1 where it replaces the book. ``top_of_book`` tells that each message is only the best
    bid and ask. ``index_usd``: smoothed mid, at most one a second.
    """

    instrument: Instrument
    top_of_book: bool
    act_ns: Ints
    act_kind: Ints
    act_row: Ints
    trade_buy: Ints
    trade_ticks: Ints
    trade_lots: Ints
    group_start: Ints
    group_snapshot: Ints
    depth_buy: Ints
    depth_ticks: Ints
    depth_lots: Ints
    index_usd: Floats
    first_mid_ticks: int
    last_mid_ticks: int

    @property
    def rows(self) -> int:
        """Recorded trades and depth rows in it."""
        return len(self.trade_ticks) + len(self.depth_ticks)


def load_recording(directory: str | Path, options: RecordingOptions | None = None) -> Recording:
    """Read a recording, all in memory.

    Raises ``RecordingError`` when the directory is missing, a file is missing, empty or lacks a column, or no coin is
    to be found in the directory's name.
    """
    options = options or RecordingOptions()
    path = Path(directory)
    if not path.is_dir():
        raise RecordingError(f"no recording at {path}: expected a directory with quotes.parquet and trades.parquet")
    quotes = _read(path / "quotes.parquet", _QUOTE_COLUMNS)
    trades = _read(path / "trades.parquet", _TRADE_COLUMNS)
    has_depth = (path / "l2.parquet").exists()
    depth = _read(path / "l2.parquet", _DEPTH_COLUMNS) if has_depth else _depth_of(quotes)
    instrument, contract_usd = _instrument(path, options, quotes, trades, depth)
    return _arranged(instrument, contract_usd, quotes, trades, depth, not has_depth)


def _read(path: Path, columns: tuple[str, ...]) -> dict[str, npt.NDArray[np.generic]]:
    """The named columns of one file; nulls are refused."""
    if not path.exists():
        raise RecordingError(
            f"{path} is missing: expected quotes.parquet and trades.parquet, and l2.parquet if recorded"
        )
    with duckdb.connect() as connection:
        try:
            relation = connection.read_parquet(str(path))
            missing = [name for name in columns if name not in relation.columns]
            if missing:
                raise RecordingError(
                    f"{path} lacks {', '.join(missing)}; expected the columns {', '.join(columns)}: "
                    "rename or add them, prices and amounts as numbers, times as integer ns"
                )
            table = relation.select(", ".join(columns)).fetchnumpy()
        except duckdb.Error as error:
            raise RecordingError(f"{path} is not readable as parquet ({error}): record or convert it again") from error
    if not len(table[columns[0]]):
        raise RecordingError(f"{path} has no rows: record again, or leave the directory out")
    if any(np.ma.is_masked(table[name]) for name in columns):
        raise RecordingError(f"{path} has nulls in {', '.join(columns)}: fill or drop these rows")
    return {name: np.asarray(table[name]) for name in columns}


def _depth_of(quotes: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.generic]]:
    """Quotes as depth messages of two rows, bid before ask."""

    def both(bid: str, ask: str) -> npt.NDArray[np.generic]:
        return np.column_stack((quotes[bid], quotes[ask])).ravel()

    rows = len(quotes["ts_ns"])
    return {
        "ts_ns": both("ts_ns", "ts_ns"),
        "ex_ts_ns": both("ex_ts_ns", "ex_ts_ns"),
        "side": np.tile(np.array([1, -1]), rows),
        "px": both("bid_px", "ask_px"),
        "qty": both("bid_qty", "ask_qty"),
        "snapshot": np.zeros(2 * rows, np.int64),
    }


def _instrument(
    path: Path,
    options: RecordingOptions,
    quotes: Mapping[str, npt.NDArray[np.generic]],
    trades: Mapping[str, npt.NDArray[np.generic]],
    depth: Mapping[str, npt.NDArray[np.generic]],
) -> tuple[Instrument, float]:
    base = options.base or base_of(path.name)
    contract_usd = options.contract_usd
    if contract_usd is None:
        contract_usd = _inverse_contract_usd(path.name, base)
    prices = (quotes["bid_px"], quotes["ask_px"], trades["price"], depth["px"])
    tick_e8 = options.tick_e8 or _common_step_e8(path, "prices", *prices)
    if options.lot_e8:
        lot_e8 = options.lot_e8
    elif contract_usd:
        lot_e8 = _INVERSE_LOT_E8
    else:
        lot_e8 = _common_step_e8(path, "amounts", quotes["bid_qty"], quotes["ask_qty"], trades["qty"], depth["qty"])
    name = base.upper()
    return Instrument(f"{name}-PERPETUAL", f"{name}USD", "perpetual", tick_e8, lot_e8, min_lots=1), contract_usd


def base_of(folder: str) -> str:
    """The coin in a folder's name: what stands before ``usd``, ``usdt`` or ``usdc`` at the end of one of its words."""
    found = re.search(r"(?:^|[^a-z0-9])([a-z0-9]+?)[-/]?(?:usdt|usdc|usd)(?![a-z0-9])", folder.lower())
    if found is None:
        raise RecordingError(f"no coin found in the folder name {folder!r}: name it, as in base='BTC'")
    return found.group(1).upper()


def _inverse_contract_usd(folder: str, base: str) -> float:
    """USD a contract where the name tells of coin-margined contracts: 100 for BTC, 10 for the others; 0 elsewhere."""
    if "coinm" not in folder.lower():
        return 0.0
    return 100.0 if base.upper() == "BTC" else 10.0


def _e8(path: Path, what: str, values: npt.NDArray[np.generic]) -> Ints:
    scaled = values.astype(np.float64) * E8
    if not np.all(np.isfinite(scaled)) or np.any(np.abs(scaled) > _EXACT_E8):
        raise RecordingError(f"{path}: {what} are not all finite and below {_EXACT_E8 / E8:.0f}: drop those rows")
    return np.rint(scaled).astype(np.int64)


def _common_step_e8(path: Path, what: str, *columns: npt.NDArray[np.generic]) -> int:
    """Greatest common divisor of every number in the columns, in 1e-8."""
    step = int(np.gcd.reduce([np.gcd.reduce(_e8(path, what, column)) for column in columns]))
    if step <= 0:
        raise RecordingError(f"{path}: all {what} are zero: this is no recording of a market")
    return step


def _times_ns(table: Mapping[str, npt.NDArray[np.generic]], offset_ns: int) -> Ints:
    """Exchange time, or receive time plus ``offset_ns`` where it is not known; never running backwards."""
    received = table["ts_ns"].astype(np.int64)
    made = table["ex_ts_ns"].astype(np.int64)
    return np.maximum.accumulate(np.where(made > 0, made, received + offset_ns))


def _clock_offset_ns(*tables: Mapping[str, npt.NDArray[np.generic]]) -> int:
    """Median of exchange time minus receive time where both are known, 0 where none is."""
    gaps = []
    for table in tables:
        made = table["ex_ts_ns"].astype(np.int64)
        gaps.append((made - table["ts_ns"].astype(np.int64))[made > 0])
    known = np.concatenate(gaps)
    return int(np.median(known)) if len(known) else 0


def _lots(quantity: npt.NDArray[np.generic], price: npt.NDArray[np.generic], lot_e8: int, contract_usd: float) -> Ints:
    """Amounts in whole lots; what is not zero is at least one."""
    coins = quantity.astype(np.float64)
    if contract_usd:
        coins = coins * contract_usd / price.astype(np.float64)
    lots = np.rint(coins * E8 / lot_e8).astype(np.int64)
    return np.where(coins > 0, np.maximum(lots, 1), 0)


def _ticks(price: npt.NDArray[np.generic], tick_e8: int) -> Ints:
    return np.rint(price.astype(np.float64) * E8 / tick_e8).astype(np.int64)


def _arranged(
    instrument: Instrument,
    contract_usd: float,
    quotes: Mapping[str, npt.NDArray[np.generic]],
    trades: Mapping[str, npt.NDArray[np.generic]],
    depth: Mapping[str, npt.NDArray[np.generic]],
    top_of_book: bool,
) -> Recording:
    """Ticks, lots and one order of acts. The first is the first depth message: what came before it had no book."""
    tick_e8, lot_e8 = instrument.tick_e8, instrument.lot_e8
    offset_ns = _clock_offset_ns(trades, depth)
    depth_ns = _times_ns(depth, offset_ns)
    snapshot = depth["snapshot"].astype(np.int64)
    new_group = np.flatnonzero((np.diff(depth_ns) != 0) | (np.diff(snapshot) != 0)) + 1
    group_start = np.concatenate(([0], new_group, [len(depth_ns)])).astype(np.int64)
    group_ns = depth_ns[group_start[:-1]]
    first_ns = int(group_ns[0])

    trade_ns = _times_ns(trades, offset_ns)
    lots = _lots(trades["qty"], trades["price"], lot_e8, contract_usd)
    kept = (trade_ns >= first_ns) & (lots > 0)
    trade_ns = trade_ns[kept]
    quote_ns = _times_ns(quotes, offset_ns)
    mid = (quotes["bid_px"].astype(np.float64) + quotes["ask_px"].astype(np.float64)) / 2
    index_ns, index_usd = _index(quote_ns, mid, first_ns, int(group_ns[-1]))

    kinds = [np.full(len(ns), kind) for ns, kind in ((trade_ns, TRADE), (group_ns, DEPTH), (index_ns, INDEX))]
    times = np.concatenate((trade_ns, group_ns, index_ns))
    rows = np.concatenate([np.arange(len(kind)) for kind in kinds])
    kind = np.concatenate(kinds)
    # Stable, so rows of one kind keep their order. The first book is there before anything else happens.
    order = np.lexsort((np.where((kind == DEPTH) & (rows == 0), -1, kind), times))
    at_first = max(0, int(np.searchsorted(quote_ns, first_ns, side="right")) - 1)
    return Recording(
        instrument=instrument,
        top_of_book=top_of_book,
        act_ns=times[order] - first_ns,
        act_kind=kind[order].astype(np.int64),
        act_row=rows[order].astype(np.int64),
        trade_buy=(trades["aggressor_side"][kept].astype(np.int64) > 0).astype(np.int64),
        trade_ticks=_ticks(trades["price"][kept], tick_e8),
        trade_lots=lots[kept],
        group_start=group_start,
        group_snapshot=snapshot[group_start[:-1]],
        depth_buy=(depth["side"].astype(np.int64) > 0).astype(np.int64),
        depth_ticks=_ticks(depth["px"], tick_e8),
        depth_lots=_lots(depth["qty"], depth["px"], lot_e8, contract_usd),
        index_usd=index_usd,
        first_mid_ticks=round(float(mid[at_first]) * E8 / tick_e8),
        last_mid_ticks=round(float(mid[-1]) * E8 / tick_e8),
    )


def _index(quote_ns: Ints, mid: Floats, first_ns: int, last_ns: int) -> tuple[Ints, Floats]:
    """Exponentially smoothed recorded mid each second from ``first_ns`` on, left out while it stays the same."""
    grid = np.arange(first_ns, last_ns + 1, _SECOND_NS, dtype=np.int64)
    rows = np.maximum(np.searchsorted(quote_ns, grid, side="right") - 1, 0)
    level = float(mid[rows[0]])
    smooth = []
    for value in mid[rows].tolist():
        level = value + _INDEX_MEMORY * (level - value)
        smooth.append(level)
    index_usd = np.round(np.array(smooth), 8)
    changed = np.concatenate(([True], np.diff(index_usd) != 0))
    return grid[changed], index_usd[changed]
