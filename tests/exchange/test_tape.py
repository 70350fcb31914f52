"""The tape's running 24-hour figures against a list of all trades."""

from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.tape import DAY_MINUTES, MINUTE_NS, Tape, rows

TRADES = st.lists(st.tuples(st.integers(0, 400), st.integers(90, 110), st.integers(1, 9)), max_size=60)


@settings(max_examples=150)
@given(TRADES)
def test_day_figures(trades):
    tape, minute, seen = Tape(), 30_000_000, []
    for wait, price, lots in trades:
        minute += wait
        tape.trade(minute * MINUTE_NS, price, lots)
        seen.append((minute, price, lots))
        day = [trade for trade in seen if trade[0] > minute - DAY_MINUTES]
        assert tape.lots == sum(lots for _, _, lots in day)
        assert tape.value == sum(price * lots for _, price, lots in day)
        assert tape.high == max(price for _, price, _ in day)
        assert tape.low == min(price for _, price, _ in day)
        assert tape.day_first() == day[0][1]
        assert tape.last == price


def test_wide_candles_join_minutes():
    tape = Tape()
    marks = [(0, 10.0), (0, 12.0), (1, 9.0), (4, 11.0), (5, 20.0)]
    for minute, mark in marks:
        tape.mark(minute * MINUTE_NS, mark, mark * 2, [None] * 4)
        tape.funded(minute * MINUTE_NS, 0.5, 0.001)
    first, second = rows(tape, 0, 600, 5)
    assert (first.start, first.mark, first.index, first.funding) == (0, (10, 12, 9, 11), (20, 24, 18, 22), 2.0)
    assert (second.start, second.mark) == (300, (20, 20, 20, 20))
    assert [row.start for row in rows(tape, 60, 300, 1)] == [60, 240]
    assert rows(tape, 300, 300, 1) == []
