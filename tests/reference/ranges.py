"""Range estimators as published, one NumPy expression each."""

import numpy as np

Bars = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def parkinson(o: np.ndarray, h: np.ndarray, low: np.ndarray, c: np.ndarray) -> float:
    return float(np.mean(np.log(h / low) ** 2) / (4 * np.log(2)))


def garman_klass(o: np.ndarray, h: np.ndarray, low: np.ndarray, c: np.ndarray) -> float:
    return float(np.mean(0.5 * np.log(h / low) ** 2 - (2 * np.log(2) - 1) * np.log(c / o) ** 2))


def rogers_satchell(o: np.ndarray, h: np.ndarray, low: np.ndarray, c: np.ndarray) -> float:
    return float(np.mean(np.log(h / o) * np.log(h / c) + np.log(low / o) * np.log(low / c)))


def yang_zhang(o: np.ndarray, h: np.ndarray, low: np.ndarray, c: np.ndarray) -> float:
    n = len(o) - 1
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    gaps, moves = np.log(o[1:] / c[:-1]), np.log(c[1:] / o[1:])
    steady = rogers_satchell(o[1:], h[1:], low[1:], c[1:])
    return float(np.var(gaps, ddof=1) + k * np.var(moves, ddof=1) + (1 - k) * steady)
