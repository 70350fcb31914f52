"""A market made from a seed: deterministic prices, other makers, and takers with λ(δ) = A·e^{−kδ}.

Each underlying has one efficient price (``PricePath``), shared by its perpetual and its futures; a future adds an
annualised carry that vanishes at expiry, and each contract a small mean-reverting premium. Around the fair price of
each contract several makers keep ladders of real orders, and takers arrive by a Poisson process. The takers' law is
exact for a client's order: a sweep brings the crowd's whole depth inside its reach plus a size of its own, so whether
a lone quote is hit depends on its distance only, never on how much the crowd shows before it. An arbitrageur lifts
whatever stands beyond the fair price by more than ``arbitrage_bps``: that, the jumps and the informed share of the
takers are what makes quoting cost something.

Every component draws from a random source of its own, named by seed, instrument and part, and draws the same number
of times whatever the book looks like. So the price path and the arrivals are the same for every client that trades on
them (common random numbers).

What the defaults mean, measured: a lone symmetric quoter on BTC-PERPETUAL, 0.02 BTC a side around the book's mid,
renewed every half second, over seeds 0 to 19 of 30 minutes each. Edge is volume-weighted, against the fair price at
the fill and a minute after it, before the fee of 1 bp; profit is after the fee, inventory at fair price, mean ±
standard error.

================  ============  ================  ==============  ==================
half-spread, bps  fills/minute  edge at once, bps  a minute later  profit in 30 min, USD
2                 37.4          1.55              0.2 ± 0.1       -239 ± 118
4                 18.1          3.42              2.0 ± 0.2       17 ± 80
8                 3.8           7.15              5.7 ± 0.3       63 ± 16
================  ============  ================  ==============  ==================

Times are epoch ns, given by the caller; single thread; driven by the exchange through ``feed.exchange.market.Market``.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from feed.exchange.crowd import DEFAULT_MAKERS, DEFAULT_TAKERS, Maker, MakerProfile, TakerOptions, Takers
from feed.exchange.instruments import Instrument
from feed.exchange.market import NEVER_NS, Floor
from feed.exchange.path import BPS, CALM_NORMAL_WILD, YEAR_S, Premium, PricePath, Regime

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SeededOptions:
    """Parameters of a seeded market; relative ones throughout, so they fit any price.

    ``start_usd``: first price of each underlying. ``step_ns``: grid of the price. ``index_ns``: time between index
    publications. ``horizon_s``: how far ahead the informed see. ``carry``: annualised basis of futures (0.05 is 5 %).
    ``premium_bps`` and ``premium_memory_s``: standard deviation and time constant of each contract's premium.
    ``arbitrage_bps``: how far beyond the fair price an order must stand to be arbitraged. ``activity``: multiplies
    the rates of takers and of the makers' looks.
    """

    start_usd: Mapping[str, float] = field(default_factory=lambda: {"BTCUSD": 60_000.0, "ETHUSD": 3_000.0})
    regimes: tuple[Regime, ...] = CALM_NORMAL_WILD
    makers: tuple[MakerProfile, ...] = DEFAULT_MAKERS
    takers: TakerOptions = DEFAULT_TAKERS
    step_ns: int = 200_000_000
    index_ns: int = 1_000_000_000
    horizon_s: float = 45.0
    jumps_per_hour: float = 6.0
    jump_bps: float = 12.0
    carry: float = 0.05
    premium_bps: float = 1.5
    premium_memory_s: float = 600.0
    arbitrage_bps: float = 3.0
    activity: float = 1.0


def informed_options(share: float | None = None, horizon_s: float | None = None) -> SeededOptions:
    """The default market with another share (0…1) of takers who know the price ``horizon_s`` seconds ahead; None leaves
    the default. Neither changes the price path or when takers arrive and how far they reach, only their sides.
    """
    options = SeededOptions()
    if share is not None:
        options = replace(options, takers=replace(options.takers, informed_share=share))
    return options if horizon_s is None else replace(options, horizon_s=horizon_s)


class _Contract:
    """One instrument's participants and its fair price."""

    __slots__ = ("fair_usd", "instrument", "makers", "open", "path", "premium", "takers")

    def __init__(self, instrument: Instrument, path: PricePath, seed: int, options: SeededOptions) -> None:
        name = instrument.name
        self.instrument = instrument
        self.path = path
        self.open = True
        self.makers = [
            Maker(instrument, profile, _rng(seed, name, f"maker {i}")) for i, profile in enumerate(options.makers)
        ]
        self.takers = Takers(options.takers, _rng(seed, name, "takers"))
        self.premium = Premium(
            _rng(seed, name, "premium"),
            deviation_bps=options.premium_bps,
            memory_s=options.premium_memory_s,
            step_s=options.step_ns / _SECOND_NS,
        )
        self.fair_usd = 0.0

    def basis(self, now_ns: int, carry: float) -> float:
        """Ratio of the fair price to the underlying's."""
        left_ns = self.instrument.expiry_ns - now_ns
        if left_ns <= 0:
            return 1 + self.premium.value
        return math.exp(carry * left_ns / (YEAR_S * _SECOND_NS)) * (1 + self.premium.value)


