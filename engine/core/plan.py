"""What the core is told before it starts: one immutable plan, derived from the validated configuration.

The plan is data: no paths, no secrets, no defaults hidden elsewhere. Its values are already checked
(``engine.config``).
"""

from dataclasses import dataclass, fields
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

Record = npt.NDArray[np.void]
"""A one-element structured array of ``kernels.records``."""


DIRECTED = (
    "vamp_pressure",
    "vamp_fast_pressure",
    "book_imbalance",
    "order_flow_imbalance",
    "momentum",
    "reversal",
    "exhaustion",
    "order_imbalance",
)
"""Signals with a direction, in the order of ``kernels.signals.NAMES``: weights may be given for them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of the gate, for each instrument alike.

    ``max_position`` contracts and ``max_notional_usd`` bound the worst case of position plus every live, in-flight and
    unknown order; ``max_order`` contracts one order; ``collar_bps`` the distance of any price from mark or index;
    ``max_drawdown_usd`` the fall of equity from its peak, after which the core halts (inf: no such limit).

    ``max_position_usd`` and ``max_order_usd`` are the scale-free forms of the first and third (inf: not given): turned
    into contracts at the first price of an instrument, the smaller of both forms holds. ``Settings.max_position`` is
    NaN when only the USD form is given; the core fills it in with the instrument's tick, lot and minimum.

    ``stop_loss`` and ``take_profit`` are fractions of what the open position cost (inf: no such limit), ``max_losses``
    losing round trips in a row (0: no such limit). On a breach the instrument only reduces, until for ``cooldown_ns``
    it has been flat or the measure has been within ``recovery`` times its limit.

    Of the whole account: ``reduce_drawdown_usd`` is the fall from which it only reduces, ``max_loss_usd`` the fall
    within ``loss_window_ns`` that halts, ``max_fills`` within ``fills_window_ns`` halt as well (inf, 0: no such limit).
    ``foreign_reduces``: a trade of somebody else on the account makes it reduce, else it halts. It goes on reducing for
    ``reduce_ns`` after the last cause. For ``hold_ns`` nothing is quoted after somebody else cancelled our orders.
    """

    max_position: float
    max_notional_usd: float
    max_order: float
    collar_bps: float
    max_drawdown_usd: float
    max_position_usd: float = inf
    max_order_usd: float = inf
    stop_loss: float = inf
    take_profit: float = inf
    max_losses: int = 0
    cooldown_ns: int = 0
    recovery: float = 1.0
    reduce_ns: int = 60_000_000_000
    reduce_drawdown_usd: float = inf
    max_loss_usd: float = inf
    loss_window_ns: int = 0
    max_fills: int = 0
    fills_window_ns: int = 0
    foreign_reduces: bool = False
    hold_ns: int = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Timing:
    """Deadlines and intervals, all in ns.

    ``data_stale_ns``: oldest market data that may be quoted on. ``reply_ns``: a request without a reply becomes
    unknown. ``min_interval_ns``: shortest time between two changes of one instrument's quotes (a message budget refines
    it). ``max_lifetime_ns``: oldest quote that is left unrefreshed. ``status_ns``: interval of audits.
    """

    data_stale_ns: int
    reply_ns: int
    min_interval_ns: int
    max_lifetime_ns: int
    audit_ns: int
    cancel_on_disconnect_s: int


