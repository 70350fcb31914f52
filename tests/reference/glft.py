"""Bounded quotes by integrating the paper's differential equations in plain Python, with Runge-Kutta, from v(T) = 1."""

import math


def finite(
    gamma: float, kappa: float, intensity: float, sigma: float, bound: int, horizon_s: float, steps: int
) -> tuple[list[float], list[float]]:
    """(mid - bid, ask - mid) for inventories -bound..bound; inf where the bound forbids the side."""
    alpha = kappa * gamma * sigma**2 / 2
    eta = intensity * (1 + gamma / kappa) ** -(1 + kappa / gamma)
    range_ = range(-bound, bound + 1)
    v = [1.0] * len(range_)

    def slope(v: list[float]) -> list[float]:
        """Derivative in time to go: -alpha q^2 v_q + eta (v_{q-1} + v_{q+1})."""
        padded = [0.0, *v, 0.0]
        return [-alpha * q * q * padded[i + 1] + eta * (padded[i] + padded[i + 2]) for i, q in enumerate(range_)]

    h = horizon_s / steps
    for _ in range(steps):
        a = slope(v)
        b = slope([x + h / 2 * s for x, s in zip(v, a, strict=True)])
        c = slope([x + h / 2 * s for x, s in zip(v, b, strict=True)])
        d = slope([x + h * s for x, s in zip(v, c, strict=True)])
        v = [x + h / 6 * (p + 2 * q + 2 * r + s) for x, p, q, r, s in zip(v, a, b, c, d, strict=True)]
    fee = math.log(1 + gamma / kappa) / gamma
    bid = [fee + math.log(v[i] / v[i + 1]) / kappa for i in range(2 * bound)]
    ask = [fee + math.log(v[i] / v[i - 1]) / kappa for i in range(1, 2 * bound + 1)]
    return [*bid, math.inf], [math.inf, *ask]
