"""Rows of the fault catalogue as test ids: ``row("N1-rst-while-quoting")``."""

from collections.abc import Sequence
from typing import Any

import pytest


def row(*texts: str, slow: Sequence[str] = ()) -> Any:
    """The test is judged under these ids; it gets what follows the number of the row as ``row``.

    ``slow``: ids that are not in ``make test``, only in ``make test-faults``.
    """
    quick = [pytest.param(text.partition("-")[2], id=text) for text in texts]
    marked = [pytest.param(text.partition("-")[2], id=text, marks=pytest.mark.faults) for text in slow]
    return pytest.mark.parametrize("row", quick + marked)
