"""Faults that happen at random moments: to link, exchange, market, account, operator and process."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.sim.options import LOT_CONTRACTS, MS, RATES, SECOND_NS

if TYPE_CHECKING:
    from random import Random

    from engine.sim.trial import Trial


def schedule(trial: "Trial") -> None:
    """Let every fault class that is on happen at its rate, from now on, until the trial is healed."""
    for name, rate in trial.options.faults.items():
        if name in RATES and rate > 0:
            _next(trial, name, rate, trial.options.rng(name))


def _next(trial: "Trial", name: str, rate: float, rng: "Random") -> None:
    def strike() -> None:
        if not trial.healed:
            if ACTS[name](trial, rng):
                trial.marks[name] += 1
            _next(trial, name, rate, rng)

    trial.agenda.after(round(rng.expovariate(rate) * SECOND_NS), strike)


# --- the link -----------------------------------------------------------------------------------------------------


def _stall(trial: "Trial", rng: "Random") -> bool:
    until_ns = trial.now_ns + round(rng.uniform(0.05, 3.0) * SECOND_NS)
    inbound, outbound = rng.choice(((True, True), (True, False), (False, True)))
    if trial.link is None:
        return False
    trial.link.stall(until_ns, inbound, outbound)
    return True


def _cut(trial: "Trial", rng: "Random") -> bool:
    if trial.link is None:
        return False
    trial.link.cut("cut")
    return True


def _half_open(trial: "Trial", rng: "Random") -> bool:
    if trial.link is None:
        return False
    trial.link.go_silent()
    return True


def _block_sink(trial: "Trial", rng: "Random") -> bool:
    trial.sink.blocked = True
    trial.agenda.after(round(rng.uniform(0.01, 1.5) * SECOND_NS), trial.unblock)
    return True


def _mute_ticker(trial: "Trial", rng: "Random") -> bool:
    trial.wire.mute_ticker_until_ns = trial.now_ns + round(rng.uniform(0.5, 6.0) * SECOND_NS)
    return True


def _mute_book(trial: "Trial", rng: "Random") -> bool:
    trial.wire.mute_book_until_ns = trial.now_ns + round(rng.uniform(0.2, 4.0) * SECOND_NS)
    return True


# --- the exchange -------------------------------------------------------------------------------------------------


def _failover(trial: "Trial", rng: "Random") -> bool:
    trial.exchange.failover(trial.now_ns)
    return True


def _announce_close(trial: "Trial", rng: "Random") -> bool:
    trial.exchange.announce_close(trial.now_ns, round(rng.uniform(0.2, 10.0) * SECOND_NS))
    return True


def _banner(trial: "Trial", rng: "Random") -> bool:
    banner = {"id": 1, "time": trial.now_ns / 1e9, "severity": "warning", "title": "t", "message": "trading is halted"}
    trial.exchange.set_banners([banner], trial.now_ns)
    return True


def _burst(trial: "Trial", rng: "Random") -> bool:
    trial.exchange.advance(trial.now_ns)
    trial.market.sweep(rng)
    return True


def _jump(trial: "Trial", rng: "Random") -> bool:
    trial.exchange.advance(trial.now_ns)
    trial.market.jump(rng)
    return True


def _hole(trial: "Trial", rng: "Random") -> bool:
    trial.exchange.advance(trial.now_ns)
    trial.market.hole(rng, trial.now_ns)
    return True


# --- the account --------------------------------------------------------------------------------------------------


def _foreign_trade(trial: "Trial", rng: "Random") -> bool:
    """A person trades on the same account."""
    listed = rng.choice(trial.options.listed)
    lots = rng.choice((1, 2, 5))
    params = {
        "direction": rng.choice(("buy", "sell")),
        "instrument_name": listed.name,
        "amount": lots * LOT_CONTRACTS,
        "order_type": "market",
        "time_in_force": "immediate_or_cancel",
    }
    trial.checker.foreign_lots[listed.name] = trial.checker.foreign_lots.get(listed.name, 0) + lots
    trial.checker.halts_expected = True
    trial.foreign("private/insert", params)
    return True


def _foreign_cancel(trial: "Trial", rng: "Random") -> bool:
    """A person cancels everything by hand."""
    trial.foreign("private/cancel_all", {})
    return True


# --- operator and process -----------------------------------------------------------------------------------------


def _halt(trial: "Trial", rng: "Random") -> bool:
    if trial.checker.halted:
        return False
    trial.halt()
    trial.agenda.after(round(rng.uniform(0.0, 3.0) * SECOND_NS), trial.resume)
    return True


def _kill(trial: "Trial", rng: "Random") -> bool:
    trial.kill(round(rng.uniform(0.0, 1.0) * SECOND_NS))
    return True


def _freeze(trial: "Trial", rng: "Random") -> bool:
    trial.ready_ns = trial.now_ns + round(rng.choice((5, 100, 700, 2500)) * rng.random() * MS)
    return True


ACTS: dict[str, Callable[["Trial", "Random"], bool]] = {
    "stall": _stall,
    "cut": _cut,
    "half_open": _half_open,
    "block_sink": _block_sink,
    "mute_ticker": _mute_ticker,
    "mute_book": _mute_book,
    "failover": _failover,
    "announce_close": _announce_close,
    "banner": _banner,
    "burst": _burst,
    "jump": _jump,
    "hole": _hole,
    "foreign_trade": _foreign_trade,
    "foreign_cancel": _foreign_cancel,
    "halt": _halt,
    "kill": _kill,
    "freeze": _freeze,
}
