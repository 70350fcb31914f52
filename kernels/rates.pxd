"""Poisson regression with exposure, for two numbers, in C."""

from libc.stdint cimport int32_t

cdef enum RateCode:
    RATE_OK = 0
    RATE_NO_TIME = 1             # nothing stood anywhere
    RATE_FEW_DISTANCES = 2
    RATE_FEW_EVENTS = 3
    RATE_NO_MAXIMUM = 4          # all events at one end of the distances

cdef struct RateFit:             # ln(rate) = log_rate + slope * distance, with the covariance of both
    int32_t code
    int32_t padding
    double events
    double seconds
    double log_rate
    double slope
    double variance_rate
    double covariance
    double variance_slope

cdef int32_t fit_rate_c(const double* distance, const double* seconds, const double* events, int32_t n, const double* together,
                        double least, RateFit* fit) noexcept nogil
cdef double distance_c(const RateFit* one, const RateFit* other) noexcept nogil
