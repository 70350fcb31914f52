"""C rows of the fault catalogue: the wall clock of the quoter's process steps, its login tokens with it."""

import signal
import time
from random import Random

from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import quoting

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
