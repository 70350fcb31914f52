"""Simulated worlds around the real core and the real exchange."""
