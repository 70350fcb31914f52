"""The tap of the journal: a copy of every input and output of a handler goes into a shared-memory ring.

A record is cut into slots of TAP_SLOT_BYTES; offsets in bytes, little-endian::

    0     size          first slot: bytes of the record's data; later ones: bytes that are left in this and those behind it
    4     kind          Kind of feed.journal
    5     flags         1: a message that is the last of its batch
    6     part          0: first slot of a record; 1: a later one
    8     sequence      number of the record, counted from 0 since the start
    16    now_ns        first slot only: time of the input, or of the input that caused the output; data from 24 on
    16    data          later slots

Writer: the thread that owns the handler. Reader: ``feed.journal_writer`` in a process of its own.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from feed.frames cimport MessageHandler, Sink
from feed.stamps cimport Stamper, Stamps
from kernels.ring cimport RingWriter

cdef enum:
    TAP_SLOT_BYTES = 504                # with its sequence eight cache lines
    FIRST_HEAD_BYTES = 24
    LATER_HEAD_BYTES = 16
    TAP_DATA_BYTES_MAX = 4194304        # of one record: four times the longest message

cdef struct SlotHead:
    uint32_t size
    uint8_t kind
    uint8_t flags
    uint8_t part
    uint8_t unused
    uint64_t sequence
    int64_t now_ns                  # first slot only

cdef class Tap(MessageHandler):
    cdef readonly MessageHandler handler
    cdef readonly RingWriter ring
    cdef readonly uint64_t sequence     # of the next record
    cdef int64_t now_ns                 # of the last input
    cdef Stamper stamper
    cdef Stamps* stamps                 # NULL: nobody notes where the time goes
    cdef bytes token_                   # not seen in an output yet: to be kept out of the journal; None: there is none

    cdef void put_c(self, int kind, int flags, int64_t now_ns, const char* data, Py_ssize_t size) noexcept nogil

# Stands between the handler and the sink that writes to the connection.
cdef class TapSink(Sink):
    cdef readonly Tap tap
    cdef readonly Sink sink

# Takes what a replayed handler writes, and refuses where the recorded sink refused.
cdef class AnswerSink(Sink):
    cdef public list sent               # bytes, since the last ``expect``
    cdef set refused_                   # numbers of the writes, since then, that are answered with a refusal

cdef class Joiner:
    cdef readonly uint64_t expected     # sequence of the next record
    cdef readonly uint64_t lost         # records that were overwritten before they were read
    cdef bytearray data_                # of the record in hand
    cdef tuple head_                    # of the record in hand; None: none is
    cdef Py_ssize_t left_               # bytes that the record in hand still lacks
