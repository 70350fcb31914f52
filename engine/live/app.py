"""The one place where a live quoter is put together: configuration, kernels, exchange, core, connection, operator.

Order of a start: tuning and key are checked, kernels are compiled and compared with published numbers, the local
exchange is started where one is wanted, then the core is built and the connection made. Nothing is sent before all of
it has passed.
"""

import asyncio
import os
import signal
import time
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from logging import Logger
from random import Random
from typing import Any

import uvloop

from engine.cli.exits import FAILED, INTERRUPTED, OK, REFUSED, UNREACHABLE
from engine.config import Loaded
from engine.config_schema import Config
from engine.core.step import Core
from engine.live.alone import AlreadyRunning, alone
from engine.live.beside import Beside
from engine.live.board import PERIOD_S, Board
from engine.live.clock import ahead_ns, now_ns
from engine.live.connector import Connector
from engine.live.control import Control
from engine.live.hangup import Hangup
from engine.live.hardening import address_refusal, environment_refusal, no_dumps
from engine.live.heart import Heart
from engine.live.keys import find_key, supervisor_place
from engine.live.latency import Latency
from engine.live.local_exchange import ExchangeFailed, LocalExchange
from engine.live.log import opened, redacted
from engine.live.loop import Cause, Ending, LiveLoop
from engine.live.memory import MemoryBudget
from engine.live.plan import LivePlan, live_plan
from engine.live.report import run_report
from engine.live.run_journal import RunJournal
from engine.live.run_journal import opened as journal_writer
from engine.live.settings import Configure, RunSettings
from engine.live.start import Start
from engine.live.status import StatusLine, status_line
from engine.live.tuning import Tuning, after_start, before_start
from engine.live.watch import Watch
from engine.plan_builder import core_plan
from feed.auth import Credentials, throwaway_key
from feed.backoff import Backoff, BackoffSettings
from feed.connection import check_address
from feed.venue import Network
from kernels import kept, proof
from kernels.addresses import Addresses
from kernels.cache import CacheWarning

FIRST_LINE_S = 1.0
URLS = {"test": Network.TEST.value, "prod": Network.PROD.value}