class SeededMarket:
    """The market of ``instruments`` that ``seed`` and ``options`` determine; a ``feed.exchange.market.Market``.

    Raises ValueError when an instrument's underlying has no start price or an option makes no sense.
    """

    def __init__(self, instruments: Sequence[Instrument], seed: int, options: SeededOptions | None = None) -> None:
        self._options = options or SeededOptions()
        self._instruments = tuple(instruments)
        _check(self._instruments, self._options)
        self._paths = {i.underlying: self._new_path(i.underlying, seed) for i in self._instruments}
        self._contracts = {
            i.name: _Contract(i, self._paths[i.underlying], seed, self._options) for i in self._instruments
        }
        self._floor: Floor | None = None
        self._heap: list[tuple[int, int, _Contract | None, Maker | None]] = []
        self._pushed = 0
        self._index_due_ns = 0

    @property
    def instruments(self) -> Sequence[Instrument]:
        """What it trades."""
        return self._instruments

    def fair_usd(self, instrument: str) -> float:
        """Present fair price of ``instrument``, the centre of its crowd: the truth that no client sees."""
        return self._contracts[instrument].fair_usd

    def regime(self, underlying: str) -> Regime:
        """Present regime of ``underlying``."""
        return self._paths[underlying].regime

    def start(self, floor: Floor, now_ns: int) -> None:
        """Publish the first index, fill the books and schedule everybody's first act."""
        self._floor = floor
        self._publish(floor, now_ns)
        for contract in self._contracts.values():
            contract.fair_usd = contract.path.price_usd * contract.basis(now_ns, self._options.carry)
            for maker in contract.makers:
                maker.refresh(floor, contract.fair_usd, contract.path.regime.spread)
                self._push_maker(now_ns, contract, maker)
            self._push_taker(now_ns, contract)
        self._push(now_ns + self._options.step_ns, None, None)

    def next_ns(self) -> int:
        """Epoch time in ns of the next act; ``NEVER_NS`` before ``start``."""
        return self._heap[0][0] if self._heap else NEVER_NS

    def advance(self, now_ns: int) -> None:
        """Perform every act due at or before ``now_ns``, in order."""
        floor = self._floor
        if floor is None:
            raise RuntimeError("SeededMarket.advance before start")
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            due_ns, _, contract, maker = heapq.heappop(heap)
            if contract is None:
                self._step(floor, due_ns)
                self._push(due_ns + self._options.step_ns, None, None)
            elif not contract.open:
                continue
            elif maker is None:
                self._sweep(floor, contract)
                self._push_taker(due_ns, contract)
            else:
                seen_usd = contract.fair_usd
                if maker.profile.lag_steps:
                    path = contract.path
                    seen_usd *= path.past_usd(maker.profile.lag_steps) / path.price_usd
                maker.refresh(floor, seen_usd, contract.path.regime.spread)
                self._push_maker(due_ns, contract, maker)

    def _new_path(self, underlying: str, seed: int) -> PricePath:
        options = self._options
        step_s = options.step_ns / _SECOND_NS
        return PricePath(
            options.start_usd[underlying],
            _rng(seed, underlying, "price"),
            step_s=step_s,
            lag_steps=max((m.lag_steps for m in options.makers), default=0),
            ahead_steps=max(1, round(options.horizon_s / step_s)),
            regimes=options.regimes,
            jumps_per_hour=options.jumps_per_hour,
            jump_bps=options.jump_bps,
        )

    def _step(self, floor: Floor, now_ns: int) -> None:
        """One grid point: prices move, the index is published when due, and what the move left behind is arbitraged."""
        for path in self._paths.values():
            path.step()
        if now_ns >= self._index_due_ns:
            self._publish(floor, now_ns)
        for contract in self._contracts.values():
            contract.premium.step()
            contract.fair_usd = contract.path.price_usd * contract.basis(now_ns, self._options.carry)
            if not contract.open:
                continue
            if 0 < contract.instrument.expiry_ns <= now_ns:
                contract.open = False
                for maker in contract.makers:
                    maker.withdraw(floor)
            else:
                self._arbitrage(floor, contract)

    def _publish(self, floor: Floor, now_ns: int) -> None:
        for underlying, path in self._paths.items():
            floor.set_index(underlying, path.price_usd)
        self._index_due_ns = now_ns + self._options.index_ns

    def _arbitrage(self, floor: Floor, contract: _Contract) -> None:
        """Trade with the best order of each side if it stands beyond the fair price by more than the margin."""
        name, tick_usd = contract.instrument.name, contract.instrument.tick_usd
        margin = self._options.arbitrage_bps * BPS
        highest_ask = math.floor(contract.fair_usd * (1 - margin) / tick_usd)
        lowest_bid = math.ceil(contract.fair_usd * (1 + margin) / tick_usd)
        ask = floor.best(name, False)
        if ask is not None and ask[0] <= highest_ask:
            floor.insert(name, True, highest_ask, ask[1], ioc=True)
        bid = floor.best(name, True)
        if bid is not None and bid[0] >= lowest_bid:
            floor.insert(name, False, lowest_bid, bid[1], ioc=True)

    def _sweep(self, floor: Floor, contract: _Contract) -> None:
        instrument = contract.instrument
        sweep = contract.takers.draw(contract.path.coming_log)
        sign = 1 if sweep.buy else -1
        limit_usd = contract.fair_usd * (1 + sign * sweep.reach_bps * BPS)
        rounded = math.floor if sweep.buy else math.ceil
        limit_ticks = max(1, rounded(limit_usd / instrument.tick_usd))
        lots = round(sweep.notional_usd / (contract.fair_usd * instrument.lot_contracts)) or 1
        for maker in contract.makers:
            lots += maker.depth_lots(floor, not sweep.buy, limit_ticks)
        floor.insert(instrument.name, sweep.buy, limit_ticks, lots, ioc=True)

    def _push_maker(self, now_ns: int, contract: _Contract, maker: Maker) -> None:
        self._push(now_ns + int(maker.next_look_s() / self._options.activity * _SECOND_NS) + 1, contract, maker)

    def _push_taker(self, now_ns: int, contract: _Contract) -> None:
        activity = self._options.activity * contract.path.regime.activity
        self._push(now_ns + int(contract.takers.next_arrival_s(activity) * _SECOND_NS) + 1, contract, None)

    def _push(self, due_ns: int, contract: _Contract | None, maker: Maker | None) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (due_ns, self._pushed, contract, maker))


