"""Several histograms and counters in one segment of shared memory, read by other processes as one whole.

Layout, 8-byte words, the writer's only; readers map them read-only::

    0      magic            written last of the header, release; read acquire
    1      layout version
    2      number of histograms
    3      writer's process id
    4      closed           1 once nothing more will come; release, acquire
    5      number of groups
    16     GROUPS_MAX sequences, one a group    even: at rest; odd: being written
    32     NOTES notes      int64, for what is no distribution; the last group
    48     names            TEXT_WORDS words of text: a line a group of histograms, an empty line, a line of notes
    ..     histograms, as kernels.histogram lays them out

A sequence is a seqlock: a reader copies the group, and again when the sequence was odd or has changed (H.-J. Boehm, "Can
seqlocks get along with programming language memory models?", MSPC 2012). So what was recorded of a group between
``open_c`` and ``shut_c`` is seen whole or not at all, and a reader costs the writer nothing but the cache lines it has
looked at. Small groups, so that a copy fits between two writes also where these come 100,000 times a second.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from kernels.fences cimport fence_release, store_relaxed, store_release

cdef enum:
    NOTES = 16
    GROUPS_MAX = 16
    SEQUENCES_WORD = 16

# On the header of a set: what is recorded of a group between the two is seen whole or not at all.
cdef inline void open_c(uint64_t* header, int32_t group) noexcept nogil:
    cdef uint64_t* sequence = header + <int>SEQUENCES_WORD + group
    store_relaxed(sequence, sequence[0] + 1)
    fence_release()     # the odd sequence is seen before any count

cdef inline void shut_c(uint64_t* header, int32_t group) noexcept nogil:
    cdef uint64_t* sequence = header + <int>SEQUENCES_WORD + group
    store_release(sequence, sequence[0] + 1)    # release: every count is seen before the even sequence

cdef class HistogramSet:
    cdef readonly str path              # of the segment; "" where the memory is private
    cdef readonly tuple groups          # of tuples of names
    cdef readonly tuple notes
    cdef readonly dict histograms       # by name
    cdef uint64_t* header_
    cdef int64_t* note_                 # [NOTES]
    cdef int32_t notes_group            # the number of the notes' group
    cdef object memory_
    cdef object finalizer_
    cdef object __weakref__

cdef class HistogramReader:
    cdef readonly str path
    cdef readonly tuple groups
    cdef readonly tuple notes
    cdef const uint64_t* header_
    cdef object memory_
    cdef int fd_
    cdef bint copy_c(self, int32_t group, int32_t first, int32_t count, unsigned char* target) noexcept nogil
