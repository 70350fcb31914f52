"""Parquet → ticks and lots in the order of the exchange's clock, and clear errors for everything else."""

from pathlib import Path

import numpy as np
import pytest

from feed.exchange.recording import (
    DEPTH,
    INDEX,
    TRADE,
    RecordingError,
    RecordingOptions,
    base_of,
    load_recording,
)
from tests.exchange.recordings import MS, SCHEMA, T0, level, quote, small, trade, write
from tests.shared import DATA, needs_data


def test_ticks_lots_and_name_are_found_in_the_data(tmp_path: Path) -> None:
    recording = load_recording(small(tmp_path / "venue_spot_abcusdt_2024"))
    instrument = recording.instrument
    assert (instrument.name, instrument.underlying, instrument.kind) == ("ABC-PERPETUAL", "ABCUSD", "perpetual")
    assert (instrument.tick_usd, instrument.lot_contracts, instrument.min_lots) == (0.5, 0.25, 1)
    assert recording.trade_ticks.tolist() == [22, 22, 21]
    assert recording.trade_lots.tolist() == [2, 3, 1]
    assert recording.trade_buy.tolist() == [1, 1, 0]
    assert recording.rows == 10
    assert (recording.first_mid_ticks, recording.last_mid_ticks) == (21, 22)


def test_everything_left_out_can_be_given(tmp_path: Path) -> None:
    options = RecordingOptions(base="xyz", tick_e8=5_000_000, lot_e8=25_000_000)
    instrument = load_recording(small(tmp_path / "mine"), options).instrument
    assert (instrument.name, instrument.tick_e8, instrument.lot_e8) == ("XYZ-PERPETUAL", 5_000_000, 25_000_000)


def test_at_one_time_trades_come_before_depth_and_depth_before_the_index(tmp_path: Path) -> None:
    recording = load_recording(small(tmp_path / "abcusd"))
    acts = list(zip(recording.act_ns.tolist(), recording.act_kind.tolist(), recording.act_row.tolist(), strict=True))
    assert acts == [
        (0, DEPTH, 0),
        (0, INDEX, 0),
        (500 * MS, TRADE, 0),
        (1000 * MS, TRADE, 1),
        (1000 * MS, DEPTH, 1),
        (1000 * MS, INDEX, 1),
        (1500 * MS, TRADE, 2),
    ]
    assert recording.group_start.tolist() == [0, 4, 7]
    assert recording.group_snapshot.tolist() == [1, 0]


def test_the_exchanges_clock_orders_and_the_median_gap_stands_in_where_it_is_unknown(tmp_path: Path) -> None:
    """The trade was received after the depth it caused, by a recorder whose clock is 70 ms slow."""
    directory = tmp_path / "abcusd"
    slow = 70 * MS
    write(directory, "quotes", [(T0 - slow, 0, 10.0, 1.0, 11.0, 1.0), (T0 + 1000 * MS - slow, 0, 20.0, 1.0, 21.0, 1.0)])
    write(
        directory,
        "trades",
        [
            (T0 + 300 * MS - slow, T0 + 300 * MS, 11.0, 1.0, 1, "a"),
            (T0 + 500 * MS, T0 + 500 * MS - 1, 11.0, 2.0, 1, "b"),
        ],
    )
    depth = [
        (T0 - slow, 0, -1, 11.0, 5.0, 1, 1),
        (T0 + 400 * MS - slow, T0 + 400 * MS, -1, 11.0, 4.0, 0, 2),
        (T0 + 500 * MS - slow, T0 + 500 * MS, -1, 11.0, 2.0, 0, 3),
    ]
    write(directory, "l2", depth)
    recording = load_recording(directory)
    kinds = [k for k in recording.act_kind.tolist() if k != INDEX]
    assert kinds == [DEPTH, TRADE, DEPTH, TRADE, DEPTH]
    assert recording.act_ns[recording.act_kind == DEPTH].tolist() == [0, 400 * MS, 500 * MS]
    # A quote without exchange time moves by the same 70 ms: the first is there at once, the second after the end.
    assert recording.index_usd.tolist() == [10.5]


def test_trades_before_the_first_book_are_left_out(tmp_path: Path) -> None:
    directory = tmp_path / "abcusd"
    write(directory, "quotes", [quote(0, 10.0, 11.0)])
    write(directory, "trades", [trade(1, 11.0, 1.0, 1), trade(30, 11.0, 1.0, 1)])
    write(directory, "l2", [level(20, 1, 10.0, 1.0, 1), level(20, -1, 11.0, 1.0, 1)])
    assert len(load_recording(directory).trade_ticks) == 1


