"""Faults that happen at random moments: to link, exchange, market, account, operator and process."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.sim.options import LOT_CONTRACTS, MS, RATES, SECOND_NS

if TYPE_CHECKING:
    from random import Random

    from engine.sim.operator import Operator


def schedule(host: "Operator") -> None:
    """Let every fault class that is on happen at its rate, from now on, until the run is healed."""
    for name, rate in host.options.faults.items():
        if name in RATES and rate > 0:
            _next(host, name, rate, host.options.rng(name))


def _next(host: "Operator", name: str, rate: float, rng: "Random") -> None:
    def strike() -> None:
        if not host.healed:
            if ACTS[name](host, rng):
                host.marks[name] += 1
            _next(host, name, rate, rng)

    host.agenda.after(round(rng.expovariate(rate) * SECOND_NS), strike)


# --- the link -----------------------------------------------------------------------------------------------------


def _stall(host: "Operator", rng: "Random") -> bool:
    until_ns = host.now_ns + round(rng.uniform(0.05, 3.0) * SECOND_NS)
    inbound, outbound = rng.choice(((True, True), (True, False), (False, True)))
    if host.link is None:
        return False
    host.link.stall(until_ns, inbound, outbound)
    return True


def _cut(host: "Operator", rng: "Random") -> bool:
    if host.link is None:
        return False
    host.link.cut("cut")
    return True


def _half_open(host: "Operator", rng: "Random") -> bool:
    if host.link is None:
        return False
    host.link.go_silent()
    return True


def _block_sink(host: "Operator", rng: "Random") -> bool:
    host.sink.blocked = True
    host.agenda.after(round(rng.uniform(0.01, 1.5) * SECOND_NS), host.unblock)
    return True


def _mute_ticker(host: "Operator", rng: "Random") -> bool:
    host.wire.mute_ticker_until_ns = host.now_ns + round(rng.uniform(0.5, 6.0) * SECOND_NS)
    return True


def _mute_book(host: "Operator", rng: "Random") -> bool:
    host.wire.mute_book_until_ns = host.now_ns + round(rng.uniform(0.2, 4.0) * SECOND_NS)
    return True


# --- the exchange -------------------------------------------------------------------------------------------------


def _failover(host: "Operator", rng: "Random") -> bool:
    host.exchange.failover(host.now_ns)
    return True


def _announce_close(host: "Operator", rng: "Random") -> bool:
    host.exchange.announce_close(host.now_ns, round(rng.uniform(0.2, 10.0) * SECOND_NS))
    return True


def _banner(host: "Operator", rng: "Random") -> bool:
    banner = {"id": 1, "time": host.now_ns / 1e9, "severity": "warning", "title": "t", "message": "trading is halted"}
    host.exchange.set_banners([banner], host.now_ns)
    return True


def _burst(host: "Operator", rng: "Random") -> bool:
    host.exchange.advance(host.now_ns)
    host.market.sweep(rng)
    return True


def _jump(host: "Operator", rng: "Random") -> bool:
    host.exchange.advance(host.now_ns)
    host.market.jump(rng)
    return True


def _hole(host: "Operator", rng: "Random") -> bool:
    host.exchange.advance(host.now_ns)
    host.market.hole(rng, host.now_ns)
    return True


# --- the account --------------------------------------------------------------------------------------------------


def _foreign_trade(host: "Operator", rng: "Random") -> bool:
    """A person trades on the same account."""
    listed = rng.choice(host.options.listed)
    lots = rng.choice((1, 2, 5))
    params = {
        "direction": rng.choice(("buy", "sell")),
        "instrument_name": listed.name,
        "amount": lots * LOT_CONTRACTS,
        "order_type": "market",
        "time_in_force": "immediate_or_cancel",
    }
    host.checker.foreign_lots[listed.name] = host.checker.foreign_lots.get(listed.name, 0) + lots
    host.checker.halts_expected = True
    host.foreign("private/insert", params)
    return True


def _foreign_cancel(host: "Operator", rng: "Random") -> bool:
    """A person cancels everything by hand, or one order."""
    ours = host.checker.ours()
    host.cancel_by_hand(rng.choice(ours).id if ours and rng.random() < 0.3 else None)
    return True


# --- operator and process -----------------------------------------------------------------------------------------


def _halt(host: "Operator", rng: "Random") -> bool:
    if host.checker.halted:
        return False
    host.halt()
    host.agenda.after(round(rng.uniform(0.0, 3.0) * SECOND_NS), host.resume)
    return True


def _configure(host: "Operator", rng: "Random") -> bool:
    """Another configuration while running."""
    return host.configure(host.options.reconfigured(rng))


def _reload(host: "Operator", rng: "Random") -> bool:
    """The operator has the same configuration read again."""
    return host.configure(host.options)


def _refused_change(host: "Operator", rng: "Random") -> bool:
    """A change that needs a restart is asked for."""
    host.refuse_change()
    return True


def _kill(host: "Operator", rng: "Random") -> bool:
    host.kill(round(rng.uniform(0.0, 1.0) * SECOND_NS))
    return True


def _disk_full(host: "Operator", rng: "Random") -> bool:
    return host.fill_disk()


def _freeze(host: "Operator", rng: "Random") -> bool:
    host.ready_ns = host.now_ns + round(rng.choice((5, 100, 700, 2500)) * rng.random() * MS)
    return True


ACTS: dict[str, Callable[["Operator", "Random"], bool]] = {
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
    "configure": _configure,
    "reload": _reload,
    "refused_change": _refused_change,
    "kill": _kill,
    "disk_full": _disk_full,
    "freeze": _freeze,
}
