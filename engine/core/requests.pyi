class RequestRing:
    next_id: int
    pending: int
