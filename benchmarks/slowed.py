"""The quote kernel with a loop in front, made as the kernels that trade are: a slower kernel for the gate to catch.

python -m benchmarks.slowed TURNS PROCESSOR    object code on standard output
"""

import sys

from kernels import apart, compiling, kernel, linking

kernel.declare(apart.Declared)

from kernels import quote  # noqa: E402 - declared, not compiled by Numba
from kernels.kernel import Record, i4, market_record, model_record, target_record  # noqa: E402

TURNS = int(sys.argv[1])
PROCESSOR = sys.argv[2]


@kernel.kernel(i4(market_record, model_record, target_record))
def slowed(market: Record, model: Record, target: Record) -> int:
    """The quote, ``TURNS`` later."""
    value = market.now_ns
    for i in range(TURNS):
        value = (value ^ i) * 2862933555777941757
    target.bid_count = value
    code: int = quote.quote(market, model, target)
    return code


entries = {slowed: linking.symbol("quote")}
sys.stdout.buffer.write(linking.object_code(compiling.compiled(apart.reached(entries), entries), PROCESSOR))  # type: ignore[arg-type]
