"""The efficient price of one underlying: volatility regimes and jumps, known a little ahead.

The log price moves on a fixed grid: a Gaussian step whose volatility is set by a Markov regime, and a Poisson jump of
either sign. The path is made ``ahead_steps`` early, so that an informed trader can be told where the price is going,
and it depends on nothing but its random source: no order changes it. Everything is relative, so a price ten times as
high has the same path times ten.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

YEAR_S = 365 * 86_400
BPS = 1e-4


@dataclass(frozen=True, slots=True)
class Regime:
    """A state of the market.

    ``volatility`` is annualised (0.5 is 50 %); ``activity`` multiplies the takers' arrival rate and ``spread`` the
    makers' distances; ``dwell_s`` is the mean stay in seconds, ``weight`` the relative chance of being entered next.
    """

    name: str
    volatility: float
    activity: float
    spread: float
    dwell_s: float
    weight: float


CALM_NORMAL_WILD = (
    Regime("calm", volatility=0.30, activity=0.7, spread=1.0, dwell_s=300.0, weight=1.0),
    Regime("normal", volatility=0.60, activity=1.0, spread=1.15, dwell_s=300.0, weight=1.0),
    Regime("wild", volatility=1.40, activity=2.0, spread=1.6, dwell_s=90.0, weight=0.4),
)
"""Default regimes; the first is the one a path starts in."""


class PricePath:
    """One underlying's price on a grid of ``step_s`` seconds; ``step`` moves the present one grid point on.

    ``lag_steps`` past and ``ahead_steps`` future points are kept. ``jumps_per_hour`` is the Poisson rate of jumps,
    ``jump_bps`` the mean of their exponential magnitude.
    """

    __slots__ = ("_jump_chance", "_jump_log", "_lag", "_logs", "_regime", "_regimes", "_rng", "_states", "_step_s")

    def __init__(
        self,
        start_usd: float,
        rng: Random,
        *,
        step_s: float,
        lag_steps: int,
        ahead_steps: int,
        regimes: Sequence[Regime] = CALM_NORMAL_WILD,
        jumps_per_hour: float = 6.0,
        jump_bps: float = 12.0,
    ) -> None:
        self._rng = rng
        self._step_s = step_s
        self._regimes = tuple(regimes)
        self._jump_chance = jumps_per_hour * step_s / 3600
        self._jump_log = jump_bps * BPS
        self._lag = lag_steps
        self._regime = 0
        self._logs: deque[float] = deque([math.log(start_usd)] * (lag_steps + 1), maxlen=lag_steps + 1 + ahead_steps)
        self._states: deque[int] = deque([0] * (lag_steps + 1), maxlen=lag_steps + 1 + ahead_steps)
        for _ in range(ahead_steps):
            self.step()

    @property
    def price_usd(self) -> float:
        """Efficient price now, USD."""
        return math.exp(self._logs[self._lag])

    @property
    def regime(self) -> Regime:
        """Regime of the present."""
        return self._regimes[self._states[self._lag]]

    @property
    def coming_log(self) -> float:
        """Log return from now to the end of the known future."""
        return self._logs[-1] - self._logs[self._lag]

    def past_usd(self, steps: int) -> float:
        """Price ``steps`` grid points ago, at most ``lag_steps``."""
        return math.exp(self._logs[self._lag - steps])

    def step(self) -> None:
        """Move on by one grid point, drawing one more point of the future."""
        rng = self._rng
        if rng.random() * self._regimes[self._regime].dwell_s < self._step_s:
            self._regime = self._next_regime()
        sigma = self._regimes[self._regime].volatility
        move = sigma * math.sqrt(self._step_s / YEAR_S) * rng.gauss(0.0, 1.0)
        if rng.random() < self._jump_chance:
            move += math.copysign(rng.expovariate(1.0) * self._jump_log, rng.random() - 0.5)
        self._logs.append(self._logs[-1] + move)
        self._states.append(self._regime)

    def _next_regime(self) -> int:
        others = [i for i in range(len(self._regimes)) if i != self._regime]
        if not others:
            return self._regime
        return self._rng.choices(others, [self._regimes[i].weight for i in others])[0]


class Premium:
    """Ornstein–Uhlenbeck distance of one contract's fair price from its theoretical price, as a fraction.

    ``deviation_bps`` is the stationary standard deviation, ``memory_s`` the time constant of the reversion.
    """

    __slots__ = ("_decay", "_kick", "_rng", "value")

    def __init__(self, rng: Random, *, deviation_bps: float, memory_s: float, step_s: float) -> None:
        self._rng = rng
        self._decay = math.exp(-step_s / memory_s)
        self._kick = deviation_bps * BPS * math.sqrt(1 - self._decay * self._decay)
        self.value = deviation_bps * BPS * rng.gauss(0.0, 1.0)

    def step(self) -> None:
        """Move on by one grid point."""
        self.value = self.value * self._decay + self._kick * self._rng.gauss(0.0, 1.0)
