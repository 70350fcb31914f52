"""Exchange, proxy and quoter for each test, gone with it; the verdict of every row at the end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from feed.exchange.options import Options
from tests.faults.background import Background
from tests.faults.proxy import Proxy
from tests.faults.venue import Quoter, Venue, quoting

START_S_MAX = 90.0
"""The first start of a build compiles its kernels."""


@dataclass
class World:
    """One exchange, one proxy in front of it, and the quoters started on it."""

    directory: Path
    background: Background
    venue: Venue
    proxy: Proxy
    stack: ExitStack

    def start(self, *arguments: str, **options: Any) -> Quoter:
        """A quoter that is starting; ``options`` as of ``Quoter``."""
        quoter = Quoter(self.directory, self.proxy.port, *arguments, **options)
        self.stack.callback(quoter.close)
        return quoter

    def quoting(self, *arguments: str, **options: Any) -> Quoter:
        """A quoter that has quotes in the market."""
        before = self.venue.connections()
        quoter = self.start(*arguments, **options)
        quoting(self.venue, START_S_MAX, before)
        return quoter


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds with switches of the exchange; afterwards, nothing that went wrong in them goes unsaid."""
    with ExitStack() as stack:
        worlds = []

        def made(tls_host: str = "", **switches: Any) -> World:
            background = stack.enter_context(Background())
            venue = Venue(background, Options(**switches), tls_host)
            stack.callback(venue.close)
            proxy = Proxy(background, venue.port)
            stack.callback(proxy.close)
            worlds.append(World(tmp_path, background, venue, proxy, stack))
            return worlds[-1]

        yield made
        breaches = [breach for world in worlds for breach in world.venue.exchange.breaches]
    assert not breaches, breaches[:5]


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world with the exchange as it is by default."""
    return make_world()


_verdicts: list[tuple[str, str, float]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember the verdict of a row."""
    if "tests/faults/" not in report.nodeid or "[" not in report.nodeid:
        return
    if report.when == "call" or report.outcome != "passed":
        _verdicts.append((report.nodeid.partition("[")[2].rstrip("]"), report.outcome, report.duration))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a row."""
    for name, verdict, seconds in _verdicts:
        terminalreporter.write_line(f"{verdict.upper():8} {name:50} {seconds:6.1f} s")
