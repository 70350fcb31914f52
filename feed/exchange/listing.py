"""The instruments a seeded exchange lists unless told otherwise (protocol section 11)."""

from datetime import UTC, date, datetime, timedelta

from feed.exchange.instruments import E8, Instrument

_SECOND_NS = 1_000_000_000
_EXPIRY_HOUR = 8
_FRIDAY = 4
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def quarter_expiry_ns(now_ns: int) -> int:
    """Epoch time in ns of the first quarterly expiry after ``now_ns``.

    Quarterlies expire on the last Friday of March, June, September and December at 08:00 UTC (protocol section 11).
    """
    now = datetime.fromtimestamp(now_ns // _SECOND_NS, tz=UTC)
    month = (now.month + 2) // 3 * 3
    year = now.year
    while True:
        day = _last_friday(year, month)
        expiry_s = int(datetime(day.year, day.month, day.day, _EXPIRY_HOUR, tzinfo=UTC).timestamp())
        if expiry_s * _SECOND_NS > now_ns:
            return expiry_s * _SECOND_NS
        month += 3
        if month > 12:
            year, month = year + 1, 3


def future_name(base: str, expiry_ns: int) -> str:
    """Name of a dated future, for example ``BTC-25DEC26`` (protocol section 11)."""
    day = datetime.fromtimestamp(expiry_ns // _SECOND_NS, tz=UTC)
    return f"{base}-{day.day:02d}{_MONTHS[day.month - 1]}{day.year % 100:02d}"


def default_instruments(now_ns: int) -> tuple[Instrument, ...]:
    """BTC and ETH: a perpetual and the next quarterly future each, with the ticks of protocol section 11."""
    expiry_ns = quarter_expiry_ns(now_ns)
    listed: list[Instrument] = []
    for base, tick_e8, lot_e8 in (("BTC", E8, E8 // 1000), ("ETH", E8 // 10, E8 // 100)):
        underlying = f"{base}USD"
        listed.append(
            Instrument(f"{base}-PERPETUAL", underlying, "perpetual", tick_e8, lot_e8, min_lots=1, create_ns=now_ns)
        )
        name = future_name(base, expiry_ns)
        listed.append(Instrument(name, underlying, "future", tick_e8, lot_e8, 1, expiry_ns, create_ns=now_ns))
    return tuple(listed)


def _last_friday(year: int, month: int) -> date:
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    last = first_of_next - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - _FRIDAY) % 7)
