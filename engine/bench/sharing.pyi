import numpy as np
import numpy.typing as npt

from kernels.ring import RingReader, RingWriter

RECORD_BYTES: int

def push(ring: RingWriter, n: int, gap_ns: int = 0) -> npt.NDArray[np.float64]: ...
def pull(ring: RingReader, n: int, timeout_ns: int) -> npt.NDArray[np.int64]: ...
