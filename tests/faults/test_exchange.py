"""E rows of the fault catalogue: what the venue can do to a real quoter."""

import json
import re
import time
from pathlib import Path

import orjson

from feed.exchange.errors import Code
from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.proxy import Proxy
from tests.faults.rows import row
from tests.faults.venue import COD_S, PERP, SENDING, quoting, said

AGAIN_S = 15.0
LEVELS = 3
MASS_QUOTE = "private/mass_quote"


def sides(world: World) -> tuple[int, int]:
    """Open bids and asks."""
    orders = world.venue.orders()
    return sum(order.buy for order in orders), sum(not order.buy for order in orders)


@row("E1-mass-quote-unanswered", slow=["E1-inserts-unanswered"])
def test_a_lost_reply_never_doubles_an_order(world: World, row: str) -> None:
    quoter = world.quoting("--mode", "orders" if "inserts" in row else "mass_quote")
    world.venue.exchange.swallowed |= SENDING
    lost = world.venue.exchange.lost_replies
    ended, most = time.monotonic() + 4, (0, 0)
    while time.monotonic() < ended:
        most = max(most, sides(world))
        assert max(sides(world)) <= LEVELS
        time.sleep(0.05)
    assert world.venue.exchange.lost_replies > lost
    world.venue.call(lambda exchange: exchange.swallowed.clear())
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    report = quoter.stop()
    assert report["orders_left"] == 0
    assert report["orders_believed"] == 0


@row(slow=["E2-replies-later-than-the-timeout"])
def test_a_reply_after_its_timeout_is_applied_once(world: World, row: str) -> None:
    quoter = world.quoting(connection__cancel_on_disconnect="40", connection__heartbeat_interval="20")
    world.proxy.down.delay_s = 2.5  # the timeout is 1.5 s
    time.sleep(6)
    world.proxy.heal()
    quoting(world.venue, AGAIN_S)
    assert max(sides(world)) <= LEVELS
    assert quoter.stop()["orders_left"] == 0


@row(slow=["E14-failover"])
def test_after_a_failover_the_quoter_arms_protection_and_quotes_again(world: World, row: str) -> None:
    quoter = world.quoting()
    before = {order.id for order in world.venue.orders()}
    started = time.monotonic()
    world.venue.call(lambda exchange: exchange.failover(exchange.now_ns))
    wait_until(lambda: {order.id for order in world.venue.orders()} - before, AGAIN_S, "new quotes")
    methods = [asked.method for asked in world.venue.asked(started)]
    assert "private/set_mm_protection" in methods or "public/login" in methods
    assert methods.count(MASS_QUOTE) < 12, "quotes without protection, again and again"
    assert quoter.stop()["mode"] == "ACTIVE"


@row(slow=["E15-throttled"])
def test_refusals_by_rate_are_not_answered_with_more_requests(world: World, row: str) -> None:
    quoter = world.quoting()
    world.venue.exchange.refused[MASS_QUOTE] = (Code.THROTTLE_EXCEEDED, "throttle exceeded")
    started = time.monotonic()
    time.sleep(3)
    refused = [asked for asked in world.venue.sent(started) if asked.method == MASS_QUOTE]
    assert 1 <= len(refused) <= 20, f"{len(refused)} requests in 3 s after a throttle"
    world.venue.exchange.refused.clear()
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    assert quoter.stop()["orders_left"] == 0


@row("E16-cancel-on-disconnect-refused", slow=["E16-cancel-on-disconnect-unanswered"])
def test_without_cancel_on_disconnect_nothing_is_sent(world: World, row: str) -> None:
    method = "private/set_cancel_on_disconnect"
    exchange = world.venue.exchange
    if row.endswith("refused"):
        exchange.refused[method] = (Code.INVALID_REQUEST, "not today")
    else:
        exchange.swallowed.add(method)
    quoter = world.start()
    wait_until(lambda: world.venue.connections() >= 2 or not quoter.running, 30, "a new attempt, or an end")
    assert world.venue.sent(0) == []
    if quoter.running:
        world.venue.call(lambda exchange: (exchange.refused.clear(), exchange.swallowed.clear()))
        quoting(world.venue, AGAIN_S)
        assert quoter.stop()["orders_left"] == 0
    else:
        status, out, err = quoter.wait()
        assert status == 2
        assert "set_cancel_on_disconnect" in out + err


