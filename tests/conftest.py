"""Hypothesis profiles: what a change is checked with, and what ``make fuzz`` runs."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=20_000, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("QUOTER_HYPOTHESIS", "default"))
