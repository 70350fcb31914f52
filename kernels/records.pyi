import numpy as np

from kernels.layouts import layouts as layouts

SETTINGS: np.dtype[np.void]
MODEL: np.dtype[np.void]
MARKET: np.dtype[np.void]
TARGET: np.dtype[np.void]
VOLATILITY: np.dtype[np.void]
POSITION: np.dtype[np.void]
FLOW: np.dtype[np.void]
CANDLES: np.dtype[np.void]
FORECAST: np.dtype[np.void]
DTYPES: dict[str, np.dtype[np.void]]