@row(slow=["E17-tick-changes", "E17-instrument-expires"])
def test_an_instrument_that_changes_is_quoted_anew_or_not_at_all(world: World, row: str) -> None:
    future = next(name for name in world.venue.exchange.listings if name != PERP and name.startswith("BTC"))
    quoter = world.quoting("--instruments", f"{PERP},{future}")
    changed = PERP if row == "tick-changes" else future
    before = {order.id for order in world.venue.orders()}
    if row == "tick-changes":
        world.venue.call(lambda exchange: exchange.refine_tick(PERP, 10))
        wait_until(
            lambda: any(order.listing.name == PERP and order.id not in before for order in world.venue.orders()),
            AGAIN_S,
            "quotes on the new tick",
        )
        wait_until(lambda: any(order.price % 10 for order in world.venue.orders()), AGAIN_S, "prices in between")
    else:
        world.venue.call(lambda exchange: exchange.expire(future))
        time.sleep(1)
        asked = time.monotonic()
        time.sleep(2)
        names = [entry["i"] for sent in world.venue.sent(asked) for entry in sent.params["quotes"]]
        assert future not in names
        quoting(world.venue, AGAIN_S)
    report = quoter.stop()
    assert report["connections"] == 1
    assert report["counters"]["venue_errors"] <= 2, "more than what was on its way"
    expected = "quoting" if row == "tick-changes" else "not listed any more"
    assert report["instruments"][changed]["why"] in (expected, "mode", "not ready")


PRELUDE = ["public/login", "public/system_info", "private/set_cancel_on_disconnect", "private/cancel_session"]


@row(slow=["E18-announced-close"])
def test_an_announced_close_is_followed_on_a_connection_opened_before(world: World, row: str) -> None:
    """The next connection is logged in first, then the old one is emptied, then the next one is set up and quoted on.

    Printed: the time without quotes, from the old connection's cancel to the next one's first quote.
    """
    quoter = world.quoting(connection__retry_delay="20")
    without_ms = []
    for _ in range(3):
        old = world.venue.connections()
        announced = time.monotonic()
        world.venue.call(lambda exchange: exchange.announce_close(exchange.now_ns, 5_000_000_000))
        quoting(world.venue, 4, old)
        asked = world.venue.asked(announced)
        cancel = next(i for i, one in enumerate(asked) if one.connection == old and one.method == PRELUDE[-1])
        assert [one.method for one in asked[:cancel] if one.connection > old] == PRELUDE
        assert not any(one.method in SENDING for one in asked[cancel:] if one.connection == old)
        assert [one.method for one in asked[cancel + 1 :] if one.connection == old] == ["private/open_orders"]
        later = [one for one in asked[cancel:] if one.connection > old]
        assert not {one.method for one in later} & {*PRELUDE}, "no step is repeated"
        first = next(one for one in later if one.method in SENDING)
        without_ms.append((first.at_s - asked[cancel].at_s) * 1e3)
        assert world.venue.connections() == old + 1
        time.sleep(1)
    print(f"without quotes: {', '.join(f'{ms:.0f}' for ms in without_ms)} ms")
    closed = [event for event in quoter.events() if event["event"] == "the last connection is closed"]
    assert len(closed) == 3
    report = quoter.stop()
    assert (report["orders_left"], report["connections"]) == (0, 4)
    assert json.loads(said(quoter, "replay", report["journal"]["directory"], "--verify", "--json"))["identical"]


