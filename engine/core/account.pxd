"""What the core knows of its account. Owner: the core's thread."""

from libc.stdint cimport int64_t, uint64_t

from engine.core.orders cimport OrderTable
from engine.core.quoter cimport Quoter
from engine.core.reports cimport Reports
from engine.core.risk cimport Gate
from feed.frames cimport MessageHandler

cdef class Account(MessageHandler):
    cdef readonly object plan
    cdef readonly object session
    cdef readonly OrderTable table
    cdef readonly Gate gate
    cdef readonly Quoter quoter
    cdef readonly Reports reports
    cdef readonly list instruments
    cdef int64_t next_audit_ns
    cdef readonly str wants_close       # why the connection should be given up and made anew; None: it should not
    cdef readonly bint stopping
    cdef readonly bint stopped
    cdef readonly int64_t orders_left   # as the venue last told while stopping; -1: not told
    cdef readonly int64_t leftover_orders
    cdef dict _prices                   # mark by instrument name, what limits in USD are turned into lots with on this connection
    cdef dict _positions                # of record, by instrument name, until the grids are known
    cdef dict _reported                 # the same as the channel told it on this connection
    cdef uint64_t _position_query       # id of the question for them, 0: none is under way
    cdef dict _rearm_after              # product: when its protection is armed again, ns
    cdef readonly int64_t missed_lots   # found after a connection was lost
    cdef readonly int64_t history_fills  # trades that the account's history told of them
    cdef readonly int64_t marked_lots   # those of them that were booked at the mark, for want of a trade
    cdef readonly int64_t overshoots    # times that more traded than protection was to let through, and the most
    cdef readonly int64_t overshoot_e8
    cdef readonly str last_error
