"""Benchmarks: each measures its reference in the same run; what is judged is the ratio."""
