"""A mass quote of three levels a side to bytes, against orjson.dumps of the same request."""

import orjson

from benchmarks.conftest import Race
from feed.encode import Encoder

N = 500


def test_encode(race: Race) -> None:
    encoder, n = Encoder(), 1 if race.smoke else N
    levels = [[60_000.0 + i, 0.049] for i in range(3)]

    def theirs() -> bytes:
        quote = {"i": "BTC-PERPETUAL", "b": levels, "a": levels}
        params = {"quotes": [quote], "label": "as", "post_only": True, "reject_post_only": True}
        return orjson.dumps({"method": "private/mass_quote", "params": params, "id": 1_000_000_000})

    def ours() -> int:
        return encoder.repeat_mass_quote(b"BTC-PERPETUAL", 60_000 * 10**8, 10**8, 4_900_000, 3, n)

    assert 150 < ours() < 260 and 150 < len(theirs()) < 260
    race("encode.mass_quote", ours, theirs, "orjson.dumps", ops=n)
