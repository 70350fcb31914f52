"""The reference for the whole: the venue's official SDK (``websockets``, ``json``) and the model in plain Python.

Every ticker is answered with one mass quote of one level a side, which is all that the SDK's ``Quote`` can say; the
model computes the whole ladder. The SDK is a development dependency; without it this reference is left out.
"""

import json
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

from engine.bench.reference import PlainPython


def missing() -> str | None:
    """Why the SDK cannot be measured; None when it can."""
    try:
        version("thalex")
    except PackageNotFoundError:
        return "thalex is not installed (pip install thalex)"
    return None


async def quote(url: str, instrument: str, records: dict[str, Any]) -> None:
    """Answer tickers until the server closes. ``records``: a live instrument's, for the model."""
    from websockets.exceptions import ConnectionClosed

    thalex: Any = import_module("thalex")
    client = thalex.Thalex(SimpleNamespace(value=url))
    model = PlainPython(instrument, records)
    now_ns = 0
    await client.connect()
    try:
        while True:
            ticker = json.loads(await client.receive())["notification"]
            now_ns += 100_000_000
            bids, asks = model.ladder(ticker["best_bid_price"], ticker["best_ask_price"], now_ns)
            quoted = thalex.Quote(instrument, thalex.SideQuote(*bids[0]), thalex.SideQuote(*asks[0]))
            await client.mass_quote([quoted], label="as", post_only=True, reject_post_only=True, id=1)
    except ConnectionClosed:
        await client.disconnect()
