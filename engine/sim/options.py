"""What one simulated run is: every choice drawn from its seed, each fault class on or off, sizes tiny.

Each part draws from a random source of its own, made of seed and name, so that switching one fault class off leaves the
draws of the others as they are: that is what makes shrinking work.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import inf
from random import Random
from typing import Any, Literal

from engine.config_schema import Config
from engine.core.plan import CorePlan, Limits, Timing
from engine.plan_builder import core_plan
from feed.backoff import BackoffSettings
from feed.exchange.instruments import Instrument
from feed.exchange.options import Options as ExchangeOptions

MS = 1_000_000
SECOND_NS = 1_000_000_000
START_NS = 1_795_000_000 * SECOND_NS
LOT_E8 = 1_000_000
LOT_CONTRACTS = 0.01
LISTED = (
    Instrument("BTC-PERPETUAL", "BTCUSD", "perpetual", 100_000_000, LOT_E8, 1),
    Instrument("ETH-PERPETUAL", "ETHUSD", "perpetual", 10_000_000, LOT_E8, 1),
)
PRICES_USD = {"BTCUSD": 60_000.0, "ETHUSD": 3_000.0}

KNOBS: dict[str, dict[str, int]] = {
    "small queues": {"queue_bytes": 1024},
    "short patience with the socket": {"queue_age_max_ns": 20 * MS},
    "slow retries": {"retry_ns": 50 * MS},
    "nervous breaker": {"rejects_to_open": 1},
    "long openings": {"open_ns": 4 * SECOND_NS},
    "slow set-up": {"other_rate": 20},
}
"""Values of ``engine.core.knobs.Knobs`` that are as legal as its own."""
JOURNALED = 0.01
"""Share of the runs that have a journal: writing and replaying one takes as long as a run."""
SITE_FIRES = 0.25
SITES = (
    "timer early",
    "timer twice",
    "every message decides",
    "decided at the end of the read",
    "token late",
    "unknown member",
    *KNOBS,
)
"""Where the core's surroundings misbehave within what is allowed: each on or off for a run, and when on, a quarter of
the times. Those of ``KNOBS`` are asked once a process of the core."""

CHANCES: dict[str, tuple[float, float]] = {
    "jitter": (0.05, 0.9),
    "rechunk": (0.1, 0.9),
    "coalesce": (0.1, 0.9),
    "swallow_reply": (0.005, 0.05),
    "delay_reply": (0.02, 0.5),
    "throttle": (0.005, 0.1),
    "refuse_temporarily": (0.005, 0.08),
    "execute_but_fail": (0.005, 0.08),
    "lose_delta": (0.005, 0.1),
    "lag_portfolio": (0.1, 1.0),
    "repeat_orders": (0.02, 0.3),
    "lag_orders": (0.005, 0.1),
    "odd_status": (0.005, 0.05),
    "cross_book": (0.005, 0.1),
    "hiccup": (0.005, 0.2),
    "odd_ticker": (0.01, 0.1),
    "adversary": (0.1, 0.9),
    "old_socket": (0.1, 1.0),
    "deny_orders": (0.5, 1.0),
    **dict.fromkeys(SITES, (SITE_FIRES, SITE_FIRES)),
}
"""Faults that befall a message, and the range of their probability when they are on."""

RATES: dict[str, tuple[float, float]] = {
    "stall": (0.05, 0.5),
    "cut": (0.05, 0.5),
    "half_open": (0.05, 0.3),
    "block_sink": (0.05, 0.4),
    "mute_ticker": (0.3, 2.0),
    "mute_book": (0.05, 0.4),
    "failover": (0.05, 0.4),
    "announce_close": (0.05, 0.3),
    "banner": (0.05, 0.5),
    "foreign_trade": (0.05, 0.4),
    "foreign_cancel": (0.05, 0.4),
    "configure": (0.1, 1.0),
    "reload": (0.05, 0.3),
    "refused_change": (0.05, 0.3),
    "burst": (0.1, 1.0),
    "jump": (0.1, 1.0),
    "hole": (0.05, 0.5),
    "halt": (0.05, 0.3),
    "kill": (0.05, 0.3),
    "disk_full": (0.05, 0.3),
    "freeze": (0.05, 0.5),
    "poor": (0.0, 0.0),
}
"""Faults that happen at random moments, and the range of their rate per simulated second when they are on."""

FAULTS = (*CHANCES, *RATES)
APART = ("deny_orders",)
"""Faults drawn from sources of their own, so that the seeds of before them stay the runs that they were."""


@dataclass(frozen=True, slots=True)
class SwarmOptions:
    """One run. ``faults``: probability or rate of each fault class that is on. Times ns, sizes lots."""

    seed: int
    events: int
    faults: dict[str, float]
    mode: Literal["mass_quote", "orders"]
    instruments: int
    levels: int
    size_lots: int
    max_lots: int
    latency_ns: int
    market_step_ns: int
    market_whole: bool
    reply_ns: int
    data_stale_ns: int
    min_interval_ns: int
    audit_ns: int
    cancel_on_disconnect_s: int
    deposit_usd: float
    stop_loss: float
    take_profit: float
    max_losses: int
    cooldown_ns: int
    drawdown_usd: float
    stop_at_end: bool
    backoff: BackoffSettings
    exchange: ExchangeOptions
    journal: bool = False
    fragmented: bool = False

    def rng(self, name: str) -> Random:
        """The random source of one part."""
        return Random(f"{self.seed}/{name}")

    def without(self, fault: str) -> "SwarmOptions":
        """The same run with one fault class off."""
        return replace(self, faults={name: value for name, value in self.faults.items() if name != fault})

    def shortened(self, events: int) -> "SwarmOptions":
        """The same run with another length of its safety phase."""
        return replace(self, events=events)

    def journaled(self) -> "SwarmOptions":
        """The same run with a journal."""
        return replace(self, journal=True)

    def in_pieces(self) -> "SwarmOptions":
        """The same run with its messages in pieces, which must change nothing."""
        return replace(self, fragmented=True)

    def reconfigured(self, rng: Random) -> "SwarmOptions":
        """The same run with other sizes, limits and times, as a running core may take them."""
        size, limit = _sizes(rng)
        return replace(
            self,
            levels=rng.choice((1, 2, 3)),
            size_lots=size,
            max_lots=limit,
            data_stale_ns=rng.choice((1300, 2000, 3000)) * MS,
            min_interval_ns=rng.choice((1, 50, 200)) * MS,
            audit_ns=rng.choice((500, 2000, 10000)) * MS,
            stop_loss=rng.choice((inf, 0.0005, 0.01)),
            take_profit=rng.choice((inf, 0.0005, 0.01)),
        )

    @property
    def listed(self) -> tuple[Instrument, ...]:
        """The instruments that are quoted."""
        return LISTED[: self.instruments]

    @property
    def windows(self) -> dict[str, Any]:
        """Limits of the account within a window, and what trades and cancels of others do."""
        rng = self.rng("windows")
        return {
            "max_loss_usd": rng.choice((inf, inf, 0.003, 0.01)) * self.max_lots * LOT_CONTRACTS * PRICES_USD["BTCUSD"],
            "max_fills": rng.choice((0, 0, 0, 0, 3, 6)),
            "foreign_reduces": rng.random() < 0.5,
            "hold_ns": rng.choice((0, 300, 1000, 3000)) * MS,
        }

    @property
    def patience_ns(self) -> int:
        """Longest time after which no order may be left once it was asked for, whatever the link does meanwhile."""
        return (self.cancel_on_disconnect_s + 2) * SECOND_NS + 4 * self.reply_ns

    def plan(self) -> CorePlan:
        """The core's plan."""
        base, learning = _base_plan(), self.rng("learning")
        settings = base.settings.copy()
        settings["levels"] = self.levels
        settings["base_size"] = self.size_lots * LOT_CONTRACTS
        settings["max_position"] = self.max_lots * LOT_CONTRACTS
        return replace(
            base,
            instruments=tuple(i.name for i in self.listed),
            mode=self.mode,
            settings=settings,
            limits=Limits(
                max_position=self.max_lots * LOT_CONTRACTS,
                max_notional_usd=inf,
                max_order=inf,
                collar_bps=150.0,
                max_drawdown_usd=self.drawdown_usd,
                stop_loss=self.stop_loss,
                take_profit=self.take_profit,
                max_losses=self.max_losses,
                cooldown_ns=self.cooldown_ns,
                recovery=0.5,
                reduce_ns=self.cooldown_ns,
                reduce_drawdown_usd=0.7 * self.drawdown_usd,
                loss_window_ns=5 * SECOND_NS,
                fills_window_ns=SECOND_NS,
                **self.windows,
            ),
            signals=replace(base.signals, fetch_ns=learning.choice((0, 1, 5, 60)) * SECOND_NS),
            calibration=replace(
                base.calibration, live=learning.random() < 0.5, interval_ns=SECOND_NS, memory_ns=20 * SECOND_NS
            ),
            # Half of a lot of the smaller instrument: a side that was taken down to one is not thin.
            pulls=replace(base.pulls, thin_usd=15.0, hold_ns=self.cooldown_ns),
            timing=Timing(
                data_stale_ns=self.data_stale_ns,
                reply_ns=self.reply_ns,
                min_interval_ns=self.min_interval_ns,
                max_lifetime_ns=30 * SECOND_NS,
                audit_ns=self.audit_ns,
                cancel_on_disconnect_s=self.cancel_on_disconnect_s,
            ),
        )


