"""What the live application is told: connection, recovery and log, derived from the validated configuration."""

from dataclasses import dataclass
from pathlib import Path

from engine.config_schema import Config, Credentials
from engine.live.places import data_directory
from engine.plan_builder import Network, network_of


@dataclass(frozen=True, slots=True)
class LivePlan:
    """Times in seconds. ``attempts_max`` failed connections in a row end the run; 0: never.
    ``memory_max``: bytes in use that end it; 0: any.

    ``journal_directory``: holds a directory a run; None: no journal. ``journal_given``: it was named.
    ``name``: what must be typed to resume after a halt, the account or else the network.
    """

    network: Network
    credentials: Credentials
    ping_interval_s: float
    retry_delay_s: float
    attempts_max: int
    stop_timeout_s: float
    requests_a_minute: int
    log_file: Path | None
    log_level: str
    log_bytes_max: int
    slow_tick_ns: int
    memory_max: int
    data: Path
    name: str
    journal_directory: Path | None
    journal_given: bool
    journal_segment_bytes: int
    journal_retain_bytes: int


def live_plan(config: Config) -> LivePlan:
    """The live part of a validated configuration.

    Pings go out at least twice in the time after which the venue cancels our orders (protocol section 4.3), whatever
    is asked.
    """
    connection, network = config.connection, network_of(config)
    data = data_directory(network)
    return LivePlan(
        network=network,
        credentials=config.credentials,
        ping_interval_s=min(connection.heartbeat_interval, connection.cancel_on_disconnect / 2),
        retry_delay_s=connection.retry_delay,
        attempts_max=connection.max_reconnect_attempts,
        stop_timeout_s=connection.stop_timeout,
        requests_a_minute=connection.rate_limit,
        log_file=None if config.log.file is None else Path(config.log.file),
        log_level=config.log.level,
        log_bytes_max=config.log.max_bytes,
        slow_tick_ns=round(config.log.slow_tick_us * 1000),
        memory_max=connection.max_memory_mb * 1_000_000,
        data=data,
        name=config.credentials.account or network,
        journal_directory=journal_place(config.journal.directory, data),
        journal_given=config.journal.directory is not None,
        journal_segment_bytes=config.journal.segment_bytes,
        journal_retain_bytes=config.journal.retain_bytes,
    )


def journal_place(given: str | None, data: Path) -> Path | None:
    """The directory of the runs that ``journal.directory`` means; None for ``off``."""
    if given == "off":
        return None
    return data / "journal" if given is None else Path(given)
