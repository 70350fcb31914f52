"""C rows of the fault catalogue: the wall clock of the quoter's process steps, its login tokens with it."""

import re
import signal
import time
from random import Random

from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import COD_S, quoting

AGAIN_S = 20.0

STEPPING = """
import signal, time
real, offset = time.time, 0.0
def stepped():
    return real() + offset
def step(*_):
    global offset
    offset += {step}
time.time = stepped
signal.signal(signal.SIGUSR1, step)
from engine.cli.main import main
main()
"""
"""Every reading of the wall clock moves by ``step`` seconds at SIGUSR1."""

SKEWED = """
import time
real = time.time
time.time = lambda: real() + {step}
from engine.cli.main import main
main()
"""


@row(slow=["C1-wall-clock-one-hour-back", "C1-wall-clock-one-hour-ahead"])
def test_a_step_of_the_wall_clock_changes_no_timer(world: World, row: str) -> None:
    quoter = world.quoting(program=STEPPING.format(step="-3600" if row.endswith("back") else "3600"))
    step_s = -3600 if row.endswith("back") else 3600
    quoter.signal(signal.SIGUSR1)
    time.sleep(3)
    assert world.venue.orders(), "quotes stay"
    assert quoter.running
    report = quoter.stop()
    first, *_, last = (event["time"] for event in quoter.events())
    assert abs(last - first - step_s) < 60, "the clock has stepped"
    assert (report["connections"], report["mode"], report["orders_left"]) == (1, "ACTIVE", 0)
    assert report["seconds"] < 60


@row("C2-clock-skewed-by-a-minute")
def test_a_login_refused_for_the_clock_ends_after_few_attempts_and_says_why(world: World, row: str) -> None:
    quoter = world.start(program=SKEWED.format(step=-60))
    status, out, err = quoter.wait()
    assert status == 2, err + out
    assert "too far from the server's time" in err + out
    logins = [asked for asked in world.venue.asked() if asked.method == "public/login"]
    assert 1 <= len(logins) <= 3
    assert world.venue.sent(0) == []


@row(slow=["C6-timers-late"])
def test_late_timers_break_no_limit(world: World, row: str) -> None:
    quoter = world.quoting()
    random = Random(6)
    for _ in range(15):
        quoter.signal(signal.SIGSTOP)
        time.sleep(random.uniform(0.05, 0.35))
        quoter.signal(signal.SIGCONT)
        time.sleep(random.uniform(0.05, 0.2))
    wait_until(lambda: quoter.running, 1, "the quoter runs")
    quoting(world.venue, AGAIN_S)
    assert quoter.stop()["orders_left"] == 0


@row(slow=["R13-a-third-of-a-processor"])
def test_a_throttled_processor_breaks_no_limit_and_costs_no_connection(world: World, row: str) -> None:
    """For 4 s the process runs 30 ms in every 90, as under a quota: what it sends meanwhile the exchange judges."""
    quoter = world.quoting()
    before = world.venue.connections()
    throttled = time.monotonic()
    while time.monotonic() < throttled + 4:
        quoter.signal(signal.SIGSTOP)
        time.sleep(0.06)
        quoter.signal(signal.SIGCONT)
        time.sleep(0.03)
    assert world.venue.connections() == before
    freed = time.monotonic()
    wait_until(lambda: world.venue.sent(freed) and world.venue.orders(), AGAIN_S, "quotes in the market")
    report = quoter.stop()
    assert (report["connections"], report["mode"], report["orders_left"]) == (1, "ACTIVE", 0)


STAMPS = re.compile(rb'"(time|mark_timestamp)":([0-9.]+)')
STAMPED = (b'{"channel_name":"book', b'{"channel_name":"ticker', b'{"channel_name":"recent_trades')
STRANGE = {
    "zero": lambda seconds: 0.0,
    "future": lambda seconds: seconds + 86_400.0,
    "backwards": lambda seconds: seconds - 3_600.0,
}


@row(slow=["C4-exchange-time-zero", "C4-exchange-time-future", "C4-exchange-time-backwards"])
def test_a_wrong_clock_of_the_venue_stops_no_quotes_and_stays_none_of_ours(world: World, row: str) -> None:
    """From one moment on all its market data is stamped so: fresh is what is received, and stale what is not."""
    quoter = world.quoting()
    change = STRANGE[row.removeprefix("exchange-time-")]

    def stamped(found: "re.Match[bytes]") -> bytes:
        return b'"%b":%.6f' % (found[1], change(float(found[2])))

    def wrong(message: bytes) -> bytes:
        return STAMPS.sub(stamped, message) if message.startswith(STAMPED) else message

    world.venue.exchange.filter = wrong
    time.sleep(3)
    since = time.monotonic()
    wait_until(lambda: world.venue.sent(since) and world.venue.orders(), AGAIN_S, "quotes by that clock")
    before = world.venue.connections()
    world.proxy.reset()
    quoting(world.venue, AGAIN_S, before)
    world.proxy.down.held = True
    wait_until(lambda: not world.venue.orders(), COD_S + 3, "quotes gone when nothing arrives")
    world.proxy.heal()
    quoting(world.venue, AGAIN_S)
    report = quoter.stop()
    assert (report["mode"], report["orders_left"]) == ("ACTIVE", 0)
    assert report["counters"]["malformed"] == 0
