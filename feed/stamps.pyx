"""Where a tick's time goes: the stages' names, and the base of what notes them. ``stamps.pxd`` tells the rest."""

NAMES = ("frame", "journal", "decode", "book", "signals", "model", "risk", "encode", "write")
"""Of the stages, in their order; JSON, the terminal view and the histograms use them."""


cdef class Stamper:
    """Notes nothing."""

    cdef Stamps* stamps_c(self) noexcept nogil:
        return NULL