class StartRefused(RuntimeError):
    """The run cannot start; nothing was sent."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What ``quoter run`` was told beside the configuration.

    ``exchange``: the local one that was started for it. ``strategy``: ``module:function`` that quotes instead of the
    shipped one. ``last_check`` is called before anything is sent and may end the run by an exception. ``reread``: loads
    the configuration as it was loaded for this run (SIGHUP).
    """

    seconds: float | None = None
    url: str | None = None
    exchange: LocalExchange | None = None
    tuning: Tuning = field(default_factory=Tuning)
    strategy: str | None = None
    last_check: Callable[[], None] = lambda: None
    supervised: bool = False
    reread: Callable[[], Loaded] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exit status and report of a run."""

    status: int
    report: dict[str, Any]


def run(loaded: Loaded, options: RunOptions, line: StatusLine) -> Outcome:
    """Run until the time is up or the operator stops it.

    Raises ``StartRefused`` and ``ConfigRefused`` before anything is sent.
    """
    plan, start = live_plan(loaded.config), Start()
    with ExitStack() as stack:
        log = stack.enter_context(opened(plan.log_file, plan.log_level, plan.log_bytes_max))
        credentials = _credentials(plan, supervised=options.supervised)
        # Before the tuning: the writer is not to have the quoter's processor and priority.
        writer = journal_writer(plan, line.note)
        if writer is not None:
            stack.callback(writer.close)
        addresses = _kernels(options.strategy, loaded.config, line, log)
        url = _claimed(stack, plan, options, credentials.kid)
        heart = stack.enter_context(Heart(plan, url)) if options.supervised else None
        for missing in before_start(options.tuning):
            line.note(f"note: {missing}")
            log.warning("tuning", extra={"fields": {"missing": missing}})
        latency = stack.enter_context(Latency(line.note))
        board = stack.enter_context(Board(line.note))
        core = Core(core_plan(_quoting(loaded, options.exchange)), addresses)
        core.stamp(latency.waterfall)
        labels = _labels(plan, options, core)
        journal = None if writer is None else RunJournal(writer, core, now_ns(), labels)
        driven = core if journal is None else journal.core
        settings = _settings(loaded, options, core, journal, log)
        control = Control(driven, settings, plan.data, plan.name, now_ns, log, carried=options.exchange is None)
        stack.callback(control.close)
        beside = Beside(control, journal, heart, latency.waterfall, plan.slow_tick_ns, MemoryBudget(plan.memory_max))
        connector = Connector(core, journal, url, plan.ping_interval_s, latency.waterfall, credentials)
        session = LiveLoop(
            driven,
            connector.connect,
            connector.token,
            now_ns,
            Backoff(Random(os.urandom(16)), BackoffSettings(first_ns=int(plan.retry_delay_s * 1e9))),
            log,
            prepare=connector.prepare,
            on_live=latency.waterfall.counts,
            on_lag=latency.waterfall.lagged,
            watch=lambda: beside.problem(now_ns()),
            attempts_max=plan.attempts_max,
            stop_timeout_s=plan.stop_timeout_s,
            spin=options.tuning.spin,
        )

        def report(reason: str) -> dict[str, Any]:
            seconds = time.monotonic() - started
            told = {**labels, "config": settings.told, "start_seconds": start.seconds}
            return run_report(core.status(), latency.brief(), reason=reason, seconds=seconds, labels=told)

        watch = Watch(log)
        after_start(options.tuning)
        log.info("start", extra={"fields": {**labels, "url": url}})
        started = time.monotonic()
        options.last_check()
        start.mark("ready")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_steered(control, plan, line))
            hangup = Hangup(session.stop, settings)
            beside_it = (
                _show(session, line, watch, lambda: report("running")),
                _publish(session, board, lambda: report("running")),
                _first_quote(core, start),
            )
            ending = runner.run(_attended(session, options.seconds, line, hangup, beside_it))
        final = report(ending.cause.value) | latency.whole(ahead_ns())
        return _outcome(ending, final, beside, log)


def _outcome(ending: Ending, report: dict[str, Any], beside: Beside, log: Logger) -> Outcome:
    """The last report, once everything beside the core has ended too."""
    report["detail"], report["mode"] = redacted(ending.detail), ending.mode
    report |= beside.ended(ending.cause.value, now_ns())
    report["detail"] = report["detail"] or (report["journal"] or {}).get("problem") or ""
    log.info("end", extra={"fields": report})
    return Outcome(exit_status(ending, report), report)


def _labels(plan: LivePlan, options: RunOptions, core: Core) -> dict[str, Any]:
    """What tells this run from others, for its report, log and journal."""
    labels: dict[str, Any] = {"network": plan.network, "quote_mode": core.plan.mode}
    if options.strategy is not None:
        labels["strategy"] = options.strategy
    if options.exchange is not None:
        labels["exchange_pid"] = options.exchange.pid
    return labels


def exit_status(ending: Ending, report: Mapping[str, Any]) -> int:
    """The exit status of a run that ended so."""
    if ending.cause is Cause.ABORTED:
        return INTERRUPTED
    if ending.cause is Cause.UNREACHABLE:
        return UNREACHABLE
    if ending.cause is Cause.FATAL:
        return FAILED if report["quotes_sent"] else REFUSED
    if ending.cause is Cause.FAILED:
        return FAILED
    if not ending.connected:
        return UNREACHABLE
    unrecorded = (report.get("journal") or {}).get("problem") is not None
    return OK if ending.clean and not unrecorded and report.get("halt_reason") is None else FAILED


async def _steered(control: Control, plan: LivePlan, line: StatusLine) -> None:
    """Open the control socket and apply a latched halt. A local run goes on where there is no place for either."""
    try:
        latched = await control.start()
    except OSError as error:
        if plan.network != "local":
            raise
        line.note(f"note: `quoter halt` cannot reach this run: {error}")
        return
    if latched is not None:
        line.note(f"HALTED since {latched.since}: {latched.reason}; nothing is quoted until `quoter resume`")


async def _attended(
    session: LiveLoop,
    seconds: float | None,
    line: StatusLine,
    hangup: Hangup,
    beside: Iterable[Coroutine[Any, Any, None]],
) -> Ending:
    """Run with signals bound, and what goes on beside it: the status line."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, session.stop)
    loop.add_signal_handler(signal.SIGHUP, hangup.signalled)
    tasks = [loop.create_task(one) for one in beside]
    try:
        return await session.run(seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        line.end()


async def _show(session: LiveLoop, line: StatusLine, watch: Watch, report: Callable[[], dict[str, Any]]) -> None:
    await asyncio.sleep(min(line.interval_s, FIRST_LINE_S))
    while not session.ending:
        seen = report()
        watch.look(seen)
        line.show(status_line(seen))
        await asyncio.sleep(line.interval_s)


async def _publish(session: LiveLoop, board: Board, report: Callable[[], dict[str, Any]]) -> None:
    while not session.ending:
        board.publish(report(), now_ns())
        await asyncio.sleep(PERIOD_S)


async def _first_quote(core: Core, start: Start) -> None:
    """Mark the first quote, to a hundredth of the time waited for it: the hot path has no clock to spare for it."""
    began_ns = now_ns()
    while core.quoter.quotes_sent == 0:
        await asyncio.sleep(max(0.001, (now_ns() - began_ns) / 1e11))
    start.mark("first_quote")


def _credentials(plan: LivePlan, *, supervised: bool) -> Credentials:
    """The quoter's key; the supervisor reads its own, which must be as good."""
    if plan.network == "local":
        return throwaway_key()
    why = environment_refusal(plan.network, os.environ)
    if why is not None:
        raise StartRefused(why)
    no_dumps()
    if supervised:
        find_key(supervisor_place(plan.credentials), plan.network, os.environ)
    return find_key(plan.credentials, plan.network, os.environ)


def _kernels(strategy: str | None, config: Config, line: StatusLine, log: Logger) -> Addresses:
    """Load the kernels, or compile them; compare them with published numbers; then a user's strategy."""
    with warnings.catch_warnings(record=True, category=CacheWarning, action="always") as noted:
        addresses = kept.addresses()
    for one in noted:
        line.note(f"note: {one.message}")
        log.warning("kernels", extra={"fields": {"problem": str(one.message)}})
    failed = [check for check in proof.run(addresses) if not check.passed]
    if failed:
        names = ", ".join(check.name for check in failed)
        raise StartRefused(f"the kernels fail their self-test ({names}): run `quoter selftest`; nothing was sent")
    if strategy is None:
        return addresses
    from engine.live.strategy import StrategyRefused, strategy_address

    try:
        return replace(addresses, quote=strategy_address(strategy, config))
    except StrategyRefused as refused:
        raise StartRefused(str(refused)) from None


def _address(plan: LivePlan, options: RunOptions) -> str:
    """Where to connect; waits for the local exchange where one was started."""
    if options.exchange is not None:
        try:
            return options.exchange.url
        except ExchangeFailed as failed:
            raise StartRefused(str(failed)) from None
    url = URLS[plan.network] if options.url is None else options.url
    try:
        check_address(url, None)
    except ValueError as error:
        raise StartRefused(f"--url: {error}") from None
    why = address_refusal(plan.network, url)
    if why is not None:
        raise StartRefused(f"--url: {why}")
    return url


def _claimed(stack: ExitStack, plan: LivePlan, options: RunOptions, key_id: str) -> str:
    """Where to connect, as the only quoter with this key there until ``stack`` ends.

    An exchange of our own has no other client; a local run goes on where there is no place for the lock.
    """
    url = _address(plan, options)
    try:
        if options.exchange is None:
            stack.enter_context(alone(plan.data, url, key_id))
    except AlreadyRunning as other:
        raise StartRefused(f"{other}; nothing was sent") from None
    except OSError as error:
        if plan.network != "local":
            raise StartRefused(f"no lock against a second quoter: {error}; nothing was sent") from None
    return url


def _quoting(loaded: Loaded, exchange: LocalExchange | None) -> Config:
    """The configuration with the instruments of a recorded market where nothing was said about instruments."""
    given = {"market.instruments", "market.underlying"} & loaded.sources.keys()
    if exchange is None or given or not exchange.description.get("recorded"):
        return loaded.config
    market = loaded.config.market.model_copy(update={"instruments": tuple(exchange.description["instruments"])})
    return loaded.config.model_copy(update={"market": market})


def _settings(loaded: Loaded, options: RunOptions, core: Core, journal: RunJournal | None, log: Logger) -> RunSettings:
    """The configuration as it may change while running, into the journal where there is one."""
    configure: Configure = lambda plan, now_ns, labels: core.configure(plan, now_ns)  # noqa: E731
    return RunSettings(
        loaded,
        options.reread or (lambda: loaded),
        lambda changed: _quoting(changed, options.exchange),
        configure if journal is None else journal.core.configure,
        now_ns,
        log,
    )
