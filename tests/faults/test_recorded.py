"""O7: one recorded run with everything that happens to a session; it replays to the same bytes, a flipped one is found.

``RECORDED_RUN_S`` is its length in seconds: 40 unless told, 600 for the run that docs/operations.md speaks of.
"""

import json
import os
import shutil
import time
from pathlib import Path

from feed.journal import Journal, Kind
from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import Quoter, quoting, said

SECONDS = float(os.environ.get("RECORDED_RUN_S", "40"))
AGAIN_S = 20.0


def positions(world: World) -> list[float]:
    """Positions of every client."""
    return list(
        world.venue.call(
            lambda exchange: [exchange.position(account, "BTC-PERPETUAL") for account in exchange.accounts]
        )
    )


@row(slow=["O7-recorded-run"])
def test_a_recorded_run_replays_and_one_flipped_byte_is_located(world: World, row: str) -> None:
    started = time.monotonic()
    directory = world.directory / "journal"
    quoter = world.quoting("--journal", str(directory), journal__segment_bytes="1000000000")
    connections = world.venue.connections()
    world.proxy.reset()
    quoting(world.venue, AGAIN_S, connections)
    said(quoter, "set", "trading_strategy.avellaneda.min_spread_bps=3", "risk.max_position_usd=30000")
    said(quoter, "set", "market.label=other", status=2)
    said(quoter, "halt", "--network", "local")
    wait_until(lambda: not world.venue.orders(), 5, "no order")
    said(quoter, "resume", "--network", "local", "--account", "local")
    quoting(world.venue, AGAIN_S)
    connections = world.venue.connections()
    world.venue.call(lambda exchange: exchange.announce_close(exchange.now_ns, 5_000_000_000))
    wait_until(lambda: world.venue.connections() > connections, 10, "a new connection")
    quoting(world.venue, AGAIN_S, connections)
    wait_until(lambda: any(positions(world)), 90, "a fill")
    time.sleep(max(0.0, SECONDS - (time.monotonic() - started)))
    report = quoter.stop()
    assert report["fills"] > 0
    assert report["connections"] >= 3
    assert report["config"]["version"] == 1
    run = Path(report["journal"]["directory"])
    verified = json.loads(said(quoter, "replay", str(run), "--verify", "--json"))
    assert verified["identical"]
    assert verified["ended"] == "stopped"
    assert verified["records"] == report["journal"]["records"]
    records = list(Journal(run).records())
    assert [record.kind for record in records].count(Kind.CONFIG) == 1
    assert any(b"private/cancel" in record.data for record in records if record.kind is Kind.OUTPUT)
    print(json.dumps({name: verified[name] for name in ("records", "inputs", "outputs", "replayed_sha256")}))
    print(json.dumps({name: report[name] for name in ("seconds", "fills", "connections", "quotes_sent")}))
    for share in (0.1, 0.5, 0.9):
        located(quoter, run, world.directory / f"copy-{share}", share)


def located(quoter: Quoter, run: Path, copy: Path, share: float) -> None:
    """One bit of a copy of the journal is another: the file, the record and the place are named, none too late."""
    shutil.copytree(run, copy)
    (path,) = copy.glob("*.journal")
    content = bytearray(path.read_bytes())
    place = int(len(content) * share)
    content[place] ^= 1
    path.write_bytes(content)
    answer = json.loads(said(quoter, "replay", str(copy), "--verify", "--json", status=1))
    assert answer["file"] == str(path)
    assert answer["offset"] <= place < answer["offset"] + 2**20
    record = next(record for record in Journal(run).records() if record.sequence == answer["record"])
    assert place < answer["offset"] + 32 + len(record.data)
    said(quoter, "replay", str(copy), "--until", str(answer["record"] - 1))
