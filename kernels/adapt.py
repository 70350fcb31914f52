"""From signals to parameters and prices: bounded, and always worked out from the base.

An effective parameter is base times a factor of the signal within [1/most, most]; it is never fed back, so the same
signal gives the same parameter however often it is applied. A shift of the quotes is the signals times their calibrated
betas, in ticks, capped; a beta of 0 is a signal without weight. A strategy of one's own may call both.
"""

import math

from kernels.kernel import Record, f8, kernel

SIGNALS = f8[::1]


@kernel(f8(f8, f8, f8))
def factor(signal: float, strength: float, most: float) -> float:
    """exp(strength signal) within [1/most, most]; 1 for a signal of 0, and wherever an argument is not a number or
    ``most`` is below 1. Opposite signals give reciprocal factors.
    """
    power = strength * signal
    if not (most >= 1.0 and most < math.inf) or math.isnan(power):
        return 1.0
    edge = math.log(most)
    return math.exp(min(max(power, -edge), edge))


@kernel(f8(f8, f8, f8, f8))
def effective(base: float, signal: float, strength: float, most: float) -> float:
    """base times the factor: a function of the base alone, not of what it was before."""
    return base * factor(signal, strength, most)


@kernel(f8(SIGNALS, SIGNALS, f8))
def shift_ticks(signals: Record, betas: Record, cap_ticks: float) -> float:
    """Sum of signal times beta (ticks for a signal of 1) over the length that both have, within the cap either way;
    0.0 where the sum or the cap is not a finite positive number. Positive moves both quotes up.
    """
    total = 0.0
    for i in range(min(signals.size, betas.size)):
        if betas[i] != 0.0:
            total += betas[i] * min(max(signals[i], -1.0), 1.0)
    if not (-math.inf < total < math.inf) or not (0.0 < cap_ticks < math.inf):
        return 0.0
    return min(max(total, -cap_ticks), cap_ticks)
