"""The table of what a market must not be to be quoted in."""

from engine.config_section import Finite, Section, key


class Pull(Section):
    """When a market is not quoted in."""

    move_bps: Finite = key(50.0, "bps", "move of the others' mid within move_window that pulls", gt=0, le=10_000)
    move_sigmas: Finite = key(
        100.0, "sigmas", "the same as a multiple of the move that its volatility lets expect", gt=0, le=1e6
    )
    move_window: Finite = key(0.5, "s", "window of both", ge=0.01, le=60)
    hold: Finite = key(2.0, "s", "how long it must have been calm before anything is quoted again", ge=0, le=3600)
    calm: Finite = key(0.5, "fraction", "share of the limit below which it is calm", gt=0, le=1)
    max_book_spread_bps: Finite = key(200.0, "bps", "widest spread of the others that is quoted in", gt=0, le=10_000)
    min_book_usd: Finite = key(500.0, "USD", "least notional of others on each side of the book", ge=0, le=1e9)
