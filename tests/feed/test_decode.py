"""The fast decoder accepts only what the slow one accepts, and reads it the same."""

import json

import pytest

from tests.feed.codec import CHANNELS, differ, new_decoder
from tests.shared import SAMPLES, needs_samples

DECODER = new_decoder()
SLOW, TICKER, LWT, BOOK, TRADES, ORDERS, PORTFOLIO, INDEX, REPLY = range(9)

# Replies with more members in one object than the fast decoder compares; all of them are answers to cold requests.
LARGE_REPLIES = {"open_orders", "required_margin_breakdown", "trade_history", "ticker"}


def samples() -> list[str]:
    return (
        sorted(path.name for path in SAMPLES.glob("*.json") if not path.name.startswith("req_"))
        if SAMPLES.is_dir()
        else []
    )


@needs_samples
@pytest.mark.parametrize("name", samples())
def test_samples(name: str) -> None:
    frame = (SAMPLES / name).read_bytes().strip()
    kind, accepted = differ(DECODER, frame)
    assert accepted
    message = json.loads(frame)
    if "id" in message:
        hot = message["id"] is not None and not any(name.endswith(f"_{large}.json") for large in LARGE_REPLIES)
        assert kind == (REPLY if hot else SLOW)
    else:
        assert bool(kind) == (message["channel_name"] in CHANNELS)
