"""D rows of the fault catalogue: the disk of the log is full, or is not there."""

import resource
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import quoting

AGAIN_S = 20.0


@row("D1-log-disk-full")
def test_a_full_disk_under_the_log_stops_neither_quoting_nor_the_stop(world: World, row: str) -> None:
    quoter = world.quoting()
    size = quoter.log.stat().st_size
    resource.prlimit(quoter.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    before = world.venue.connections()
    world.proxy.reset()  # worth several lines
    quoting(world.venue, AGAIN_S, before)
    time.sleep(1)
    quoter.signal(signal.SIGTERM)
    status, out, err = quoter.wait()
    assert status == 0, err + out
    assert "Traceback" not in err
    assert err.count("the log cannot be written") == 1
    assert world.venue.orders() == []


@row(slow=["D7-no-directory-for-the-log"])
def test_a_log_that_cannot_be_written_is_refused_at_the_start(world: World, row: str) -> None:
    quoter = world.start("--log", "/no/such/directory/quoter.log")
    status, out, err = quoter.wait()
    assert status == 2
    assert "/no/such/directory" in out + err
    assert world.venue.connections() == 0


if not hasattr(resource, "prlimit"):
    pytestmark = pytest.mark.skip(reason="limits of another process need Linux")


@row(slow=["D1-journal-disk-full"])
def test_a_journal_that_cannot_be_written_ends_the_run_with_no_order_left(world: World, row: str) -> None:
    quoter = world.quoting("--journal", str(world.directory / "journal"), journal__segment_bytes="100000")
    children = Path(f"/proc/{quoter.process.pid}/task/{quoter.process.pid}/children").read_text().split()
    for child in children:
        resource.prlimit(int(child), resource.RLIMIT_FSIZE, (4096, 4096))
    status, out, err = quoter.wait()
    assert status == 1, err + out
    assert "journal" in out + err
    assert world.venue.orders() == []


@row(slow=["D7-journal-read-only"])
def test_a_journal_that_was_asked_for_and_has_no_place_is_refused_at_the_start(world: World, row: str) -> None:
    (world.directory / "file").write_text("")
    quoter = world.start("--journal", str(world.directory / "file" / "journal"))
    status, out, err = quoter.wait()
    assert status == 2, err + out
    assert world.venue.connections() == 0