@dataclass(frozen=True, slots=True)
class Pulls:
    """What a market must not be to be quoted in; on a breach nothing is quoted.

    A move of the others' mid within ``window_ns`` by ``move_bps`` of the price or by ``move_sigmas`` times what its
    volatility lets expect, whichever is less, until it has been below ``calm`` times that for ``hold_ns``. A spread of
    the others above ``wide_bps``. Less than ``thin_usd`` of others on a side of the book.
    """

    move_bps: float
    move_sigmas: float
    window_ns: int
    hold_ns: int
    calm: float
    wide_bps: float
    thin_usd: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What the signals are made of, how they are learnt, and how far they may act.

    ``enabled``: whether they move quotes; they are estimated either way. Candles: ``candle_contracts`` (inf: only the
    USD form) and ``candle_usd`` close one, whichever is less, as does ``candle_ns``; ``candles`` are kept.
    ``own_only``: flow and candles are made of our own fills instead of the public trades, and ``lookback_ns`` bounds
    the age of the trades taken from a snapshot. ``fetch_ns``: how often one is asked for; 0: never. Windows are in
    trades, ``decay_s`` and ``stale_ns`` their limits in time. The rest are the parameters of ``kernels.forecast`` and
    ``kernels.regime``, by their names there; None and inf: not given.
    """

    enabled: bool
    own_only: bool
    lookback_ns: int
    fetch_ns: int
    candle_contracts: float
    candle_usd: float
    candle_ns: int
    candles: int
    window: float
    fast_window: float
    impact_window: float
    decay_s: float
    order_decay_s: float
    stale_ns: int
    min_events: int
    interval_ns: int
    steps: int
    update_ns: int
    span: float
    z: float
    min_samples: float
    prior: float
    cap_ticks: float
    cap_bps: float
    toxic_weight: float
    toxic_cap_bps: float
    given_bps: tuple[float | None, ...]
    adjust_most: float
    widen_at: float
    widen_by: float
    pull_at: float
    one_side_at: float
    calm: float
    hold_ns: int


@dataclass(frozen=True, slots=True)
class Calibrating:
    """How A and k are learnt from our own quotes (``engine.core.calibrator``).

    ``live``: the estimate is quoted with, within ``most`` times the configured values and one over it. It is made every
    ``interval_ns`` of what happened within ``memory_ns``.
    """

    live: bool
    interval_ns: int
    memory_ns: int
    most: float


@dataclass(frozen=True, slots=True)
class CorePlan:
    """Everything the core needs to know.

    ``settings`` is a ``kernels.records.SETTINGS`` record whose instrument members (tick, lot, minimum) the core fills
    in when the venue has told them; ``volatility`` a ``VOLATILITY`` record holding the estimator's parameters and no
    samples. ``requote_ticks`` / ``requote_bps``: a quote closer than the larger of the two to its target, on the safe
    side, is left where it is. ``coarse_price_e8`` and ``coarse_size_e8`` (USD and contracts, in 1e-8): prices and sizes
    that are sent are multiples of them; 0: of the venue's grid. ``protection`` is (trade amount, quote amount) as
    multiples of the sum of one side's ladder.
    """

    instruments: tuple[str, ...]
    mode: Literal["mass_quote", "orders"]
    label: str
    settings: Record
    volatility: Record
    limits: Limits
    timing: Timing
    signals: Signals
    calibration: Calibrating
    pulls: Pulls
    requote_ticks: int
    requote_bps: float
    coarse_price_e8: int
    coarse_size_e8: int
    maker_fee_rate: float
    taker_fee_rate: float
    protection: tuple[float, float]
    environment: str | None
    account: str | None


CHANGEABLE = frozenset(
    (
        "settings",
        "volatility",
        "limits",
        "timing",
        "signals",
        "calibration",
        "pulls",
        "requote_ticks",
        "requote_bps",
        "coarse_price_e8",
        "coarse_size_e8",
        "maker_fee_rate",
        "taker_fee_rate",
        "protection",
    )
)
"""Members of ``CorePlan`` that a running core takes; of ``timing`` all but cancel-on-disconnect."""


def needs_restart(old: CorePlan, new: CorePlan) -> tuple[str, ...]:
    """Names of the members that differ and that a running core cannot take."""
    names = [
        item.name
        for item in fields(CorePlan)
        if item.name not in CHANGEABLE and not _same(getattr(old, item.name), getattr(new, item.name))
    ]
    if old.timing.cancel_on_disconnect_s != new.timing.cancel_on_disconnect_s:
        names.append("cancel_on_disconnect_s")
    return tuple(names)


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    return a == b
