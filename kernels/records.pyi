import numpy as np

SETTINGS: np.dtype[np.void]
MODEL: np.dtype[np.void]
MARKET: np.dtype[np.void]
TARGET: np.dtype[np.void]
VOLATILITY: np.dtype[np.void]
POSITION: np.dtype[np.void]
FLOW: np.dtype[np.void]
CANDLES: np.dtype[np.void]
DTYPES: dict[str, np.dtype[np.void]]

def layouts() -> dict[str, tuple[int, dict[str, int]]]: ...
