"""Instruments that change or go while they are quoted. Owner: the core's thread."""

from libc.stdint cimport int32_t

from engine.core.changing cimport Changing

cdef class Relisting(Changing):
    cdef readonly int32_t regrids        # instruments whose grid is about to change
