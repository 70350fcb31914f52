"""Quote one level a side around the mark with ``ThalexClient``, for a few seconds.

    quoter exchange &
    python examples/client.py ws://127.0.0.1:8765/ws/api/v2

The local exchange takes any key. On the test network, give the file and the name of a real one as further arguments.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from feed.auth import Credentials, throwaway_key
from feed.client import ThalexClient
from feed.client_errors import OutcomeUnknown, VenueError
from feed.commands import Quote

INSTRUMENT = "BTC-PERPETUAL"
HALF_SPREAD_USD = 25
SIZE = 0.01


async def follow(client: ThalexClient) -> None:
    """Quote on every change of the ticker, for ever."""
    tick = client.instruments[INSTRUMENT]["tick_size"]
    async for message in await client.subscribe(f"ticker.{INSTRUMENT}.100ms"):
        mark = message.payload["mark_price"]
        bid = (mark - HALF_SPREAD_USD) // tick * tick
        ask = -(-(mark + HALF_SPREAD_USD) // tick) * tick
        try:
            quotes = [Quote(INSTRUMENT, bids=[(bid, SIZE)], asks=[(ask, SIZE)])]
            result = await client.mass_quote(quotes, label="example", post_only=True)
            print(f"{bid} / {ask}: {result.n_success} accepted, {result.n_fail} refused")
        except (VenueError, OutcomeUnknown) as error:
            print(f"{bid} / {ask}: {error}")


async def main(url: str, credentials: Credentials, seconds: float = 5.0) -> None:
    """Quote for a while, and leave no order behind."""
    async with ThalexClient(url, credentials, protection={"FBTCUSD": (10 * SIZE, 10 * SIZE)}) as client:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await follow(client)
        await client.cancel_session()


if __name__ == "__main__":
    address, *key = sys.argv[1:]
    asyncio.run(main(address, Credentials.load(Path(key[0]), key[1]) if key else throwaway_key()))
