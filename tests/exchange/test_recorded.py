"""Playing recordings: times, loops, fidelity to what was recorded, and clients who queue in it."""

from pathlib import Path

import pytest

from feed.exchange.market import NEVER_NS
from feed.exchange.recorded import RecordedMarket, RecordedOptions
from feed.exchange.recording import load_recording
from tests.exchange.floor import BookFloor
from tests.exchange.recordings import MS, level, quote, small, trade, write
from tests.shared import DATA, needs_data

START_NS = 1_790_000_000_000_000_000
SETS = (
    "binance_spot_nexousdt_20240723-24",
    "gemini_ethusd_2021-07-01",
    "binance_coinm_btcusd_perp_20240808-09",
    "binance_usdm_btcusdt_20230404-05",
)


def started(directory: Path, options: RecordedOptions | None = None) -> tuple[RecordedMarket, BookFloor, str]:
    floor = BookFloor()
    market = RecordedMarket(directory, options)
    market.start(floor, START_NS)
    return market, floor, market.instruments[0].name


def test_the_first_book_is_there_at_the_start_and_the_rest_in_its_time(tmp_path: Path) -> None:
    market, floor, name = started(small(tmp_path / "abcusd"))
    assert floor.depth(name, True) == {20: 4, 19: 12}
    assert floor.depth(name, False) == {22: 4, 24: 8}
    assert floor.index_usd == {"ABCUSD": 10.5}
    times = []
    while market.next_ns() != NEVER_NS:
        times.append((market.next_ns() - START_NS) // MS)
        market.advance(market.next_ns())
    assert times == [500, 1000, 1500]
    assert [(t.price_ticks, t.lots, t.taker_buys) for t in floor.trades] == [
        (22, 2, True),
        (22, 2, True),
        (22, 1, True),  # of three lots, two were shown: the third stood in
        (21, 1, False),
    ]
    assert floor.depth(name, True) == {21: 7, 20: 4, 19: 12}
    assert floor.depth(name, False) == {23: 8, 24: 8}


@pytest.mark.parametrize("speed", [0.5, 4.0])
def test_speed_divides_every_time(tmp_path: Path, speed: float) -> None:
    market, _, _ = started(small(tmp_path / "abcusd"), RecordedOptions(speed=speed))
    assert market.next_ns() == START_NS + int(500 * MS / speed)


def test_a_recording_held_back_plays_all_of_it_later(tmp_path: Path) -> None:
    market, floor, _ = started(small(tmp_path / "abcusd"))
    market.hold_back(300 * MS)
    assert market.next_ns() == START_NS + 800 * MS
    market.advance(START_NS + 799 * MS)
    assert floor.trades == []
    market.advance(START_NS + 1800 * MS)
    assert (market.next_ns(), len(floor.trades), market.held_back_ns) == (NEVER_NS, 4, 300 * MS)


def test_a_loop_goes_on_from_the_mid_where_it_ended(tmp_path: Path) -> None:
    """The mid rises by one tick a round: after three rounds every price is three ticks up."""
    market, floor, name = started(small(tmp_path / "abcusd"), RecordedOptions(loop=True))
    round_ns = 1500 * MS + 1000 * MS
    for played in range(1, 4):
        market.advance(START_NS + played * round_ns)
        assert floor.depth(name, True) == {20 + played: 4, 19 + played: 12}
        assert floor.depth(name, False) == {22 + played: 4, 24 + played: 8}
        assert floor.index_usd["ABCUSD"] == pytest.approx(10.5 + 0.5 * played)
    assert market.next_ns() == START_NS + 3 * round_ns + 500 * MS


def test_a_loop_that_falls_and_falls_stays_above_half_the_first_price(tmp_path: Path) -> None:
    directory = tmp_path / "abcusd"
    write(directory, "quotes", [quote(0, 10.0, 11.0), quote(1000, 7.0, 8.0)])
    write(directory, "trades", [trade(500, 11.0, 1.0, 1)])
    write(directory, "l2", [level(0, 1, 10.0, 1.0, 1), level(0, -1, 11.0, 1.0, 1), level(1000, 1, 7.0, 1.0)])
    market, floor, name = started(directory, RecordedOptions(loop=True))
    seen = []
    for _ in range(40):
        market.advance(market.next_ns())
        best = floor.best(name, True)
        assert best is not None
        seen.append(best[0])
    assert min(seen) >= 2
    assert len(set(seen)) > 1


def test_a_client_in_the_queue_of_a_recording(tmp_path: Path) -> None:
    """Four lots ahead at 22; the tape trades two, then three: one is left over for the client."""
    market, floor, name = started(small(tmp_path / "abcusd"))
    client = floor.client_insert(name, False, 22, 3)
    market.advance(START_NS + 999 * MS)
    assert floor.remaining(client) == 3
    assert floor.ahead_lots(client) == 2
    market.advance(START_NS + 1000 * MS)
    assert floor.remaining(client) == 2
    assert [(t.price_ticks, t.lots) for t in floor.client_fills()] == [(22, 1)]


def test_a_snapshot_in_the_middle_replaces_the_whole_book(tmp_path: Path) -> None:
    directory = tmp_path / "abcusd"
    write(directory, "quotes", [quote(0, 10.0, 11.0)])
    write(directory, "trades", [trade(500, 11.0, 1.0, 1)])
    first = [level(0, 1, 9.0, 1.0, 1), level(0, 1, 10.0, 2.0, 1), level(0, -1, 11.0, 3.0, 1)]
    change = [level(900, 1, 8.0, 5.0)]
    again = [level(1000, 1, 10.0, 4.0, 1), level(1000, -1, 12.0, 3.0, 1)]
    write(directory, "l2", [*first, *change, *again])
    market, floor, name = started(directory)
    client = floor.client_insert(name, True, 9, 1)
    market.advance(START_NS + 999 * MS)
    assert floor.depth(name, True) == {10: 2, 9: 2, 8: 5}
    market.advance(START_NS + 1000 * MS)
    assert floor.depth(name, True) == {10: 4, 9: 1}
    assert floor.depth(name, False) == {12: 3}
    assert floor.remaining(client) == 1


def test_without_depth_there_is_a_backdrop_and_trades_are_refilled_by_the_next_quote(tmp_path: Path) -> None:
    options = RecordedOptions(backdrop_levels=3, backdrop_gap_bps=500.0)
    market, floor, name = started(small(tmp_path / "abcusd", depth=False), options)
    # Median amount 6 lots, on multiples of one tick (5 % of 21 ticks).
    assert floor.depth(name, True) == {20: 4, 19: 6, 18: 6, 17: 6}
    assert floor.depth(name, False) == {22: 4, 23: 6, 24: 6, 25: 6}
    market.advance(START_NS + 999 * MS)
    assert floor.depth(name, False)[22] == 2
    market.advance(START_NS + 1000 * MS)
    assert floor.depth(name, False) == {23: 8, 24: 6, 25: 6, 26: 6}
    assert floor.depth(name, True) == {21: 8, 20: 4, 19: 6, 18: 6}


def test_made_up_levels_that_a_trade_ate_are_refilled_though_the_quote_stays(tmp_path: Path) -> None:
    directory = tmp_path / "abcusd"
    write(directory, "quotes", [quote(0, 10.0, 11.0), quote(1000, 10.0, 11.0)])
    write(directory, "trades", [trade(500, 11.0, 1.0, 1), trade(501, 11.5, 0.5, 1)])
    options = RecordedOptions(backdrop_levels=2, backdrop_gap_bps=500.0)
    market, floor, name = started(directory, options)
    full = floor.depth(name, False)
    market.advance(START_NS + 999 * MS)
    assert floor.depth(name, False) != full
    market.advance(START_NS + 1000 * MS)
    assert floor.depth(name, False) == full


def test_wrong_options_and_order_of_calls_are_refused(tmp_path: Path) -> None:
    directory = small(tmp_path / "abcusd")
    with pytest.raises(ValueError, match="speed must be positive"):
        RecordedMarket(directory, RecordedOptions(speed=0))
    with pytest.raises(ValueError, match="cancels must be"):
        RecordedMarket(directory, RecordedOptions(cancels="all"))  # type: ignore[arg-type]
    market = RecordedMarket(directory)
    assert market.next_ns() == NEVER_NS
    with pytest.raises(RuntimeError, match="before start"):
        market.advance(START_NS)


@needs_data
@pytest.mark.parametrize("folder", SETS)
def test_a_recorded_set_plays_every_traded_lot_once_and_shows_the_book_that_was_recorded(folder: str) -> None:
    market, floor, name = started(DATA / folder)
    recording = load_recording(DATA / folder)
    truth: dict[bool, dict[int, int]] = {True: {}, False: {}}
    bounds = recording.group_start.tolist()
    depth = list(
        zip(
            (recording.depth_buy > 0).tolist(),
            recording.depth_ticks.tolist(),
            recording.depth_lots.tolist(),
            strict=True,
        )
    )
    groups = trades = 0
    last_group_ns = recording.act_ns[recording.act_kind == 1].tolist()
    while groups < 3_000:
        now_ns = last_group_ns[groups]
        market.advance(START_NS + now_ns)
        while groups < len(last_group_ns) and last_group_ns[groups] == now_ns:
            for buy, price, lots in depth[bounds[groups] : bounds[groups + 1]]:
                if lots:
                    truth[buy][price] = lots
                else:
                    truth[buy].pop(price, None)
            groups += 1
        bid, ask = floor.best(name, True), floor.best(name, False)
        assert bid is not None and ask is not None and bid[0] < ask[0]
        if not recording.top_of_book and groups % 50 == 0:
            assert floor.crowd_depth(name, True) == dict(sorted(truth[True].items(), reverse=True))
            assert floor.crowd_depth(name, False) == dict(sorted(truth[False].items()))
    end_ns = last_group_ns[groups - 1]
    trades = recording.act_row[(recording.act_kind == 0) & (recording.act_ns <= end_ns)]
    assert floor.traded_lots == int(recording.trade_lots[trades].sum())


@needs_data
def test_clients_at_the_back_of_the_best_bid_are_filled_less_than_those_who_touch_would_be() -> None:
    """Mistake 24: on a busy recording, a lot that joins the best bid trades far less often than its price does."""
    market, floor, name = started(DATA / "binance_usdm_btcusdt_20230404-05")
    touched = joined = 0
    order = price = seen = 0
    for second in range(1, 200):
        market.advance(START_NS + second * 1_000 * MS)
        touched += order != 0 and any(t.price_ticks <= price and not t.taker_buys for t in floor.trades[seen:])
        seen = len(floor.trades)
        floor.reduce(order, 0)
        best = floor.best(name, True)
        assert best is not None
        price = best[0]
        order = floor.client_insert(name, True, price, 1)
        joined += 1
    fills = len(floor.client_fills())
    assert 0 < fills < 0.7 * touched
    assert touched < joined
