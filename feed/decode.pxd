"""The fast decoder: hot channels and order replies, straight from the frame's memory into records."""

from libc.stdint cimport int32_t

from feed.events cimport (BookUpdate, IndexPrice, Lwt, OrderBatch, PortfolioBatch, Reply, Ticker, TradeBatch)
from feed.heads cimport Head
from feed.symbols cimport SymbolTable

cdef class Decoder:
    # Channel value = kind << 16 | instrument (or underlying) index.
    cdef readonly SymbolTable channels
    cdef readonly SymbolTable instruments
    cdef readonly SymbolTable underlyings
    cdef Head heads_[64]                # HEADS
    cdef Ticker ticker
    cdef Lwt lwt
    cdef BookUpdate book
    cdef TradeBatch trades
    cdef OrderBatch orders
    cdef PortfolioBatch portfolio
    cdef IndexPrice index
    cdef Reply reply

    # Kind of the record now filled, or KIND_SLOW: nothing was filled, decode the frame with ``feed.decode_slow``.
    cdef int32_t decode_c(self, const char* frame, Py_ssize_t size) noexcept nogil
