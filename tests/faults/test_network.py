"""N rows of the fault catalogue: what the network can do between a real quoter and a real exchange."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import COD_S, quoting

AGAIN_S = 15.0
"""Quoting again after one fault, on a busy machine; the pause before the second connection is below 0.1 s."""


def gone(world: World, connection: int, seconds: float) -> float:
    """Wait until that connection owns no order any more."""
    return wait_until(
        lambda: connection not in world.venue.order_connections(), seconds, f"orders of connection {connection} gone"
    )


def requoted(world: World, connection: int) -> None:
    """The orders of that connection are gone, a later one quotes; no two connections had orders at the same time."""
    gone(world, connection, COD_S + 3)
    quoting(world.venue, AGAIN_S, connection)
    assert world.venue.order_connections() == {world.venue.connections()}


@row("N1-rst-while-quoting")
def test_a_reset_connection_is_replaced_and_the_venue_holds_no_order_in_between(world: World, row: str) -> None:
    quoter = world.quoting()
    for _ in range(3):
        before = world.venue.connections()
        assert world.proxy.reset() == 1
        gone(world, before, 1.0)
        requoted(world, before)
    assert quoter.stop()["orders_left"] == 0
    assert world.venue.orders() == []


@row(slow=["N2-close-1000", "N2-close-1001", "N2-close-1012", "N2-close-1013"])
def test_an_orderly_close_is_followed_by_a_new_set_up(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    code = int(row.removeprefix("close-"))
    world.venue.call(
        lambda exchange: [c.end(exchange.now_ns, code, "later") for c in list(exchange.connections.values())]
    )
    requoted(world, before)
    report = quoter.stop()
    assert report["connections"] == 2
    assert any(str(code) in str(event) for event in quoter.events())


SILENCES = {
    "peer-vanishes": ("up", "down", "dropped"),
    "nothing-arrives": ("down", "stalled"),
    "our-bytes-never-leave": ("up", "stalled"),
}


@row("N4-nothing-arrives", slow=["N3-peer-vanishes", "N5-our-bytes-never-leave"])
def test_silence_is_noticed_before_the_venue_is_done_waiting_and_nothing_is_sent_into_it(
    world: World, row: str
) -> None:
    world.quoting()
    before, started = world.venue.connections(), time.monotonic()
    *directions, what = SILENCES[row]
    for direction in directions:
        setattr(getattr(world.proxy, direction), what, True)
    noticed = wait_until(lambda: world.proxy.connections > 1, COD_S, "a new attempt")
    world.proxy.heal()
    assert noticed < COD_S
    requoted(world, before)
    if "up" in directions:
        late = [asked for asked in world.venue.sent(started + noticed + 0.2) if asked.connection == before]
        assert late == [], "what was sent into the silence arrives late"


@row("N6-cut-in-a-request-30", slow=[f"N6-cut-in-a-request-{k}" for k in (1, 7, 60, 90, 130, 170, 210, 400)])
def test_a_request_cut_off_anywhere_leaves_no_order_and_no_doubt(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    world.proxy.up.cut_after = int(row.rpartition("-")[2])
    wait_until(lambda: not world.proxy.links or world.venue.connections() > before, 10, "the cut")
    requoted(world, before)
    report = quoter.stop()
    assert (report["connections"], report["orders_left"]) == (2, 0)


@row(slow=["N7-nobody-listens"])
def test_a_closed_port_is_tried_at_growing_intervals_and_changes_no_order(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    world.proxy.refusing = True
    world.proxy.reset()
    attempts = world.proxy.connections
    time.sleep(6)
    # Pauses of at least 0.025 s × 2ⁿ fill 6 s after 8 attempts.
    assert 3 <= world.proxy.connections - attempts <= 9
    assert quoter.running
    world.proxy.heal()
    requoted(world, before)


@row(slow=["N9-retry-after-3-s"])
def test_the_pause_that_a_refused_handshake_asks_for_is_kept(world: World, row: str) -> None:
    requests: list[float] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        requests.append(time.monotonic())
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = world.background.run(asyncio.start_server(refuse, "127.0.0.1", 0))
    real, world.proxy.target = world.proxy.target, server.sockets[0].getsockname()[1]
    quoter = world.start()
    wait_until(lambda: len(requests) == 2, 20, "a second attempt")
    assert requests[1] - requests[0] >= 2.9
    world.proxy.target = real
    quoting(world.venue, AGAIN_S)
    server.close()
    assert quoter.stop()["orders_left"] == 0


@row("N8-tls", slow=["N8-tls-unknown-issuer", "N17-tls-corrupt-byte"])
def test_tls_is_verified_and_finds_every_corrupt_byte(
    make_world: Callable[..., World], tmp_path: Path, row: str
) -> None:
    """The exchange's own certificate is trusted through SSL_CERT_FILE, as an operator would."""
    world = make_world(tls_host="127.0.0.1")
    (tmp_path / "ca.pem").write_text(world.venue.server.certificate_pem)
    trusted = {} if row.endswith("unknown-issuer") else {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    attempts = "2" if row.endswith("unknown-issuer") else "0"
    quoter = world.start(scheme="wss", environment=trusted, connection__max_reconnect_attempts=attempts)
    if row.endswith("unknown-issuer"):
        status, out, err = quoter.wait()
        assert status == 3, err + out
        assert "certificate" in out + err
        assert world.venue.asked() == []
        return
    quoting(world.venue, AGAIN_S)
    if row.endswith("corrupt-byte"):
        before = world.venue.connections()
        world.proxy.down.change = lambda data: data[:-1] + bytes([data[-1] ^ 1])
        wait_until(lambda: world.proxy.connections > 1, 10, "the end of the connection")
        world.proxy.heal()
        requoted(world, before)
    assert quoter.stop()["orders_left"] == 0


LONG = {"connection__cancel_on_disconnect": "40", "connection__heartbeat_interval": "20"}
"""Pings so rare that a stall of 10 s does not end the connection."""


@row(slow=["N10-hold-3-s", "N10-hold-10-s"])
def test_a_backlog_is_applied_but_nothing_is_quoted_on_what_is_old(world: World, row: str) -> None:
    # No request may run out of time either: it is this connection that has to take the backlog in.
    quoter = world.quoting(**LONG, connection__reply_timeout="20")
    hold_s = float(row.split("-")[1])
    world.proxy.down.held = True
    held = time.monotonic()
    wait_until(lambda: not world.venue.orders(), 3.5, "quotes pulled because the data is old")
    time.sleep(max(0.0, held + hold_s - time.monotonic()))
    blind = world.venue.sent(held + 2.0)
    assert all(not asked.params.get("quotes") or pulls(asked.params) for asked in blind), blind
    world.proxy.heal()
    released = time.monotonic()
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    burst = [asked for asked in world.venue.sent(released) if asked.at_s < released + 0.05]
    # One decision a read, and the socket gives the backlog in a read or two.
    assert len(burst) <= 3, "quotes on every step of the backlog"
    report = quoter.stop()
    # Applied in order and whole: a change out of order or left out would have cost a snapshot or the connection.
    assert (report["counters"]["malformed"], report["counters"]["resyncs"], report["connections"]) == (0, 0, 1)


def pulls(params: dict[str, object]) -> bool:
    """Does a mass quote only take quotes out?"""
    quotes = params["quotes"]
    assert isinstance(quotes, list)
    return not any(quote.get("b") or quote.get("a") for quote in quotes)


@row(slow=["N10b-mute-channels"])
def test_a_connection_without_data_never_quotes_and_is_replaced(world: World, row: str) -> None:
    world.venue.exchange.filter = lambda message: None if b'"channel_name":"book' in message else message
    quoter = world.start()
    wait_until(lambda: world.venue.connections() >= 2, 40, "another attempt")
    assert world.venue.sent(0) == []
    world.venue.exchange.filter = lambda message: message
    quoting(world.venue, 40)
    assert quoter.stop()["orders_left"] == 0


@row(slow=["N11-one-byte-at-a-time", "N11-many-frames-in-one-write"])
def test_chunking_changes_nothing(world: World, row: str) -> None:
    if row.startswith("one"):
        world.proxy.down.chunk = world.proxy.up.chunk = 1
    else:
        world.proxy.down.gather_s = 0.15
    quoter = world.quoting(**LONG)
    time.sleep(2)
    report = quoter.stop()
    counters = report["counters"]
    assert (counters["malformed"], counters["resyncs"], report["connections"]) == (0, 0, 1)
    assert report["ticks"] > 10
    world.proxy.close()
    assert world.proxy.largest_write == 1 if row.startswith("one") else world.proxy.largest_write > 2000


@row(slow=["N12-dropped-right-after-login"])
def test_a_venue_that_drops_us_after_login_is_not_hammered(world: World, row: str) -> None:
    quoter = world.quoting()

    def dropping(message: bytes) -> bytes | None:
        if b"account_number" in message:
            world.background.loop.call_soon(world.proxy.reset_here)
        return message

    world.venue.exchange.filter = dropping
    world.proxy.reset()
    before = world.venue.connections()
    time.sleep(5)
    attempts = world.venue.connections() - before
    assert 3 <= attempts <= 9, "pauses of at least 0.025 s × 2ⁿ fill 5 s after 8 attempts"
    assert quoter.running
    world.venue.exchange.filter = lambda message: message
    requoted(world, world.venue.connections())


@row(slow=["N13-old-bytes-after-the-new-connection"])
def test_what_an_old_connection_still_delivers_is_ignored(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    old = next(iter(world.proxy.links))
    world.proxy.down.held = True
    wait_until(lambda: world.proxy.connections > 1, COD_S, "a new attempt")
    world.proxy.heal()
    assert old.proxy is world.proxy
    requoted(world, before)
    counters = quoter.stop()["counters"]
    assert (counters["malformed"], counters["unknown_replies"]) == (0, 0)


@row(slow=["N15-venue-reads-slowly"])
def test_a_slow_reader_gets_no_stale_quotes(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    world.proxy.up.rate = 150.0
    wait_until(lambda: world.proxy.connections > 1, 15, "the connection is given up")
    world.proxy.heal()
    requoted(world, before)
    assert quoter.stop()["outbox"]["overflows"] == 0


@row(slow=["N16-latency-up-to-500-ms"])
def test_long_and_changing_latency_breaks_no_limit(world: World, row: str) -> None:
    quoter = world.quoting(**LONG)
    for conditions in (world.proxy.up, world.proxy.down):
        conditions.delay_s, conditions.jitter_s = 0.001, 0.499
    time.sleep(12)
    assert quoter.running
    world.proxy.heal()
    wait_until(world.venue.orders, AGAIN_S, "quotes in the market")
    report = quoter.stop()
    assert (report["counters"]["malformed"], report["orders_left"]) == (0, 0)


@row("N17-corrupt-byte", slow=[f"N17-corrupt-byte-{seed}" for seed in range(8)])
def test_a_corrupt_byte_costs_the_connection_and_nothing_else(world: World, row: str) -> None:
    quoter = world.quoting()
    before = world.venue.connections()
    seed = int(row.rpartition("-")[2]) if row[-1].isdigit() else 99
    left = 40 * seed

    def corrupt(data: bytes) -> bytes:
        """The top bit of one byte, at a place that the seed chooses."""
        nonlocal left
        left -= len(data)
        if left > 0 or left <= -1_000_000:
            return data
        place = (seed * 7919) % len(data)
        left = -1_000_000
        return data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]

    world.proxy.down.change = corrupt
    requoted(world, before)
    world.proxy.heal()
    report = quoter.stop()
    assert report["orders_left"] == 0
    assert report["mode"] == "ACTIVE"
