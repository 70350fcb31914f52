"""A grid coarser than the venue's: every price and size that is sent is on it, and quotes only move outwards."""

import re
from collections.abc import Iterator

import orjson
import pytest

from tests.engine.simulated import run, world


def sent_levels(texts: list[bytes]) -> Iterator[tuple[str, float, float]]:
    """(side, price in USD, size in contracts) of what was quoted; an amend names filled and new size in one."""
    for text in texts:
        request = orjson.loads(text)
        params = request.get("params", {})
        assert request["method"] != "private/amend" or params["price"] % 25 == 0
        for quote in params.get("quotes", ()):
            for short, side in (("b", "buy"), ("a", "sell")):
                for price, size in quote.get(short, ()):
                    yield side, price, size
        if request["method"] == "private/insert":
            yield params["direction"], params["price"], params["amount"]


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_prices_and_sizes_have_no_more_decimals_than_asked_for(mode: str) -> None:
    texts: list[bytes] = []
    w = world(4, mode=mode, coarse_price_e8=25 * 10**8, coarse_size_e8=10**6)
    w.on_outbound = lambda now_ns, text: texts.append(text)
    status = run(w, 60)
    levels = list(sent_levels(texts))
    assert status["quotes_sent"] > 20 and len(levels) > 8
    for _, price, size in levels:
        assert price % 25 == 0, price
        assert round(size * 1e8) % 10**6 == 0 and size > 0, size
    assert status["counters"]["venue_errors"] == 0


def test_a_coarse_grid_moves_quotes_away_from_the_market_only() -> None:
    touch: dict[int, list[tuple[float, float]]] = {}
    for step in (0, 25):
        texts: list[bytes] = []
        w = world(4, mode="mass_quote", coarse_price_e8=step * 10**8)
        w.on_outbound = lambda now_ns, text, texts=texts: texts.append(text)  # type: ignore[misc]
        while not any(re.search(rb'"b":\[\[', text) for text in texts):
            run(w, 0.05)
        levels = list(sent_levels(texts))
        touch[step] = [
            (max(p for s, p, _ in levels if s == "buy"), min(p for s, p, _ in levels if s == "sell")),
        ]
    (fine,), (coarse,) = touch[0], touch[25]
    assert fine[0] - 25 < coarse[0] <= fine[0] < fine[1] <= coarse[1] < fine[1] + 25
