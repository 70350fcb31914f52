"""What the live application is told: connection, recovery and log, derived from the validated configuration."""

from dataclasses import dataclass
from pathlib import Path

from engine.config_schema import Config, Credentials
from engine.plan_builder import Network, network_of


@dataclass(frozen=True, slots=True)
class LivePlan:
    """Times in seconds. ``attempts_max`` failed connections in a row end the run; 0: never."""

    network: Network
    credentials: Credentials
    ping_interval_s: float
    retry_delay_s: float
    attempts_max: int
    stop_timeout_s: float
    log_file: Path | None
    log_level: str
    log_bytes_max: int


def live_plan(config: Config) -> LivePlan:
    """The live part of a validated configuration.

    Pings go out at least twice in the time after which the venue cancels our orders (protocol section 4.3), whatever
    is asked.
    """
    connection = config.connection
    return LivePlan(
        network=network_of(config),
        credentials=config.credentials,
        ping_interval_s=min(connection.heartbeat_interval, connection.cancel_on_disconnect / 2),
        retry_delay_s=connection.retry_delay,
        attempts_max=connection.max_reconnect_attempts,
        stop_timeout_s=connection.stop_timeout,
        log_file=None if config.log.file is None else Path(config.log.file),
        log_level=config.log.level,
        log_bytes_max=config.log.max_bytes,
    )
