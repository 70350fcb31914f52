"""Market-maker protection of one session and product (protocol section 7.2). Amounts in 1e-8 contracts."""

from typing import Any

from feed.exchange.numbers import plain


class Group:
    """What may still execute (``remaining_e8``, negative after an overshoot) and the largest single quote."""

    __slots__ = ("product", "quote_amount_e8", "remaining_e8")

    def __init__(self, product: str, trade_amount_e8: int, quote_amount_e8: int) -> None:
        self.product = product
        self.remaining_e8 = trade_amount_e8
        self.quote_amount_e8 = quote_amount_e8

    @property
    def exhausted(self) -> bool:
        """Whether its quotes are gone and it needs a refill."""
        return self.remaining_e8 <= 0

    def shown(self, reason: str) -> dict[str, Any]:
        """The row of ``session.mm_protection``."""
        return {"product": self.product, "remaining_amount": plain(self.remaining_e8), "reason": reason}
