"""E rows of the fault catalogue: what the venue can do to a real quoter."""

import time

from feed.exchange.errors import Code
from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import COD_S, PERP, SENDING, quoting

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


@row(slow=["E18-announced-close"])
def test_an_announced_close_is_followed_before_it_comes(world: World, row: str) -> None:
    """At once, without the pause that a lost connection is given; the time without quotes is printed."""
    quoter = world.quoting(connection__retry_delay="20")
    before = world.venue.connections()
    announced = time.monotonic()
    world.venue.call(lambda exchange: exchange.announce_close(exchange.now_ns, 5_000_000_000))
    wait_until(lambda: world.venue.connections() > before, 4, "a new connection before the old one is closed")
    quoting(world.venue, 4, before)
    first = next(asked.at_s for asked in world.venue.sent(announced) if asked.connection > before)
    print(f"{(first - announced) * 1e3:.0f} ms from the announcement to the first quote on the new connection")
    assert quoter.stop()["orders_left"] == 0


@row(slow=["E20-orders-taken-by-a-person"])
def test_orders_removed_by_someone_else_come_back_without_a_war(world: World, row: str) -> None:
    quoter = world.quoting()

    def cancel_all(exchange: object) -> None:
        for account in world.venue.exchange.accounts.values():
            world.venue.exchange.execution.cancel_all(list(account.orders.values()), "client_cancel")

    started = time.monotonic()
    for _ in range(5):
        world.venue.call(cancel_all)
        time.sleep(0.2)
    assert len(world.venue.sent(started)) <= 40
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    assert quoter.stop()["orders_left"] == 0


@row("E23-leftovers-of-a-killed-run")
def test_no_quote_before_the_orders_of_an_earlier_run_are_gone(world: World, row: str) -> None:
    """The first run's connection is half open, so that only the dead-man's timer takes its orders out."""
    killed = world.quoting()
    before = world.venue.connections()
    world.proxy.up.dropped = world.proxy.down.dropped = True
    killed.close()
    assert world.venue.orders(), "the venue does not know yet"
    world.proxy.heal()
    quoter = world.start()
    wait_until(lambda: world.venue.connections() > before, 20, "the second run")
    quoting(world.venue, AGAIN_S + COD_S, before)
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