@row(slow=["E18-nobody-answers-a-second-connection", "E18-second-login-refused"])
def test_without_a_second_connection_the_old_one_is_quoted_on_until_it_ends(world: World, row: str) -> None:
    quoter = world.quoting(connection__retry_delay="20")
    old = world.venue.connections()
    if row.startswith("nobody"):
        world.proxy.refusing = True
    else:
        world.venue.exchange.refused["public/login"] = (Code.CONNECTION_LIMIT, "one is enough")
    announced = time.monotonic()
    world.venue.call(lambda exchange: exchange.announce_close(exchange.now_ns, 4_000_000_000))
    time.sleep(3)
    assert world.venue.order_connections() == {old}
    assert world.venue.sent(announced + 1), "quoted on, not only left standing"
    assert "private/open_orders" not in [one.method for one in world.venue.asked(announced)]
    world.proxy.heal()
    world.venue.call(lambda exchange: exchange.refused.clear())
    quoting(world.venue, 10, old)
    assert quoter.stop()["orders_left"] == 0


HELD_S = 4


@row("O6-everything-cancelled-in-the-web-interface", slow=["E20-orders-taken-by-a-person"])
def test_orders_cancelled_by_someone_else_come_back_only_after_a_while(world: World, row: str) -> None:
    """Nothing is quoted for as long from the first cancel on, however often it is repeated, and the log says why."""
    reason = "client_bulk_cancel" if row.startswith("everything") else "client_cancel"
    quoter = world.quoting(risk__foreign_cancel_seconds=str(HELD_S))

    def cancel_all(exchange: object) -> None:
        for account in world.venue.exchange.accounts.values():
            world.venue.exchange.execution.cancel_all(list(account.orders.values()), reason)

    cancelled = time.monotonic()
    for _ in range(5):
        world.venue.call(cancel_all)
        time.sleep(0.2)
    time.sleep(HELD_S - 2)
    entries = [entry for asked in world.venue.sent(cancelled + 0.2) for entry in asked.params["quotes"]]
    assert not [entry for entry in entries if entry.get("b") or entry.get("a")]
    assert not world.venue.orders()
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    report = quoter.stop()
    assert (report["connections"], report["mode"], report["orders_left"]) == (1, "ACTIVE", 0)
    assert "somebody else cancelled" in quoter.log.read_text()


def denying(message: bytes) -> bytes:
    """A query of open orders that is behind: it tells of none."""
    if b'"result":[{"order_id"' in message:
        return orjson.dumps({"id": orjson.loads(message)["id"], "result": []})
    return message


@row("E23-leftovers-of-a-killed-run", slow=["E24-leftovers-denied-by-the-query"])
def test_no_quote_before_the_orders_of_an_earlier_run_are_gone(world: World, row: str) -> None:
    """The first run's connection is half open, so that only the dead-man's timer takes its orders out."""
    patience_s = COD_S
    if "denied" in row:
        # The second run has asked long before the first one's orders go.
        world.venue.exchange.filter, patience_s = denying, 8
    killed = world.quoting(connection__cancel_on_disconnect=str(patience_s))
    before = world.venue.connections()
    world.proxy.up.dropped = world.proxy.down.dropped = True
    killed.close()
    assert world.venue.orders(), "the venue does not know yet"
    # A way of its own: through the old one the venue would learn of the first run's end.
    world.proxy = Proxy(world.background, world.venue.port)
    world.stack.callback(world.proxy.close)
    quoter = world.start()
    wait_until(lambda: world.venue.connections() > before, 20, "the second run")
    quoting(world.venue, AGAIN_S + patience_s, before)
    assert world.venue.order_connections() == {world.venue.connections()}
    assert quoter.stop()["orders_left"] == 0


@row(slow=["E27-book-sides-vanish"])
def test_a_book_without_a_side_is_not_quoted_on(world: World, row: str) -> None:
    quoter = world.quoting()

    def emptied(exchange: object) -> None:
        real = world.venue.exchange
        for order_id, (listing, order) in list(real.execution.crowd_orders.items()):
            if listing.name == PERP and order.buy:
                real.reduce(order_id, 0)

    for _ in range(20):
        world.venue.call(emptied)
        time.sleep(0.1)
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    assert quoter.stop()["mode"] == "ACTIVE"


