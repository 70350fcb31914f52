"""D rows of the fault catalogue: the disk of the log is full, or is not there."""

import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engine.journal.replay import replay
from tests.faults.background import wait_until
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


FAILING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failed_file = -1;

static int named(int file, const char *end) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return size > (ssize_t)strlen(end) && strcmp(path + size - strlen(end), end) == 0;
}

static int fails(int file, const char *call) {
    const char *when = getenv("FAIL_WHEN"), *what = getenv("FAIL_CALL");
    if (!when || !what || access(when, F_OK) != 0 || !named(file, ".journal")) return 0;
    if (file == failed_file) {              /* a second try on what has failed: told to the test */
        FILE *again = fopen(getenv("FAIL_AGAIN"), "a");
        fprintf(again, "%s\n", call);
        fclose(again);
    }
    if (strcmp(what, call) != 0 || failed_file >= 0) return 0;
    failed_file = file;
    errno = EIO;
    return 1;
}

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    return fails(file, "write") ? -1 : real(file, data, size);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    return fails(file, "fsync") ? -1 : real(file);
}
"""
"""Once the file ``FAIL_WHEN`` is there, the first ``FAIL_CALL`` on a journal's segment fails with EIO, and no other."""


@row(slow=["D2-one-write-fails", "D3-one-fsync-fails"])
def test_a_single_error_of_the_disk_ends_the_run_with_no_order_left_and_is_not_tried_again(
    world: World, row: str
) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source, library = world.directory / "failing.c", world.directory / "failing.so"
    source.write_text(FAILING)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    when, again = world.directory / "now", world.directory / "again"
    quoter = world.quoting(
        *("--journal", str(world.directory / "journal")),
        environment={
            "LD_PRELOAD": str(library),
            "FAIL_WHEN": str(when),
            "FAIL_CALL": row.split("-")[1].removesuffix("s"),
            "FAIL_AGAIN": str(again),
        },
    )
    segments = (world.directory / "journal").glob
    wait_until(lambda: any(path.stat().st_size > 10_000 for path in segments("*/*.journal")), 20, "records on the disk")
    when.touch()
    status, out, err = quoter.wait(20)
    assert status == 1, err + out
    assert os.strerror(5) in out + err
    assert world.venue.orders() == []
    assert not again.exists(), again.read_text()
    (run,) = (world.directory / "journal").iterdir()
    assert replay(run).identical, "what was written before is whole"
