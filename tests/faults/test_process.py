"""R rows of the fault catalogue: signals, kills, frozen processes, exhausted resources, exceptions."""

import re
import resource
import signal
import time
from pathlib import Path
from random import Random

from engine.journal.replay import replay
from feed.journal import Journal
from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import COD_S, quoting

AGAIN_S = 20.0


def emptied(world: World, seconds: float) -> None:
    """Wait until the venue holds no order of anyone."""
    wait_until(lambda: not world.venue.orders(), seconds, "no order left at the venue")


@row("R1-kill-9-once", slow=["R1-kill-9-at-20-moments"])
def test_a_killed_quoter_leaves_no_order_and_its_successor_quotes(world: World, row: str) -> None:
    """Start, kill at a random moment, and again: the orders of the dead are gone before the living quotes."""
    random = Random(11)
    for _ in range(20 if row.endswith("moments") else 1):
        before = world.venue.connections()
        quoter = world.start()
        if row.endswith("moments"):
            # From before the first byte is sent until well after the first quotes.
            time.sleep(random.uniform(0.6, 2.6))
        else:
            quoting(world.venue, AGAIN_S, before)
        quoter.close()
        emptied(world, COD_S + 2)
    held = {account.number: world.venue.exchange.position(account.number, "BTC-PERPETUAL")
            for account in world.venue.call(lambda exchange: list(exchange.accounts.values()))}  # fmt: skip
    before = world.venue.connections()
    quoter = world.start()
    quoting(world.venue, AGAIN_S, before)
    report = quoter.stop()
    assert report["orders_left"] == 0
    if report["fills"] == 0:
        assert report["positions"]["BTC-PERPETUAL"] == sum(held.values())
    emptied(world, 1)
    for run in sorted((quoter.state / "thalex-quoter" / "local" / "journal").iterdir()):
        if next(Journal(run).records(), None) is not None:
            assert replay(run).identical, run


@row("R2-sigterm", slow=["R2-sigint"])
def test_a_stop_by_signal_leaves_no_order_and_proves_it(world: World, row: str) -> None:
    quoter = world.quoting()
    quoter.signal(signal.Signals[row.upper()])
    status, out, err = quoter.wait()
    assert status == 0, err + out
    assert world.venue.orders() == []
    last = [asked.method for asked in world.venue.asked()][-6:]
    assert "private/cancel_session" in last
    assert "private/open_orders" in last


@row(slow=["R2-second-signal-aborts"])
def test_a_second_signal_drops_the_connection_and_the_venue_cancels(world: World, row: str) -> None:
    quoter = world.quoting(connection__cancel_on_disconnect="40", connection__heartbeat_interval="20")
    world.proxy.down.stalled = True
    quoter.signal(signal.SIGTERM)
    time.sleep(0.3)
    assert quoter.running
    quoter.signal(signal.SIGTERM)
    status, _, _ = quoter.wait(5)
    assert status == 130
    emptied(world, 2)


@row("R3-frozen-beyond-cancel-on-disconnect", slow=["R3-frozen-10-s", "R3-frozen-30-s"])
def test_after_a_freeze_nothing_stale_is_sent(world: World, row: str) -> None:
    """The venue has cancelled and closed; whatever the woken process believes, no quote leaves before a new set-up."""
    quoter = world.quoting()
    before = world.venue.connections()
    quoter.signal(signal.SIGSTOP)
    try:
        emptied(world, COD_S + 2)
        time.sleep(float(row.split("-")[1]) - COD_S if row.endswith("-s") else 0.5)
        woken = time.monotonic()
    finally:
        quoter.signal(signal.SIGCONT)
    quoting(world.venue, AGAIN_S, before)
    assert [asked for asked in world.venue.sent(woken) if asked.connection <= before] == []
    assert quoter.stop()["orders_left"] == 0


@row(slow=["R3-frozen-shorter-than-cancel-on-disconnect"])
def test_after_a_short_freeze_the_backlog_is_not_quoted_on(world: World, row: str) -> None:
    """The session lives on, but the data is older than allowed: pull first, quote on what is fresh."""
    quoter = world.quoting(connection__cancel_on_disconnect="40", connection__heartbeat_interval="20")
    quoter.signal(signal.SIGSTOP)
    time.sleep(4)
    woken = time.monotonic()
    quoter.signal(signal.SIGCONT)
    time.sleep(0.1)
    burst = world.venue.sent(woken)
    assert len(burst) <= 4, burst
    quoting(world.venue, AGAIN_S)
    assert quoter.stop()["orders_left"] == 0


RAISING = """
from feed import decode_slow
from engine.cli.main import main
real = decode_slow.decode
def raising(frame):
    if b"canary" in frame:
        raise ZeroDivisionError("canary")
    return real(frame)
decode_slow.decode = raising
main()
"""


