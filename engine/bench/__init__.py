"""Measuring the engine: tapes to replay, the harness that reads the clock, references, and the loopback rig."""