@cache
def _base_plan() -> CorePlan:
    return core_plan(Config())


def draw(seed: int, events: int) -> SwarmOptions:
    """The run that belongs to a seed; ``events`` bounds its safety phase."""
    rng = Random(f"{seed}/options")
    faults = {}
    for name, (low, high) in (CHANCES | RATES).items():
        source = Random(f"{seed}/draw {name}") if name in APART else rng
        on, value = source.random() < 0.4, low + (high - low) * source.random() ** 2
        if on:
            faults[name] = value
    if rng.random() < 0.05:
        faults = {}
    size, limit = _sizes(rng)
    return SwarmOptions(
        seed=seed,
        events=events,
        faults=faults,
        mode=rng.choice(("mass_quote", "orders")),
        instruments=rng.choice((1, 1, 2)),
        levels=rng.choice((1, 2, 3)),
        size_lots=size,
        max_lots=limit,
        latency_ns=rng.choice((50_000, 300_000, 2 * MS, 20 * MS, 120 * MS)),
        market_step_ns=rng.choice((30, 80, 150, 300)) * MS,
        market_whole=rng.random() < 0.75,
        reply_ns=rng.choice((500, 1000, 2000)) * MS,
        data_stale_ns=rng.choice((1300, 2000, 3000)) * MS,
        min_interval_ns=rng.choice((1, 50, 200)) * MS,
        audit_ns=rng.choice((500, 2000, 10000)) * MS,
        cancel_on_disconnect_s=rng.choice((2, 3, 6)),
        deposit_usd=2_000.0 if "poor" in faults else 1_000_000.0,
        stop_loss=rng.choice((inf, inf, inf, 0.0005, 0.002, 0.01)),
        take_profit=rng.choice((inf, inf, inf, 0.0005, 0.002, 0.01)),
        max_losses=rng.choice((0, 0, 0, 1, 2, 3)),
        cooldown_ns=rng.choice((200, 1000, 3000)) * MS,
        drawdown_usd=rng.choice((inf, inf, inf, 0.004, 0.01, 0.03)) * limit * LOT_CONTRACTS * PRICES_USD["BTCUSD"],
        stop_at_end=rng.random() < 0.5,
        backoff=BackoffSettings(
            first_ns=rng.choice((1, 20, 250)) * MS,
            cap_ns=rng.choice((250, 1000, 3000)) * MS,
            stable_ns=rng.choice((1, 3, 60)) * SECOND_NS,
            attempts_an_hour=rng.choice((2, 4, 120)),
        ),
        exchange=_exchange(rng),
        journal=rng.random() < JOURNALED,
    )


def _sizes(rng: Random) -> tuple[int, int]:
    """Lots of one level, and the limit of the position."""
    size = rng.choice((1, 1, 2, 3))
    return size, size * rng.choice((1, 2, 4, 8, 20)) + rng.choice((0, 0, 1))


def _exchange(rng: Random) -> ExchangeOptions:
    """Every unknown fact of the venue, one way or the other."""
    return ExchangeOptions(
        reply_first=rng.random() < 0.5,
        whole_numbers_as_float=rng.random() < 0.3,
        empty_side=rng.choice(("null", "absent")),
        empty_snapshots=rng.random() < 0.7,
        resubscribe=rng.choice(("ignore", "error")),
        initial_ticker=rng.random() < 0.7,
        throttle_window=rng.choice(("bucket", "fixed")),
        throttle_counts_quotes=rng.random() < 0.3,
        amend_keeps_post_only=rng.random() < 0.7,
        amend_keeps_reject=rng.random() < 0.5,
        cancel_all_covers_quotes=rng.random() < 0.5,
        quote_count=rng.choice(("level", "side")),
        quote_identity=rng.choice(("remaining", "amount")),
        quote_error_keeps_side=rng.random() < 0.5,
        protection_missing=rng.choice(("error", "entry")),
    )
