"""O10: quoter and supervisor watch each other; without a supervisor that watches nothing is quoted."""

import os
import signal
import time
from pathlib import Path

from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import Quoter, quoting

AGAIN_S = 30.0
FAR = {"connection__cancel_on_disconnect": "40", "connection__heartbeat_interval": "20"}
"""The venue's own switch is far away: what is seen is not its doing."""


def supervisors(quoter: Quoter) -> list[int]:
    """Processes that the quoter has started to watch it."""
    children = Path(f"/proc/{quoter.process.pid}/task/{quoter.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"engine.live.supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def reasons(quoter: Quoter) -> list[str | None]:
    """Why nobody watched, as the log tells it; None: somebody did."""
    return [event["unwatched"] for event in quoter.events() if event["event"] == "supervisor"]


@row("O10-supervisor-killed", slow=["O10-supervisor-frozen"])
def test_without_a_supervisor_nothing_is_quoted_until_another_one_watches(world: World, row: str) -> None:
    quoter = world.quoting("--supervisor", **FAR)
    (first,) = supervisors(quoter)
    logins = sum(asked.method == "public/login" for asked in world.venue.asked())
    assert logins == 2, "the first quote waited for the supervisor's login"
    struck = time.monotonic()
    os.kill(first, signal.SIGKILL if row.endswith("killed") else signal.SIGSTOP)
    pulled = wait_until(lambda: not world.venue.orders(), 5, "quotes pulled")
    assert pulled < 1.0 if row.endswith("killed") else pulled > 1.0, "silence is judged after 2 s"
    quoting(world.venue, AGAIN_S)
    (second,) = supervisors(quoter)
    assert second != first
    asked = world.venue.asked(struck)
    login = next(i for i, one in enumerate(asked) if one.method == "public/login")
    first_quote = next(i for i, one in enumerate(asked) if one.at_s > struck + pulled and one.params.get("quotes"))
    assert login < first_quote, "quoted before the new supervisor had its connection"
    assert "private/cancel_all" not in [one.method for one in asked], "the quoter lives: it pulls by itself"
    expected = "is starting" if row.endswith("killed") else "no heartbeat of the supervisor"
    assert any(expected in (reason or "") for reason in reasons(quoter)[2:])
    assert reasons(quoter)[-1] is None
    report = quoter.stop()
    assert (report["orders_left"], report["connections"], report["supervisor"]["restarts"]) == (0, 1, 1)


@row(slow=["O10-supervisor-dies-again-and-again"])
def test_a_supervisor_that_cannot_live_ends_the_run_with_nothing_left(world: World, row: str) -> None:
    quoter = world.quoting("--supervisor", **FAR)
    seen: set[int] = set()
    while quoter.running and len(seen) < 20:
        for pid in supervisors(quoter) if quoter.running else []:
            seen.add(pid)
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    status, out, err = quoter.wait(20)
    assert status == 1
    assert "the supervisor died 6 times in a minute" in out + err
    assert len(seen) == 6
    assert world.venue.orders() == []
