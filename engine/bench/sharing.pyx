"""Records handed to another process: a writer and a reader of a ring in C loops, with CLOCK_MONOTONIC in every record.

A record is a time in ns and seven words of load. Owner: one thread each.
"""

from libc.stdint cimport int64_t

import numpy as np

from engine.bench.harness cimport monotonic_ns
from kernels.ring cimport RING_EMPTY, RING_OK, RING_OVERRUN, RingReader, RingWriter

cdef enum:
    WORDS = 8
    WORDS_MAX = 64

RECORD_BYTES = WORDS * sizeof(int64_t)


def push(RingWriter ring not None, int64_t n, int64_t gap_ns=0):
    """Push ``n`` records, one every ``gap_ns`` (0: as fast as they go); how long each push took, in ns.

    The time in a record is taken before it is pushed. Without a gap nothing is timed one by one: the mean, once.
    Raises ValueError for a ring of other records.
    """
    cdef int64_t record[WORDS]
    cdef int64_t i, begin, due, now
    cdef double[::1] took
    if ring.record_bytes != RECORD_BYTES:
        raise ValueError(f"records of {ring.record_bytes} bytes, not {RECORD_BYTES}")
    found = np.zeros(n if gap_ns else 1)
    took = found
    for i in range(WORDS):
        record[i] = i
    begin = monotonic_ns()
    due = begin
    with nogil:
        for i in range(n):
            if gap_ns:
                due += gap_ns
                now = monotonic_ns()
                while now < due:
                    now = monotonic_ns()
                record[0] = now
                ring.push_c(record)
                took[i] = monotonic_ns() - now
            else:
                ring.push_c(record)
    if gap_ns == 0 and n:
        took[0] = (monotonic_ns() - begin) / <double>n
    return found


def pull(RingReader ring not None, int64_t n, int64_t timeout_ns):
    """Spin on a ring until ``n`` records were read or the time is up: from each record's time to now, in ns.

    Of another writer's records the first word is no time, and what is returned means nothing but their number. Raises
    ValueError for records of more than 512 bytes.
    """
    cdef int64_t record[WORDS_MAX]
    cdef int64_t seen = 0
    cdef int64_t until = monotonic_ns() + timeout_ns
    cdef int64_t[::1] took
    cdef int code
    if ring.record_bytes > <int64_t>sizeof(record):
        raise ValueError(f"records of {ring.record_bytes} bytes: at most {sizeof(record)}")
    found = np.zeros(n, np.int64)
    took = found
    with nogil:
        while seen < n:
            code = ring.read_c(record)
            if code == RING_OK:
                took[seen] = monotonic_ns() - record[0]
                seen += 1
            elif code == RING_OVERRUN:
                ring.skip_c()
            elif code != RING_EMPTY or monotonic_ns() > until:
                break
    return found[:seen]
