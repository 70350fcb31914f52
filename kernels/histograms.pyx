"""Several histograms and counters in one segment of shared memory; ``histograms.pxd`` draws the layout.

One writer, any number of readers that it neither knows nor waits for; an object belongs to one thread. Names and the life
of a segment: ``kernels.segment``.
"""

import os

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from kernels.fences cimport fence_acquire, load_acquire, load_relaxed, store_release
from kernels.histogram cimport Histogram, used_words_c

from kernels.histogram import SIZE_BYTES
from kernels.segment import DIRECTORY, attach, create, orphaned

cdef enum:
    MAGIC_WORD = 0
    VERSION_WORD = 1
    COUNT_WORD = 2
    PID_WORD = 3
    CLOSED_WORD = 4
    GROUPS_WORD = 5
    NOTES_WORD = 32
    TEXT_WORD = 48
    TEXT_WORDS = 256
    HISTOGRAMS_WORD = TEXT_WORD + TEXT_WORDS
    HISTOGRAMS_MAX = 64
    SNAPSHOT_TRIES = 1000

cdef uint64_t MAGIC = 0x5453494854415551    # "QUATHIST", little-endian
cdef uint64_t VERSION = 1
cdef int64_t HISTOGRAM_WORDS = SIZE_BYTES // 8


def _size(int64_t histograms) -> int:
    return 8 * HISTOGRAMS_WORD + histograms * SIZE_BYTES


def _text(groups, notes) -> bytes:
    """The names as text. Raises ValueError where they do not fit or a name is none."""
    names = [name for group in groups for name in group]
    if not 0 < len(names) <= HISTOGRAMS_MAX or len(notes) > NOTES or not all(groups) or len(groups) >= GROUPS_MAX:
        raise ValueError(f"{len(names)} histograms, {len(groups)} groups, {len(notes)} notes: 1 to {HISTOGRAMS_MAX}, "
                         f"at most {GROUPS_MAX - 1}, at most {NOTES}")
    if len({*names, *notes}) < len(names) + len(notes) or not all(name.isidentifier() for name in (*names, *notes)):
        raise ValueError("names of histograms and notes are identifiers, each given once")
    text = ("\n".join(" ".join(group) for group in groups) + "\n\n" + " ".join(notes)).encode("ascii")
    if len(text) >= 8 * TEXT_WORDS:
        raise ValueError(f"{len(text)} bytes of names: at most {8 * TEXT_WORDS - 1}")
    return text


cdef class HistogramSet:
    """The writing end; creates the segment ``prefix-pid-label`` and removes it. prefix None: private memory, no readers.

    groups: names of the histograms, those together that are to be seen as one state. notes: names of up to ``NOTES``
    integers. Raises as ``kernels.segment.create``.
    """

    def __cinit__(self, prefix, label, groups, notes=(), directory=DIRECTORY):
        cdef uint64_t[::1] words
        cdef unsigned char[::1] text
        written = _text(groups, notes)
        names = [name for group in groups for name in group]
        self.groups = tuple(tuple(group) for group in groups)
        self.notes = tuple(notes)
        self.notes_group = len(groups)
        self.path = ""
        if prefix is None:
            self.memory_ = bytearray(_size(len(names)))
        else:
            self.path, self.memory_, self.finalizer_ = create(self, prefix, label, _size(len(names)), directory)
        view = memoryview(self.memory_)
        words = view.cast("Q")
        self.header_ = &words[0]
        self.note_ = <int64_t*>&words[NOTES_WORD]
        text = view[8 * TEXT_WORD:8 * HISTOGRAMS_WORD]
        memcpy(&text[0], <const char*>written, len(written))
        start = 8 * HISTOGRAMS_WORD
        self.histograms = {
            name: Histogram(view[start + i * SIZE_BYTES:start + (i + 1) * SIZE_BYTES]) for i, name in enumerate(names)
        }
        self.header_[VERSION_WORD] = VERSION
        self.header_[COUNT_WORD] = len(names)
        self.header_[PID_WORD] = os.getpid()
        self.header_[GROUPS_WORD] = len(groups)
        store_release(&self.header_[MAGIC_WORD], MAGIC)    # release: a reader that sees it sees the words above

    def _group_of(self, name) -> int:
        return next(i for i, group in enumerate(self.groups) if name in group)

    def record(self, values) -> None:
        """Record {name: value}; readers see all of those of one group or nothing. Raises KeyError for another name."""
        cdef int64_t value
        cdef int32_t group
        cdef Histogram histogram
        # Nothing may fail once a sequence is odd.
        found = [(self.histograms[name], int(value), self._group_of(name)) for name, value in values.items()]
        touched = {group for _, _, group in found}
        for group in touched:
            open_c(self.header_, group)
        for histogram, value, _ in found:
            histogram.record_c(value)
        for group in touched:
            shut_c(self.header_, group)

    def note(self, values) -> None:
        """Set {note: integer} so that readers see all of it or nothing. Raises ValueError for another name."""
        cdef int64_t value
        found = [(self.notes.index(name), int(value)) for name, value in values.items()]
        open_c(self.header_, self.notes_group)
        for index, value in found:
            self.note_[<int>index] = value
        shut_c(self.header_, self.notes_group)

    def reset(self) -> None:
        """Every histogram back to empty; the notes stay."""
        cdef int32_t group
        for group, names in enumerate(self.groups):
            open_c(self.header_, group)
            for name in names:
                self.histograms[name].reset()
            shut_c(self.header_, group)

    @property
    def name(self) -> str:
        """What a reader attaches to; "" where the memory is private."""
        return os.path.basename(self.path)

    def as_dict(self) -> dict:
        """Every histogram's figures by name."""
        return {name: histogram.as_dict() for name, histogram in self.histograms.items()}

    def noted(self) -> dict:
        """The notes by name."""
        return {name: self.note_[i] for i, name in enumerate(self.notes)}

    def close(self) -> None:
        """Tell readers that no more will come, and remove the name. Those attached keep what is there."""
        if os.getpid() == self.header_[PID_WORD]:    # a forked child has the object too, but is not the writer
            store_release(&self.header_[CLOSED_WORD], 1)    # release: every count is seen before it
        if self.finalizer_ is not None:
            self.finalizer_()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


