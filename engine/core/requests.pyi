class RequestRing:
    next_id: int
    pending: int
    given_up: int
    strays: int
