"""The arithmetic of the fees: what a fill keeps, at a price where keys in ticks and in basis points compare."""

from dataclasses import dataclass

from engine.config_schema import Config

BPS = 1e-4


@dataclass(frozen=True, slots=True)
class Reference:
    """A price and a tick at which keys in ticks are put beside keys in basis points."""

    price_usd: float
    tick_usd: float


REFERENCES: dict[str, Reference] = {"BTC": Reference(60_000.0, 1.0), "ETH": Reference(3_000.0, 0.1)}
"""Orders of magnitude by underlying, to judge settings before the venue tells prices (ticks: protocol section 11)."""


@dataclass(frozen=True, slots=True)
class FeeArithmetic:
    """What one fill is expected to keep at a reference price; all in bps of the price.

    ``floor_bps`` and ``ceiling_bps`` bound the half-spread; where they cross, the floor (which holds fee and edge)
    wins. ``edge_bps`` is the smallest edge of a fill after the maker fee, ``best_edge_bps`` what the ceiling leaves.
    ``round_trip_usd`` is the smallest edge of buying and selling the first level once.
    """

    instrument: str
    price_usd: float
    tick_usd: float
    maker_fee_bps: float
    floor_bps: float
    ceiling_bps: float
    first_level_usd: float

    @property
    def edge_bps(self) -> float:
        """Smallest edge of one fill after the fee."""
        return self.floor_bps - self.maker_fee_bps

    @property
    def best_edge_bps(self) -> float:
        """Edge of one fill after the fee at the ceiling of the half-spread."""
        return self.ceiling_bps - self.maker_fee_bps

    @property
    def round_trip_usd(self) -> float:
        """Smallest edge of one round trip of the first level, in USD."""
        return 2 * self.edge_bps * BPS * self.first_level_usd

    def __str__(self) -> str:
        """The arithmetic in one line."""
        fee, size = f"{self.maker_fee_bps:.2f}", f"{self.first_level_usd:,.0f}"
        return (
            f"{self.instrument} at {self.price_usd:g} (tick {self.tick_usd:g}): "
            f"ceiling {self.ceiling_bps:.2f} - fee {fee} = {self.best_edge_bps:.2f} bps a fill at most, "
            f"floor {self.floor_bps:.2f} - fee {fee} = {self.edge_bps:.2f} bps at least, "
            f"2 x {self.edge_bps:.2f} bps x {size} USD = {self.round_trip_usd:.2f} USD a round trip"
        )


def instruments_of(config: Config) -> tuple[str, ...]:
    """The instruments to quote: as given, else the underlying as an instrument or its perpetual, else BTC-PERPETUAL."""
    if config.market.instruments is not None:
        return config.market.instruments
    underlying = config.market.underlying
    if underlying is None:
        return ("BTC-PERPETUAL",)
    return (underlying,) if "-" in underlying else (f"{base_of(underlying)}-PERPETUAL",)


def base_of(name: str) -> str:
    """``BTC`` of BTC, BTCUSD, BTC-PERPETUAL or BTC-27MAR26."""
    return name.partition("-")[0].removesuffix("USD") or name


def fee_arithmetic(config: Config, instrument: str, reference: Reference) -> FeeArithmetic:
    """The bounds of the half-spread at a reference price, as the model resolves them, and what the fee leaves."""
    a = config.trading_strategy.avellaneda
    tick_bps = reference.tick_usd / reference.price_usd / BPS
    fee_bps = config.trading_fees.maker_fee_rate / BPS
    floor = max(a.min_spread * tick_bps, a.min_spread_bps, 2 * (fee_bps + a.min_edge_bps)) / 2
    ceiling = min(a.max_spread_bps, a.max_spread * tick_bps if a.max_spread is not None else a.max_spread_bps) / 2
    size_usd = a.size_usd if a.base_size is None else a.base_size * reference.price_usd
    return FeeArithmetic(
        instrument,
        reference.price_usd,
        reference.tick_usd,
        fee_bps,
        floor,
        ceiling,
        size_usd * a.size_multipliers[0],
    )


def all_fee_arithmetic(config: Config) -> list[FeeArithmetic]:
    """One for every instrument whose order of magnitude is known."""
    return [
        fee_arithmetic(config, name, reference)
        for name in instruments_of(config)
        if (reference := REFERENCES.get(base_of(name))) is not None
    ]
