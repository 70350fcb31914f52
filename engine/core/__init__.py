"""The deterministic core: state, orders, risk and the step.

Reads no clock, socket, file, random source or environment.
"""
