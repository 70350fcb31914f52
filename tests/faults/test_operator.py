"""O rows of the fault catalogue: the operator stops at the worst moment."""

import json
import os
import signal
import subprocess
import sys
import time
from random import Random

from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import PERP
from tests.shared import ROOT

AGAIN_S = 20.0


@row("O4-stop-while-reconnecting")
def test_a_stop_while_reconnecting_connects_only_to_prove_that_nothing_is_left(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    world.proxy.refusing = True
    world.proxy.reset()
    wait_until(lambda: world.proxy.connections > 2, 10, "attempts")
    stopped = time.monotonic()
    quoter.signal(signal.SIGTERM)
    time.sleep(0.5)
    world.proxy.heal()
    status, out, err = quoter.wait()
    assert status == 0, err + out
    assert json.loads(out)["orders_left"] == 0
    assert world.venue.connections() > before, "it has looked"
    assert world.venue.sent(stopped) == []
    assert world.venue.orders() == []


@row(slow=["O4-stop-while-the-venue-is-away"])
def test_a_stop_without_a_venue_ends_in_time_and_says_that_orders_may_be_left(world: World, row: str) -> None:
    quoter = world.quoting(connection__stop_timeout="2")
    world.proxy.refusing = True
    world.proxy.up.dropped = world.proxy.down.dropped = True
    quoter.signal(signal.SIGTERM)
    status, out, _ = quoter.wait(10)
    assert status == 1
    assert json.loads(out)["orders_left"] != 0


@row(slow=["O4-stop-at-20-moments-of-the-start"])
def test_a_stop_at_any_moment_of_the_start_leaves_nothing(world: World, row: str) -> None:
    random = Random(4)
    for _ in range(20):
        quoter = world.start()
        time.sleep(random.uniform(0.2, 1.6))
        quoter.signal(signal.SIGTERM)
        status, _, err = quoter.wait()
        assert status in (0, 130, 3), err
        assert "Traceback" not in err
        wait_until(lambda: not world.venue.orders(), 1, "no order left")


@row(slow=["O4-halt-command-while-reconnecting"])
def test_a_halt_while_reconnecting_is_latched_and_nothing_is_sent_again(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    world.proxy.refusing = True
    world.proxy.reset()
    wait_until(lambda: world.proxy.connections > 2, 10, "attempts")
    halted = time.monotonic()
    command = [sys.executable, "-m", "engine.cli.main", "halt", "--network", "local", "--json", "--timeout", "20"]
    halt = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"XDG_STATE_HOME": str(quoter.state)}
    )
    time.sleep(2)
    world.proxy.heal()
    out, _ = halt.communicate(timeout=40)
    told = json.loads(out)["quoters"]
    assert [answer["mode"] for answer in told] == ["HALTED"]
    wait_until(lambda: world.venue.connections() > before, AGAIN_S, "a new connection")
    time.sleep(3)
    assert quoter.running
    assert world.venue.sent(halted) == []
    assert world.venue.orders() == []


@row("O5-resume-while-the-cause-persists")
def test_a_resume_is_refused_with_the_rule_that_fails(world: World, row: str) -> None:
    """The cause: an order of ours is told at a price that cannot be."""
    quoter = world.quoting()
    odd = {"order_id": "00000000000000AA", "order_type": "limit", "time_in_force": "good_till_cancelled"}
    odd |= {"instrument_name": PERP, "direction": "buy", "price": 59_000.25, "amount": 0.1, "filled_amount": 0}
    odd |= {"remaining_amount": 0.1, "label": "as", "status": "open", "fills": [], "change_reason": "insert"}
    odd |= {"insert_reason": "client_request", "create_time": 1.0, "persistent": False}
    text = json.dumps({"channel_name": "session.orders", "notification": [odd]}).encode()
    world.venue.call(lambda exchange: [connection.send(text) for connection in exchange.connections.values()])
    wait_until(lambda: not world.venue.orders(), 5, "no order")
    halted = time.monotonic()
    command = [sys.executable, "-m", "engine.cli.main", "resume", "--network", "local", "--account", "local", "--json"]
    environment = os.environ | {"XDG_STATE_HOME": str(quoter.state)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "off the grid" in json.loads(done.stdout)["error"]
    time.sleep(1)
    assert quoter.running
    assert world.venue.sent(halted) == []
    quoter.signal(signal.SIGTERM)
    status, out, _ = quoter.wait()
    report = json.loads(out)
    assert (status, report["mode"], report["orders_left"]) == (1, "HALTED", 0)