cdef class HistogramReader:
    """A reading end; attaches read-only, at any time.

    Raises FileNotFoundError where there is no such segment, ValueError where its layout is another.
    """

    def __cinit__(self, name, directory=DIRECTORY):
        cdef const uint64_t[::1] words
        self.fd_ = -1
        self.path, self.memory_, self.fd_ = attach(name, 8 * HISTOGRAMS_WORD, directory)
        view = memoryview(self.memory_)
        words = view.cast("Q")
        self.header_ = &words[0]
        if load_acquire(&self.header_[MAGIC_WORD]) != MAGIC:
            raise ValueError(f"segment {name}: not laid out yet, or no histograms; try again")
        if self.header_[VERSION_WORD] != VERSION:
            raise ValueError(f"segment {name}: layout version {self.header_[VERSION_WORD]}, this program reads {VERSION}")
        text = bytes(view[8 * TEXT_WORD:8 * HISTOGRAMS_WORD]).rstrip(b"\0").decode("ascii", "replace")
        groups, _, notes = text.partition("\n\n")
        self.groups = tuple(tuple(line.split()) for line in groups.split("\n"))
        self.notes = tuple(notes.split())
        count = sum(len(group) for group in self.groups)
        if (len(self.groups) != int(self.header_[GROUPS_WORD]) or count != int(self.header_[COUNT_WORD])
                or len(view) != _size(count)):
            raise ValueError(f"segment {name}: {len(view)} bytes do not hold {count} histograms; it is damaged")

    def __dealloc__(self):
        if self.fd_ != -1:
            os.close(self.fd_)

    cdef bint copy_c(self, int32_t group, int32_t first, int32_t count, unsigned char* target) noexcept nogil:
        """Copy the histograms of a group, or the notes where count is 0, as one state; False: never at rest."""
        cdef const uint64_t* sequence = self.header_ + <int>SEQUENCES_WORD + group
        cdef const int64_t* source
        cdef uint64_t before
        cdef int32_t i
        cdef int _try
        for _try in range(SNAPSHOT_TRIES):
            before = load_acquire(sequence)
            if before & 1:
                continue
            for i in range(count):
                source = <const int64_t*>self.header_ + <int>HISTOGRAMS_WORD + (first + i) * HISTOGRAM_WORDS
                # Of a torn read the length is wrong too, but never beyond the histogram.
                memcpy(target + 8 * i * HISTOGRAM_WORDS, source, 8 * used_words_c(source))
            if count == 0:
                memcpy(target, self.header_ + <int>NOTES_WORD, 8 * NOTES)
            fence_acquire()    # the copy is read before the sequence below
            if load_relaxed(sequence) == before:
                return True
        return False

    def snapshot(self):
        """(histograms by name, notes by name), each group as a state that the writer has passed through.

        None when the writer was in the middle of something every time: try again. The copies are the caller's.
        """
        cdef unsigned char[::1] target
        cdef int32_t group, first = 0
        histograms = {}
        for group, names in enumerate(self.groups):
            copy = bytearray(len(names) * SIZE_BYTES)
            target = copy
            if not self.copy_c(group, first, len(names), &target[0]):
                return None
            view = memoryview(copy)
            for i, name in enumerate(names):
                histograms[name] = Histogram(view[i * SIZE_BYTES:(i + 1) * SIZE_BYTES])
            first += len(names)
        copy = bytearray(8 * NOTES)
        target = copy
        if not self.copy_c(len(self.groups), first, 0, &target[0]):
            return None
        return histograms, dict(zip(self.notes, memoryview(copy).cast("q"), strict=False))

    def writer_alive(self) -> bool:
        """Whether the writer still runs and has not closed."""
        if load_acquire(&self.header_[CLOSED_WORD]):
            return False
        return not orphaned(self.fd_, self.header_[PID_WORD])