@row(slow=["E28-lost-book-change"])
def test_a_lost_book_change_pulls_the_quotes_until_a_new_snapshot(world: World, row: str) -> None:
    quoter = world.quoting()
    lost = 0

    def losing(message: bytes) -> bytes | None:
        nonlocal lost
        if b'"channel_name":"book' in message and lost < 3:
            lost += 1
            return None
        return message

    world.venue.exchange.filter = losing
    wait_until(lambda: lost == 3, 10, "changes were lost")
    time.sleep(2)
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    report = quoter.stop()
    assert report["counters"]["resyncs"] + report["connections"] - 1 > 0


def told(world: World, *messages: bytes) -> None:
    """Send messages to every connection, in one go."""
    world.venue.call(lambda exchange: [c.send(m) for c in exchange.connections.values() for m in messages])


@row(slow=["E13-protection-reset-silently"])
def test_protection_that_is_gone_unsaid_is_armed_again_and_not_tried_around(world: World, row: str) -> None:
    quoter = world.quoting()
    reset = time.monotonic()
    world.venue.call(lambda exchange: [connection.groups.clear() for connection in exchange.connections.values()])

    def asked(method: str) -> list[float]:
        return [asked.at_s for asked in world.venue.asked(reset) if asked.method == method]

    wait_until(lambda: asked("private/set_mm_protection"), AGAIN_S, "protection armed again")
    armed = asked("private/set_mm_protection")[0]
    assert len([at_s for at_s in asked(MASS_QUOTE) if at_s < armed]) <= 4, "quotes without protection, again and again"
    wait_until(lambda: any(at_s > armed for at_s in asked(MASS_QUOTE)), AGAIN_S, "quotes sent again")
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    report = quoter.stop()
    assert (report["connections"], report["mode"], report["orders_left"]) == (1, "ACTIVE", 0)


@row(slow=["E24-live-orders-not-found"])
def test_an_order_that_is_not_found_stays_counted_until_that_is_proven(world: World, row: str) -> None:
    """For 0.8 s the venue says of orders that are there that it knows none; each answer alone is no proof.

    What it is asked for meanwhile stays within the limit with all of them there: the exchange judges every request.
    """
    quoter = world.quoting("--mode", "orders")
    exchange, started = world.venue.exchange, time.monotonic()
    missing = ("private/amend", "private/cancel")
    exchange.refused |= dict.fromkeys(missing, (Code.ORDER_NOT_FOUND, "order not found"))

    def asked() -> int:
        return len([asked for asked in world.venue.asked(started) if asked.method in missing])

    wait_until(asked, AGAIN_S, "a change of an order")
    time.sleep(0.8)
    count = asked()
    exchange.refused.clear()
    assert count <= 40, f"{count} changes asked for in 0.8 s"
    quoting(world.venue, AGAIN_S)
    wait_until(lambda: max(sides(world)) <= LEVELS, AGAIN_S, "what was doubted is gone")
    report = quoter.stop()
    assert (report["orders_left"], report["orders_believed"], world.venue.orders()) == (0, 0, [])


@row("E29-old-snapshot-mid-stream")
def test_an_old_snapshot_is_not_quoted_on(world: World, row: str) -> None:
    """All its prices are a tenth lower, and its time is an hour ago: the book is asked for anew."""
    snapshots: list[bytes] = []

    def keeping(message: bytes) -> bytes:
        if message.startswith(b'{"channel_name":"book.BTC-PERPETUAL') and b'"snapshot":true' in message:
            snapshots.append(message)
        return message

    world.venue.exchange.filter = keeping
    quoter = world.quoting()
    old = orjson.loads(snapshots[0])
    book = old["notification"]
    book["time"] -= 3600
    for side in ("bid_changes", "ask_changes"):
        for level in book[side]:
            level[0] = level[0] * 9 // 10
    count, sent = len(snapshots), time.monotonic()
    told(world, orjson.dumps(old))
    wait_until(lambda: len(snapshots) > count, AGAIN_S, "another snapshot was asked for")
    time.sleep(1)
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    index = world.venue.exchange.listings[PERP].underlying.index_e8 / 1e8
    prices = [
        level[0]
        for asked in world.venue.sent(sent)
        for entry in asked.params["quotes"]
        for level in (*entry.get("b", ()), *entry.get("a", ()))
    ]
    assert prices
    assert min(prices) > 0.98 * index
    report = quoter.stop()
    assert report["counters"]["resyncs"] == 1
    assert (report["connections"], report["mode"]) == (1, "ACTIVE")


