"""Running against a live connection."""