def test_inverse_contracts_become_coins(tmp_path: Path) -> None:
    """100 USD a contract at 50,000 USD: 5 contracts are 0.01 coins."""
    directory = tmp_path / "venue_coinm_btcusd_perp"
    write(directory, "quotes", [quote(0, 50_000.0, 50_000.5)])
    write(directory, "trades", [trade(10, 50_000.0, 5.0, -1)])
    write(directory, "l2", [level(0, 1, 50_000.0, 5.0, 1), level(0, -1, 50_000.5, 1000.0, 1)])
    recording = load_recording(directory)
    assert recording.instrument.lot_contracts == 0.0001
    assert recording.trade_lots.tolist() == [100]
    assert recording.depth_lots.tolist() == [100, 20_000]


def test_without_depth_the_quotes_are_the_book(tmp_path: Path) -> None:
    recording = load_recording(small(tmp_path / "abcusd", depth=False))
    assert recording.top_of_book
    assert recording.group_start.tolist() == [0, 2, 4]
    assert recording.depth_buy.tolist() == [1, 0, 1, 0]
    assert recording.depth_ticks.tolist() == [20, 22, 21, 23]


def test_the_index_is_smooth_and_ends_near_the_mid(tmp_path: Path) -> None:
    directory = tmp_path / "abcusd"
    write(directory, "quotes", [quote(0, 10.0, 11.0), *(quote(1000 * k, 20.0, 21.0) for k in range(1, 40))])
    write(directory, "trades", [trade(1, 11.0, 1.0, 1)])
    recording = load_recording(directory)
    index = recording.index_usd
    assert index[0] == 10.5
    assert index[1] == pytest.approx(12.5)
    assert np.all(np.diff(index) > 0)
    assert index[-1] == pytest.approx(20.5, rel=1e-3)


@pytest.mark.parametrize(
    "folder, base",
    [
        ("binance_spot_nexousdt_20240723-24", "NEXO"),
        ("gemini_ethusd_2021-07-01", "ETH"),
        ("binance_coinm_btcusd_perp_20240808-09", "BTC"),
        ("SOL-USDC", "SOL"),
        ("kraken_1inchusd", "1INCH"),
    ],
)
def test_the_coin_is_in_the_folders_name(folder: str, base: str) -> None:
    assert base_of(folder) == base


def test_no_coin_in_the_name_says_how_to_give_one() -> None:
    with pytest.raises(RecordingError, match=r"'monday'.*base='BTC'"):
        base_of("monday")


def test_a_directory_that_is_no_recording_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nowhere: expected a directory with quotes\.parquet"):
        load_recording(tmp_path / "nowhere")
    empty = tmp_path / "abcusd"
    empty.mkdir()
    with pytest.raises(RecordingError, match=r"quotes\.parquet is missing"):
        load_recording(empty)


def test_a_file_that_is_not_as_expected_is_refused_by_name(tmp_path: Path) -> None:
    directory = small(tmp_path / "abcusd")
    write(directory, "trades", [], "ts_ns BIGINT, ex_ts_ns BIGINT, price DOUBLE, amount DOUBLE")
    with pytest.raises(RecordingError, match=r"trades\.parquet lacks qty, aggressor_side; expected .*rename"):
        load_recording(directory)
    write(directory, "trades", [])
    with pytest.raises(RecordingError, match=r"trades\.parquet has no rows"):
        load_recording(directory)
    write(directory, "trades", [(T0, T0, None, 1.0, 1, "")])
    with pytest.raises(RecordingError, match=r"trades\.parquet has nulls"):
        load_recording(directory)
    write(directory, "trades", [(T0, T0, float("inf"), 1.0, 1, "")])
    with pytest.raises(RecordingError, match="prices are not all finite"):
        load_recording(directory)
    (directory / "trades.parquet").write_bytes(b"not parquet")
    with pytest.raises(RecordingError, match=r"trades\.parquet is not readable as parquet"):
        load_recording(directory)
    assert set(SCHEMA) == {"quotes", "trades", "l2"}


@needs_data
@pytest.mark.parametrize(
    "folder, name, tick_usd, lot",
    [
        ("binance_spot_nexousdt_20240723-24", "NEXO-PERPETUAL", 0.001, 0.01),
        ("gemini_ethusd_2021-07-01", "ETH-PERPETUAL", 0.01, 1e-8),
        ("binance_coinm_btcusd_perp_20240808-09", "BTC-PERPETUAL", 0.1, 1e-4),
        ("binance_usdm_btcusdt_20230404-05", "BTC-PERPETUAL", 0.1, 0.001),
    ],
)
def test_the_recorded_sets_have_the_ticks_of_their_venues(folder: str, name: str, tick_usd: float, lot: float) -> None:
    recording = load_recording(DATA / folder)
    instrument = recording.instrument
    assert (instrument.name, instrument.tick_usd, instrument.lot_contracts) == (name, tick_usd, lot)
    assert np.all(np.diff(recording.act_ns) >= 0)
    assert recording.act_ns[0] == 0
    assert np.all(recording.trade_lots > 0)
    assert np.all(recording.depth_ticks > 0)
