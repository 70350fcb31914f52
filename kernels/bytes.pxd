"""Copying and zeroing of a few hundred bytes by libc's vector code.

Where the compiler knows a bound of the size it may put ``rep movs`` or ``rep stos`` in line instead, which take longer
to start than such a copy lasts.
"""

cdef extern from *:
    """
    #include <string.h>
    #define QUOTER_HIDE(size) __asm__("" : "+r"(size))
    static inline void quoter_copy(void *to, const void *from, size_t size) {
        QUOTER_HIDE(size);
        memcpy(to, from, size);
    }
    static inline void quoter_zero_lines(void *at, int lines) {
        for (int i = 0; i < lines; i++)
            memset((char *) at + 64 * i, 0, 64);
    }
    static inline void quoter_zero(void *at, size_t size) {
        QUOTER_HIDE(size);
        memset(at, 0, size);
    }
    """
    void copy_bytes "quoter_copy"(void* to, const void* source, size_t size) noexcept nogil
    # A few times 64 bytes, a constant of the code: in line, so that nothing else has to leave its register.
    void zero_lines "quoter_zero_lines"(void* at, int lines) noexcept nogil
    void zero_bytes "quoter_zero"(void* at, size_t size) noexcept nogil