STORM_PER_S = 10_000
STORM_S = 3.0
BURST_S = 0.01


@row(slow=["E30-ten-thousand-levels-a-second"])
def test_a_storm_of_level_changes_is_read_to_the_end_and_costs_no_memory(world: World, row: str) -> None:
    """A far level comes and goes; sent together, both leave every book as it was."""
    last: list[bytes] = []

    def keeping(message: bytes) -> bytes:
        if message.startswith(b'{"channel_name":"book.BTC-PERPETUAL'):
            last[:] = [message]
        return message

    quoter = world.quoting()
    world.venue.exchange.filter = keeping
    wait_until(lambda: last, 5, "a book")
    pairs = int(STORM_PER_S * BURST_S) // 2

    def burst(exchange: object) -> int:
        exchange_ = world.venue.exchange
        book = orjson.loads(last[0])["notification"]
        exchange_.filter = lambda message: message
        for sign in (1, 0) * pairs:
            change = {"trades": [], "bid_changes": [[100, sign, sign]]}
            change |= {"total_bid_amount": round(book["total_bid_amount"] + sign, 3)}
            change |= {"total_ask_amount": book["total_ask_amount"], "time": book["time"]}
            text = orjson.dumps({"channel_name": "book.BTC-PERPETUAL.none.all.raw", "notification": change})
            for connection in exchange_.connections.values():
                connection.send(text)
        exchange_.filter = keeping
        return 2 * pairs

    before, memory = len(world.venue.asked()), resident_bytes(quoter.process.pid)
    sent, started = 0, time.monotonic()
    while (now := time.monotonic()) < started + STORM_S:
        if sent < (now - started) * STORM_PER_S:
            sent += world.venue.call(burst)
        else:
            time.sleep(0.001)
    assert sent >= 0.2 * STORM_S * STORM_PER_S, "not much of a storm on this machine"
    assert len(world.venue.asked()) - before < 50 * (STORM_S + 5), "requests as usual"
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    assert resident_bytes(quoter.process.pid) - memory < 16 << 20
    report = quoter.stop()
    assert (report["connections"], report["mode"], report["orders_left"]) == (1, "ACTIVE", 0)
    assert report["counters"]["resyncs"] == 0
    assert report["messages_received"] > sent


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    (found,) = re.findall(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found) * 1024


@row("E31-few-answers-to-nobody", slow=["E31-many-answers-to-nobody"])
def test_answers_to_nobody_change_nothing_and_many_end_the_connection(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    order = b'{"id":%d,"result":{"order_id":"0000000000000001","status":"open"}}'
    refusal = b'{"id":%d,"error":{"code":4,"message":"throttle exceeded"}}'
    many = row.startswith("many")
    for number in range(40 if many else 20):
        told(world, order % (2_000_000_000 + number), refusal % (900_000_000 + number))
    if many:
        wait_until(lambda: world.venue.connections() > before, AGAIN_S, "a new connection")
        quoting(world.venue, AGAIN_S, before)
    time.sleep(0.5)
    report = quoter.stop()
    assert report["connections"] == (2 if many else 1)
    assert report["orders_left"] == 0
    if many:
        assert "never sent" in quoter.log.read_text()
    else:
        assert report["counters"]["unknown_replies"] == 20
        assert report["outbox"]["throttles"] == 0
