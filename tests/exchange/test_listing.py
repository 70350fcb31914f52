"""The default listing: names, expiries and ticks by the venue's rules."""

from datetime import UTC, datetime

import pytest

from feed.exchange.listing import default_instruments, future_name, quarter_expiry_ns

START_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000


def epoch_ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * SECOND_NS  # type: ignore[misc]


@pytest.mark.parametrize(
    "now, name",
    [
        ((2026, 11, 21), "BTC-25DEC26"),
        ((2026, 12, 25, 7, 59), "BTC-25DEC26"),
        ((2026, 12, 25, 8, 0), "BTC-26MAR27"),
        ((2027, 1, 1), "BTC-26MAR27"),
        ((2023, 9, 29, 9), "BTC-29DEC23"),
    ],
)
def test_the_dated_future_is_the_next_quarterly(now: tuple[int, ...], name: str) -> None:
    expiry_ns = quarter_expiry_ns(epoch_ns(*now))
    assert future_name("BTC", expiry_ns) == name
    assert datetime.fromtimestamp(expiry_ns // SECOND_NS, tz=UTC).hour == 8
    assert default_instruments(epoch_ns(*now))[1].name == name


def test_the_default_listing_has_the_venues_ticks() -> None:
    rows = {i.name: (i.tick_usd, i.lot_contracts, i.min_lots) for i in default_instruments(START_NS)}
    assert rows["BTC-PERPETUAL"] == (1.0, 0.001, 1)
    assert rows["ETH-PERPETUAL"] == (0.1, 0.01, 1)
    assert rows["BTC-25SEP26"] == (1.0, 0.001, 1)
    assert [i.product for i in default_instruments(START_NS)] == ["FBTCUSD", "FBTCUSD", "FETHUSD", "FETHUSD"]
    assert len(rows) == 4
