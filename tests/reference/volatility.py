"""The volatility estimator in plain Python: whole lists, no ring, formulas as published."""

import math


def parzen(x: float) -> float:
    x = abs(x)
    if x <= 0.5:
        return 1 - 6 * x**2 + 6 * x**3
    return 2 * (1 - x) ** 3 if x <= 1 else 0.0


def realised_kernel(returns: list[float]) -> float:
    """Sum over lags -H..H of Parzen weight times autocovariance, with the automatic bandwidth."""
    n = len(returns)
    plain = sum(r * r for r in returns)
    step = max(1, n // 12)
    prices = [sum(returns[:i]) for i in range(n + 1)]
    moves = [(prices[i + step] - prices[i]) ** 2 for i in range(n - step + 1)]
    sparse = sum(moves) / len(moves) * n / step
    if plain <= 0 or sparse <= 0:
        return max(plain, 0.0)
    ratio = min(1.0, plain / (2 * n * sparse))
    lags = min(math.ceil(3.5134 * ratio ** (2 / 5) * n ** (3 / 5)), n // 3)
    total = 0.0
    for lag in range(-lags, lags + 1):
        covariance = sum(returns[i] * returns[i - abs(lag)] for i in range(abs(lag), n))
        total += parzen(lag / (lags + 1)) * covariance
    return max(total, 0.0)


class Estimator:
    """Every sample kept; the answer worked out anew from all of them."""

    def __init__(self, *, default: float, floor: float, ceiling: float, span: float, least: int, window: int) -> None:
        self.default, self.floor, self.ceiling = default, floor, ceiling
        self.span, self.least, self.window = span, least, window
        self.minimum_ns = 0
        self.last: tuple[float, int] | None = None
        self.variance = self.weight = 0.0
        self.returns: list[float] = []
        self.ratio = 1.0
        self.rate = 0.0

    def update(self, price: float, t_ns: int) -> float:
        if math.isfinite(price) and price > 0:
            if self.last is None:
                self.last = price, t_ns
            elif t_ns - self.last[1] >= max(1, self.minimum_ns):
                self._sample(max(-1.0, min(1.0, math.log(price / self.last[0]))), (t_ns - self.last[1]) / 1e9)
                self.last = price, t_ns
        if self.last is None:
            return 0.0
        raw = math.sqrt(self.variance * self.ratio) if len(self.returns) >= max(1, self.least) else self.default
        return min(max(raw, self.floor), self.ceiling) * self.last[0]

    def _sample(self, change: float, span: float) -> None:
        n = len(self.returns) + 1
        alpha = max(2 / (self.span + 1), 1 / n)
        weight = span if n == 1 else min(span, 4 * self.weight)
        new_weight = (1 - alpha) * self.weight + alpha * weight
        weighted = (1 - alpha) * self.weight * self.variance + alpha * change**2 / span * weight
        self.variance, self.weight = weighted / new_weight, new_weight
        self.returns.append(change * math.sqrt(weight / span))
        if n > 1 and n % max(1, self.window // 4) == 0:
            recent = self.returns[-self.window :]
            plain = sum(r * r for r in recent)
            self.ratio = realised_kernel(recent) / plain if plain > 0 else self.ratio
