"""The regression of ``kernels.intensity.from_quotes`` without Python and without memory of its own, for use while quoting.

Events at distance d come at the rate exp(a + b d), and were watched there for some seconds: the log-likelihood
sum(events (a + b d)) - sum(seconds exp(a + b d)) is concave in (a, b). A is exp(a), k is -b.
"""

from libc.math cimport exp, fabs, isfinite, log
from libc.stdint cimport int32_t

cdef enum:
    CELLS_MAX = 256
    STEPS_MOST = 100
    DISTANCES_LEAST = 3          # kernels.intensity


cdef double _likelihood_c(const double* x, const double* seconds, const double* events, int32_t n, double a, double b) noexcept nogil:
    cdef double total = 0.0
    cdef int32_t i
    for i in range(n):
        if seconds[i] > 0.0:
            total += events[i] * (a + b * x[i]) - seconds[i] * exp(a + b * x[i])
    return total


cdef void _moments_c(const double* x, const double* seconds, const double* events, int32_t n, double a, double b, double* score,
                     double* information) noexcept nogil:
    """Score (2) and information (00, 01, 11) at (a, b)."""
    cdef double mean
    cdef int32_t i
    score[0] = score[1] = information[0] = information[1] = information[2] = 0.0
    for i in range(n):
        if not seconds[i] > 0.0:
            continue
        mean = seconds[i] * exp(a + b * x[i])
        score[0] += events[i] - mean
        score[1] += (events[i] - mean) * x[i]
        information[0] += mean
        information[1] += mean * x[i]
        information[2] += mean * x[i] * x[i]


cdef int32_t fit_rate_c(const double* distance, const double* seconds, const double* events, int32_t n, const double* together,
                        double least, RateFit* fit) noexcept nogil:
    """Fit cells of distinct distances in rising order; ``fit.code`` is returned, and ``RATE_OK`` alone fills all of it.

    ``together``: sums over market orders of (m m, m s, s s), m quotes hit at distances that sum to s: the covariance is the sandwich
    of the information around it, because one market order hits several quotes. ``least``: events that two numbers take. Cells without
    exposure are left out.
    """
    cdef double x[CELLS_MAX]
    cdef double score[2]
    cdef double h[3]
    cdef double a, b, value, tried, det, step_a, step_b, size, centre, width, low = 0.0, high = 0.0, nearest = 0.0, farthest = 0.0
    cdef double v00, v01, v11, w00, w01, w10, w11
    cdef int32_t i, distances = 0, hit = 0
    fit.events = fit.seconds = 0.0
    fit.log_rate = fit.slope = fit.variance_rate = fit.covariance = fit.variance_slope = 0.0
    n = min(n, CELLS_MAX)
    for i in range(n):
        if not seconds[i] > 0.0:
            continue
        if distances == 0:
            low = distance[i]
        high = distance[i]
        distances += 1
        fit.seconds += seconds[i]
        fit.events += events[i]
        if events[i] > 0.0:
            if hit == 0:
                nearest = distance[i]
            farthest = distance[i]
            hit += 1
    if distances == 0:
        fit.code = RATE_NO_TIME
        return fit.code
    if distances < DISTANCES_LEAST:
        fit.code = RATE_FEW_DISTANCES
        return fit.code
    if fit.events < least:
        fit.code = RATE_FEW_EVENTS
        return fit.code
    if farthest == low or nearest == high:
        fit.code = RATE_NO_MAXIMUM
        return fit.code
    fit.code = RATE_NO_MAXIMUM
    centre, width = 0.5 * (low + high), high - low
    for i in range(n):
        x[i] = (distance[i] - centre) / width          # of order one, whatever the unit
    a, b = log(fit.events / fit.seconds), 0.0
    value = _likelihood_c(x, seconds, events, n, a, b)
    for _ in range(STEPS_MOST):
        _moments_c(x, seconds, events, n, a, b, score, h)
        det = h[0] * h[2] - h[1] * h[1]
        if not det > 0.0:
            return fit.code
        step_a = (h[2] * score[0] - h[1] * score[1]) / det
        step_b = (h[0] * score[1] - h[1] * score[0]) / det
        size = 1.0
        while size > 1e-10:
            tried = _likelihood_c(x, seconds, events, n, a + size * step_a, b + size * step_b)
            if tried >= value:
                break
            size *= 0.5
        else:
            break
        a, b, value = a + size * step_a, b + size * step_b, tried
        if fabs(size * step_a) < 1e-10 and fabs(size * step_b) < 1e-10:
            break
    _moments_c(x, seconds, events, n, a, b, score, h)
    det = h[0] * h[2] - h[1] * h[1]
    if not det > 0.0:
        return fit.code
    # From the scaled distance back: the intercept is a - b centre / width, the slope b / width.
    v00, v01, v11 = h[2] / det, -h[1] / det, h[0] / det
    fit.log_rate, fit.slope = a - b * centre / width, b / width
    fit.variance_rate = v00 - 2.0 * centre / width * v01 + centre * centre / (width * width) * v11
    fit.covariance = (v01 - centre / width * v11) / width
    fit.variance_slope = v11 / (width * width)
    w00 = fit.variance_rate * together[0] + fit.covariance * together[1]
    w01 = fit.variance_rate * together[1] + fit.covariance * together[2]
    w10 = fit.covariance * together[0] + fit.variance_slope * together[1]
    w11 = fit.covariance * together[1] + fit.variance_slope * together[2]
    v00 = w00 * fit.variance_rate + w01 * fit.covariance
    v01 = w00 * fit.covariance + w01 * fit.variance_slope
    v11 = w10 * fit.covariance + w11 * fit.variance_slope
    fit.variance_rate, fit.covariance, fit.variance_slope = v00, v01, v11
    if isfinite(fit.log_rate) and isfinite(fit.slope) and v00 > 0.0 and v11 > 0.0:
        fit.code = RATE_OK
    return fit.code


cdef double distance_c(const RateFit* one, const RateFit* other) noexcept nogil:
    """Wald's statistic of two independent fits: chi squared with two degrees of freedom if both are of the same (a, b). -1.0 where
    one of them is none.
    """
    cdef double a = one.log_rate - other.log_rate, b = one.slope - other.slope
    cdef double v00 = one.variance_rate + other.variance_rate, v01 = one.covariance + other.covariance
    cdef double v11 = one.variance_slope + other.variance_slope
    cdef double det = v00 * v11 - v01 * v01
    if one.code != RATE_OK or other.code != RATE_OK or not det > 0.0:
        return -1.0
    return (v11 * a * a - 2.0 * v01 * a * b + v00 * b * b) / det


def fit_rate(double[::1] distance not None, double[::1] seconds not None, double[::1] events not None, double[::1] together not None,
             double least=30.0) -> dict:
    """Python twin of ``fit_rate_c``: members of ``RateFit`` by name. Raises ValueError for arrays of other lengths."""
    cdef RateFit fit
    if not 0 < len(distance) == len(seconds) == len(events) <= CELLS_MAX or len(together) != 3:
        raise ValueError("needs up to 256 cells of equal number, and three sums")
    fit_rate_c(&distance[0], &seconds[0], &events[0], <int32_t>len(distance), &together[0], least, &fit)
    fit.padding = 0
    return fit


def fit_distance(dict one, dict other) -> float:
    """Python twin of ``distance_c``."""
    cdef RateFit first = one, second = other
    return distance_c(&first, &second)
