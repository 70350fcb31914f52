"""Hypothesis profiles: what a change is checked with, and what ``make fuzz`` runs."""

import os
import tempfile

from hypothesis import HealthCheck, settings

# Derandomised: a change is judged by the same examples wherever it is checked; ``make fuzz`` looks for new ones.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, max_examples=20_000, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("QUOTER_HYPOTHESIS", "default"))

# Runs of the quoter leave a journal; those of the tests leave it where it goes away.
_state = tempfile.TemporaryDirectory(prefix="quoter-tests-")
os.environ["XDG_STATE_HOME"] = _state.name
