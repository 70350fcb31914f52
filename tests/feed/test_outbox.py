"""Nothing delays a cancel; no window exceeds the rate; the breaker opens, probes, reopens and closes."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.frames import ListSink
from feed.outbox import Outbox

CANCEL, REDUCE, QUOTE, OTHER, CLEAR = 0, 1, 2, 3, 4
SENT, QUEUED, REFUSED, FULL = 1, 2, 0, -1
SECOND = 1_000_000_000
MS = 1_000_000


def make(**options) -> tuple[ListSink, Outbox]:
    sink = ListSink()
    return sink, Outbox(sink, **options)


gaps = st.one_of(st.integers(0, 5 * MS), st.integers(0, 100 * MS), st.integers(0, 3 * SECOND), st.just(0))


@given(
    rate=st.integers(1, 60),
    share=st.floats(0.01, 1.0),
    reserve=st.integers(0, 50),
    steps=st.lists(st.tuples(gaps, st.sampled_from([REDUCE, QUOTE, CLEAR])), max_size=150),
)
@settings(max_examples=200, deadline=None)
def test_no_window_of_a_second_holds_more_than_the_rate(rate, share, reserve, steps):
    _, outbox = make(message_rate=rate, burst_share=share, reserve_percent=reserve, window_ns=SECOND)
    now, times = 0, []
    for gap, priority in steps:
        now += gap
        if outbox.submit(priority, b"x", now) == SENT:
            times.append(now)
    assert all(later - earlier >= SECOND for earlier, later in zip(times, times[rate:], strict=False))


@given(
    rate=st.integers(1, 60),
    share=st.floats(0.01, 1.0),
    steps=st.lists(st.tuples(gaps, st.sampled_from([CANCEL, REDUCE, QUOTE])), max_size=120),
)
@settings(max_examples=200, deadline=None)
def test_against_the_slow_twin(rate, share, steps):
    """The budget said with a list of times and a running level, in the order of the rules."""
    _, outbox = make(message_rate=rate, burst_share=share, reserve_percent=20, window_ns=SECOND)
    burst = max(1.0, rate * share)
    times: deque[int] = deque()
    level, level_at = burst, None
    now = 0
    for gap, priority in steps:
        now += gap
        reserve = -(-rate * 20 // 100) if priority == QUOTE else 0
        allowed = max(1, rate - reserve)
        refill = 0.0 if level_at is None else (now - level_at) * rate / 1e9
        current = min(burst, level + refill)
        needed = 1 + min(reserve, burst - 1)
        recent = sum(1 for sent in times if now - sent < SECOND)
        if abs(current - needed) < 1e-6 and priority != CANCEL:
            needed = current if outbox.admits(priority, now) else current + 1
        expected = priority == CANCEL or (recent < allowed and current >= needed)
        assert outbox.admits(priority, now) == expected
        assert outbox.submit(priority, b"x", now) == (SENT if expected else REFUSED)
        if expected and priority != CANCEL:
            times.append(now)
            level, level_at = max(0.0, current - 1), now


@given(
    rate=st.integers(1, 60),
    steps=st.lists(st.tuples(gaps, st.sampled_from([REDUCE, QUOTE, OTHER])), max_size=80),
    asked=st.sampled_from([REDUCE, QUOTE, OTHER]),
)
@settings(max_examples=200, deadline=None)
def test_what_is_said_to_be_free_then_is_free_then(rate, steps, asked):
    _, outbox = make(message_rate=rate, other_rate=rate)
    now = 0
    for gap, priority in steps:
        now += gap
        if outbox.admits(priority, now):
            outbox.submit(priority, b"x", now)
    at = outbox.next_admission(asked, now)
    assert at >= now
    assert outbox.admits(asked, at)
    assert outbox.admits(asked, now) == (at == now)
    if at - now > 2:
        assert not outbox.admits(asked, at - 3)


def test_the_whole_rate_is_used():
    _, outbox = make(message_rate=50, window_ns=SECOND)
    sent = sum(outbox.submit(REDUCE, b"x", at * MS) == SENT for at in range(10_000))
    assert sent == 10 * 50


def test_a_burst_leaves_something_for_the_rest_of_its_second():
    _, outbox = make(message_rate=50, window_ns=SECOND)
    at_once = sum(outbox.submit(REDUCE, b"x", 0) == SENT for _ in range(100))
    assert at_once == 25
    assert outbox.next_admission(REDUCE, 0) <= 21 * MS


def test_quotes_leave_the_reserve_to_changes_that_reduce_risk():
    _, outbox = make(message_rate=50, window_ns=SECOND)
    quotes = reduces = 0
    for at in range(1000):
        while outbox.submit(QUOTE, b"q", at * MS) == SENT:
            quotes += 1
    assert quotes == 40
    while outbox.submit(REDUCE, b"r", 999 * MS) == SENT:
        reduces += 1
    assert reduces == 10


states = st.lists(
    st.tuples(gaps, st.sampled_from(["throttled", "rejected", "accepted", "quote", "reduce", "other", "rate"])),
    max_size=60,
)


@given(states)
@settings(max_examples=200, deadline=None)
def test_cancels_pass_in_every_state(steps):
    sink, outbox = make(message_rate=10, rejects_to_open=2)
    now = 0
    for gap, what in steps:
        now += gap
        if what in ("quote", "reduce", "other"):
            outbox.submit({"quote": QUOTE, "reduce": REDUCE, "other": OTHER}[what], b"x", now)
        elif what == "rate":
            outbox.set_message_rate(1)
        else:
            getattr(outbox, f"on_{what}")(now)
        assert outbox.admits(CANCEL, now)
        assert outbox.next_admission(CANCEL, now) == now
        assert outbox.submit(CANCEL, b"c", now) == SENT
        assert sink.sent[-1] == b"c"


def test_cancels_over_the_venue_figure_are_counted_and_sent():
    sink, outbox = make(cancel_rate=5)
    assert [outbox.submit(CANCEL, b"c", 0) for _ in range(8)] == [SENT] * 8
    assert len(sink.sent) == 8
    assert outbox.stats()["cancels_over_rate"] == 3


@given(
    st.lists(
        st.tuples(st.sampled_from([CANCEL, REDUCE, QUOTE, OTHER, "block", "open", "flush"]), st.integers(0, 2000)),
        max_size=80,
    )
)
@settings(max_examples=200, deadline=None)
def test_congestion_keeps_order_and_puts_cancels_first(steps):
    """With a sink that refuses bytes: every cancel leaves, in order, before anything of lower priority."""
    sink, outbox = make(
        message_rate=4000, other_rate=4000, queue_bytes=1 << 20, queue_age_max_ns=10**15, reserve_percent=0
    )
    sent: list[bytes] = []
    waiting: dict[int, deque[bytes]] = {CANCEL: deque(), OTHER: deque()}
    now = 0
    for number, (what, size) in enumerate(steps):
        now += 10 * MS
        if what in {"block", "open"}:
            sink.blocked = what == "block"
            continue
        if what == "flush":
            outbox.flush(now)
            if not sink.blocked:
                sent += [*waiting[CANCEL], *waiting[OTHER]]
                waiting[CANCEL].clear(), waiting[OTHER].clear()
            continue
        text = b"%d %d " % (what, number) + b"." * size
        code = outbox.submit(what, text, now)
        if not sink.blocked:
            sent += waiting[CANCEL]
            waiting[CANCEL].clear()
        if what in (REDUCE, QUOTE):
            assert code == (REFUSED if sink.blocked else SENT)
            sent += [] if sink.blocked else [text]
        elif sink.blocked or (what == OTHER and waiting[OTHER]):
            assert code == QUEUED
            waiting[what].append(text)
        else:
            assert code == SENT
            sent.append(text)
        assert sink.sent == sent
    sink.blocked = False
    outbox.flush(now + SECOND)
    assert sink.sent == [*sent, *waiting[CANCEL], *waiting[OTHER]]


def test_quotes_are_not_queued_and_ask_again_soon():
    sink, outbox = make()
    sink.blocked = True
    assert outbox.submit(QUOTE, b"q", 0) == REFUSED
    assert not outbox.admits(QUOTE, 0)
    again = outbox.next_admission(QUOTE, 0)
    assert again == MS
    sink.blocked = False
    assert outbox.submit(QUOTE, b"q2", again) == SENT
    assert sink.sent == [b"q2"]
    assert outbox.stats()["sent_quote"] == 1


def test_a_sink_that_stays_shut_gives_the_connection_up():
    sink, outbox = make(queue_age_max_ns=SECOND)
    sink.blocked = True
    assert outbox.submit(CANCEL, b"c", 0) == QUEUED
    assert outbox.flush(SECOND) == 0
    assert outbox.flush(SECOND + 1) == FULL
    assert outbox.submit(QUOTE, b"q", SECOND + 1) == FULL
    assert outbox.submit(CANCEL, b"c", SECOND + 1) == FULL


def test_a_blockage_that_has_passed_is_forgotten():
    """A quote was refused once; much later the sink is open, or has only just shut again."""
    sink, outbox = make(queue_age_max_ns=SECOND)
    sink.blocked = True
    assert outbox.submit(QUOTE, b"q", 0) == REFUSED
    assert outbox.flush(3 * SECOND) == 0
    assert outbox.submit(CANCEL, b"c", 3 * SECOND) == QUEUED
    assert outbox.submit(QUOTE, b"q", 3 * SECOND) == REFUSED
    assert outbox.flush(4 * SECOND) == 0
    assert outbox.flush(4 * SECOND + 1) == FULL
    sink.blocked = False
    assert outbox.flush(5 * SECOND) == 1
    outbox.on_throttled(5 * SECOND)
    assert outbox.submit(QUOTE, b"q", 5 * SECOND) == REFUSED
    assert outbox.submit(OTHER, b"o", 5 * SECOND) == SENT


def test_quotes_alone_notice_a_sink_that_stays_shut():
    sink, outbox = make(queue_age_max_ns=SECOND)
    sink.blocked = True
    codes = [outbox.submit(QUOTE, b"q", at * 10 * MS) for at in range(110)]
    assert codes == [REFUSED] * 101 + [FULL] * 9
    assert outbox.flush(1090 * MS) == 0, "nobody waits"


def test_a_full_queue_gives_the_connection_up():
    sink, outbox = make(queue_bytes=1024)
    sink.blocked = True
    codes = [outbox.submit(CANCEL, b"c" * 100, 0) for _ in range(12)]
    assert codes == [QUEUED] * 9 + [FULL] * 3
    assert outbox.submit(OTHER, b"o" * 2000, 0) == FULL


def test_the_queue_wraps_without_loss():
    sink, outbox = make(queue_bytes=1024)
    expected = []
    for round_ in range(50):
        sink.blocked = True
        for part in range(7):
            text = b"%d-%d" % (round_, part) + b"z" * 90
            assert outbox.submit(CANCEL, text, round_ * SECOND) == QUEUED
            expected.append(text)
        sink.blocked = False
        assert outbox.flush(round_ * SECOND) == 7
    assert sink.sent == expected


def test_other_requests_wait_for_their_budget_and_block_nothing():
    sink, outbox = make(other_rate=2, window_ns=SECOND)
    assert [outbox.submit(OTHER, b"%d" % i, 0) for i in range(4)] == [SENT, SENT, QUEUED, QUEUED]
    assert outbox.submit(QUOTE, b"q", 0) == SENT
    assert outbox.flush(0) == 0
    assert outbox.flush(outbox.next_admission(OTHER, 0)) >= 1
    outbox.flush(3 * SECOND)
    assert sink.sent == [b"0", b"1", b"q", b"2", b"3"]


def test_throttling_opens_at_once_and_halves_the_rate():
    _, outbox = make(message_rate=50, open_ns=SECOND)
    outbox.on_throttled(0)
    outbox.on_throttled(10)
    stats = outbox.stats()
    assert (stats["breaker"], stats["effective_rate"], stats["throttles"], stats["openings"]) == ("open", 25, 2, 1)
    assert outbox.submit(QUOTE, b"q", SECOND) == REFUSED
    assert outbox.next_admission(QUOTE, SECOND) == SECOND + 10


def test_rejects_open_only_when_they_come_close_together():
    _, outbox = make(rejects_to_open=3, reject_window_ns=SECOND)
    for at in (0, SECOND // 2, SECOND):
        outbox.on_rejected(at)
    assert outbox.stats()["breaker"] == "closed"
    outbox.on_rejected(SECOND + 1)
    assert outbox.stats()["breaker"] == "open"


def test_a_failed_probe_reopens_for_twice_as_long_up_to_the_bound():
    _, outbox = make(open_ns=SECOND, open_max_ns=5 * SECOND)
    now, pauses = 0, []
    outbox.on_throttled(now)
    for attempt in range(5):
        at = outbox.next_admission(QUOTE, now)
        pauses.append((at - now) // SECOND)
        assert not outbox.admits(QUOTE, at - 1)
        assert outbox.submit(QUOTE, b"probe", at) == SENT
        assert outbox.submit(QUOTE, b"second", at + SECOND) == REFUSED
        now = at + SECOND
        (outbox.on_rejected if attempt % 2 else outbox.on_throttled)(now)
        assert outbox.stats()["breaker"] == "open"
    assert pauses == [1, 2, 4, 5, 5]


def test_a_good_probe_closes_and_the_rate_comes_back_step_by_step():
    _, outbox = make(message_rate=50, open_ns=SECOND)
    outbox.on_throttled(0)
    assert outbox.submit(QUOTE, b"probe", SECOND) == SENT
    outbox.on_accepted(SECOND + MS)
    assert outbox.stats()["breaker"] == "closed"
    for at in range(1, 4000):
        outbox.on_accepted(SECOND + MS + at * 10 * MS)
    assert outbox.stats()["effective_rate"] == min(50, 25 + 39)
    outbox.on_throttled(60 * SECOND)
    assert outbox.next_admission(QUOTE, 60 * SECOND) == 61 * SECOND, "the pause starts from its first length again"


def test_an_unanswered_probe_does_not_shut_the_way_for_ever():
    _, outbox = make(open_ns=SECOND, probe_timeout_ns=5 * SECOND)
    outbox.on_throttled(0)
    assert outbox.submit(QUOTE, b"probe", SECOND) == SENT
    at = outbox.next_admission(QUOTE, SECOND)
    assert at == 6 * SECOND
    assert outbox.submit(QUOTE, b"probe", at) == SENT


def test_replies_to_older_messages_do_not_count_for_the_probe():
    _, outbox = make(open_ns=SECOND)
    outbox.on_throttled(0)
    outbox.on_accepted(10)
    assert outbox.stats()["breaker"] == "open"
    assert outbox.admits(QUOTE, SECOND)
    outbox.on_rejected(SECOND)
    outbox.on_accepted(SECOND)
    assert outbox.stats()["breaker"] == "half-open"


def test_a_new_connection_starts_empty_but_keeps_the_breaker():
    sink, outbox = make(message_rate=4)
    sink.blocked = True
    outbox.submit(CANCEL, b"c", 0)
    outbox.on_throttled(0)
    fresh = ListSink()
    outbox.attach(fresh)
    assert outbox.flush(0) == 0 and fresh.sent == []
    assert outbox.stats()["breaker"] == "open"
    assert outbox.submit(CANCEL, b"c2", 0) == SENT
    assert fresh.sent == [b"c2"]


def test_a_clear_takes_what_is_left_of_the_window_and_is_then_refused():
    _, outbox = make(message_rate=10, burst_share=0.5, reserve_percent=20, window_ns=SECOND)
    # The burst is five, and new quotes leave two of the window: a clear minds neither.
    assert [outbox.submit(QUOTE, b"q", 0) for _ in range(5)].count(SENT) == 3
    assert [outbox.submit(CLEAR, b"c", 0) for _ in range(8)] == [SENT] * 7 + [REFUSED]
    assert not outbox.admits(REDUCE, SECOND - 1) and outbox.admits(CLEAR, SECOND) and outbox.admits(CANCEL, 0)
    assert outbox.stats()["sent_clear"] == 7


def test_a_clear_is_refused_while_the_venue_or_the_socket_refuses():
    sink, outbox = make()
    sink.blocked = True
    assert outbox.submit(CLEAR, b"c", 0) == REFUSED and outbox.stats()["queued"] == 0
    sink.blocked = False
    assert outbox.submit(CANCEL, b"x", MS) == SENT and outbox.admits(CLEAR, MS)
    outbox.on_throttled(MS)
    assert outbox.submit(CLEAR, b"c", MS) == REFUSED and outbox.submit(CANCEL, b"x", MS) == SENT


@pytest.mark.parametrize(
    "options",
    [{"message_rate": 0}, {"message_rate": 5000}, {"cancel_rate": 0}, {"burst_share": 0.0}, {"reserve_percent": 100},
     {"burst_share": float("nan")}, {"rejects_to_open": 0}, {"window_ns": 0}, {"queue_bytes": 10}, {"open_ns": 0}],
)  # fmt: skip
def test_bad_settings_are_refused(options):
    with pytest.raises(ValueError):
        make(**options)


def test_bad_calls_are_refused():
    _, outbox = make()
    with pytest.raises(ValueError):
        outbox.set_message_rate(0)
    with pytest.raises(ValueError):
        outbox.submit(5, b"x", 0)