@row("R5-exception-while-handling-a-message")
def test_an_exception_in_the_core_ends_the_run_with_every_order_cancelled(world: World, row: str) -> None:
    quoter = world.quoting(program=RAISING)
    started = time.monotonic()
    canary = b'{"channel_name":"weather","notification":["canary"]}'
    world.venue.call(lambda exchange: [connection.send(canary) for connection in exchange.connections.values()])
    emptied(world, 1.5)
    status, out, err = quoter.wait(15)
    assert status == 1, err + out
    assert "ZeroDivisionError" in out + quoter.log.read_text()
    assert world.venue.sent(started + 1.5) == []


@row(slow=["R7-loop-blocked-for-500-ms"])
def test_a_blocked_loop_costs_at_most_the_connection(world: World, row: str) -> None:
    quoter = world.quoting()
    for _ in range(6):
        quoter.signal(signal.SIGSTOP)
        time.sleep(0.5)
        quoter.signal(signal.SIGCONT)
        time.sleep(0.5)
    quoting(world.venue, AGAIN_S)
    assert quoter.stop()["orders_left"] == 0


@row(slow=["R8-no-file-descriptors"])
def test_without_descriptors_a_reconnect_fails_cleanly_until_there_are_some(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    limits = resource.prlimit(quoter.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(quoter.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    world.proxy.reset()
    time.sleep(3)
    assert quoter.running, quoter.wait()
    assert world.venue.orders() == []
    assert world.venue.connections() == before
    resource.prlimit(quoter.process.pid, resource.RLIMIT_NOFILE, limits)
    quoting(world.venue, AGAIN_S, before)
    assert quoter.stop()["orders_left"] == 0


@row("R9-second-instance")
def test_a_second_quoter_with_the_same_key_refuses_and_the_first_goes_on(world: World, row: str) -> None:
    first = world.quoting()
    before = world.venue.connections()
    status, out, err = world.start().wait()
    assert status == 2
    assert f"process {first.process.pid}" in out + err
    assert world.venue.connections() == before
    assert world.venue.orders()
    first.close()
    emptied(world, COD_S + 2)
    third = world.quoting()
    assert third.stop()["orders_left"] == 0


@row(slow=["R6-segfault"])
def test_a_crash_of_the_process_leaves_no_order(world: World, row: str) -> None:
    quoter = world.quoting()
    quoter.signal(signal.SIGSEGV)
    emptied(world, 1)
    assert quoter.wait()[0] == -signal.SIGSEGV


@row(slow=["R3-frozen-under-the-supervisor", "R6-killed-under-the-supervisor"])
def test_the_supervisor_cancels_long_before_the_venue_would(world: World, row: str) -> None:
    rare = {"connection__cancel_on_disconnect": "40", "connection__heartbeat_interval": "20"}
    quoter = world.quoting("--supervisor", **rare)
    if row.startswith("killed"):
        world.proxy.up.dropped = world.proxy.down.dropped = True  # the venue does not see the process go
        quoter.signal(signal.SIGKILL)
        wait_until(lambda: not quoter.running, 5, "the process is gone")
        time.sleep(0.3)
        assert world.venue.orders()
        world.proxy.heal()
    else:
        quoter.signal(signal.SIGSTOP)
    emptied(world, 30)
    # A healed proxy may pass the end of the dead one's connection on before the supervisor's next attempt.
    wait_until(lambda: "private/cancel_all" in [asked.method for asked in world.venue.asked()], 30, "its cancel")


@row("R4-budget-of-memory-used-up")
def test_a_process_that_outgrows_its_budget_of_memory_ends_in_order(world: World, row: str) -> None:
    quoter = world.start(connection__max_memory_mb="1")
    status, out, err = quoter.wait(60)
    assert status == 1, err + out
    assert "connection.max_memory_mb is 1" in out + err
    assert world.venue.orders() == []


@row(slow=["R4-no-more-memory"])
def test_a_process_that_gets_no_more_memory_leaves_no_order(world: World, row: str) -> None:
    """It may quote on within what it has, or end; what it may not is to leave orders behind."""
    quoter = world.quoting()
    (size,) = re.findall(r"VmSize:\s*(\d+) kB", Path(f"/proc/{quoter.process.pid}/status").read_text())
    resource.prlimit(quoter.process.pid, resource.RLIMIT_AS, (int(size) * 1024, resource.RLIM_INFINITY))
    for _ in range(3):
        world.proxy.reset()
        time.sleep(1)
    if quoter.running:
        quoter.signal(signal.SIGTERM)
    quoter.wait(30)
    emptied(world, COD_S + 2)
