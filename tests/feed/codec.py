"""A decoder of the channels and names that the codec tests use."""

from feed.as_record import as_record
from feed.decode import Decoder
from feed.decode_slow import decode
from feed.messages import Malformed
from feed.symbols import SymbolTable

INSTRUMENTS = ("BTC-PERPETUAL", "BTC-25DEC26", "BTC-25DEC26-PERPETUAL", "BTC-21APR26-75000-P", "BTC-25DEC26-120000-C")
CHANNELS = (
    *(f"ticker.{name}.{delay}" for name in INSTRUMENTS for delay in ("raw", "1000ms")),
    *(f"lwt.{name}.{delay}" for name in INSTRUMENTS for delay in ("raw", "100ms", "1000ms")),
    *(f"book.BTC-PERPETUAL.none.all.{delay}" for delay in ("raw", "1000ms")),
    "book.BTC-25DEC26-PERPETUAL.none.all.raw",
    "recent_trades.BTC-PERPETUAL.single",
    "recent_trades.BTCUSD.all",
    "price_index.BTCUSD",
    "session.orders",
    "account.portfolio",
)


def new_decoder() -> Decoder:
    """A decoder of CHANNELS."""
    instruments, underlyings = SymbolTable(16), SymbolTable(4)
    for index, name in enumerate(INSTRUMENTS):
        instruments.add(name.encode(), index)
    underlyings.add(b"BTCUSD", 0)
    decoder = Decoder(SymbolTable(64), instruments, underlyings)
    for channel in CHANNELS:
        decoder.add_channel(channel)
    return decoder


def differ(decoder: Decoder, frame: bytes) -> tuple[int, bool]:
    """Decode fast and slowly and compare; the fast decoder's kind, and whether the slow one accepted.

    Raises AssertionError.
    """
    kind = decoder.decode(frame)
    fast = decoder.record(kind) if kind else None
    try:
        message = decode(frame)
    except Malformed as error:
        assert not kind, f"the fast decoder accepts what the slow one refuses ({error}): {frame!r}"
        return 0, False
    tables = decoder.channels, decoder.instruments, decoder.underlyings
    slow_kind, slow = as_record(message, *tables)
    if kind:
        assert (kind, fast) == (slow_kind, slow), f"fast {fast}, slow {slow}: {frame!r}"
    if slow_kind:
        try:
            assert decoder.load(message) == slow_kind
        except Malformed as error:
            assert "bound" in error.reason, frame
        else:
            assert decoder.record(slow_kind) == slow, frame
    return kind, True
