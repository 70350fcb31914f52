import numpy as np
from numpy.typing import NDArray

def fit_rate(
    distance: NDArray[np.float64],
    seconds: NDArray[np.float64],
    events: NDArray[np.float64],
    together: NDArray[np.float64],
    least: float = 30.0,
) -> dict[str, float]: ...
def fit_distance(one: dict[str, float], other: dict[str, float]) -> float: ...