def _rng(seed: int, owner: str, part: str) -> Random:
    """A source of its own for every part: text seeds are hashed with SHA-512, the same on every machine."""
    return Random(f"{seed}/{owner}/{part}")


def _check(instruments: Sequence[Instrument], options: SeededOptions) -> None:
    if not instruments:
        raise ValueError("a seeded market needs at least one instrument")
    missing = sorted({i.underlying for i in instruments} - set(options.start_usd))
    if missing:
        raise ValueError(f"no start price for {', '.join(missing)}: name it in SeededOptions.start_usd")
    takers = options.takers
    positive = {
        "step_ns": options.step_ns,
        "index_ns": options.index_ns,
        "horizon_s": options.horizon_s,
        "premium_memory_s": options.premium_memory_s,
        "activity": options.activity,
        "takers.rate_per_s": takers.rate_per_s,
        "takers.decay_per_bp": takers.decay_per_bp,
        "takers.size_tail": takers.size_tail,
        "regimes": len(options.regimes),
        **{f"start_usd of {u}": price for u, price in options.start_usd.items()},
    }
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"SeededOptions.{name} must be positive, not {value}")
    if not 0 <= takers.informed_share <= 1:
        raise ValueError(f"SeededOptions.takers.informed_share must be in 0…1, not {takers.informed_share}")
