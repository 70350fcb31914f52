"""Where the shared material is, for tests that use it; they skip where it is missing."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("QUOTER_SHARED", ROOT.parent / "shared"))
SAMPLES = SHARED / "thalex" / "samples"
DATA = SHARED / "data"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the protocol samples are not on this machine")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded market data is not on this machine")
