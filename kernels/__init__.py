"""Numbers and memory: model kernels and the structures under them. No I/O, no clock, no logging."""
