"""The dtypes against the C compiler's own layout, and that a wrong dtype stops the import."""

import numpy as np
import pytest

from kernels import records

NAMES = ["Settings", "Model", "Market", "Target", "Volatility", "Position", "Flow", "Candles", "Forecast"]


def dtype_of(name: str) -> np.dtype[np.void]:
    return getattr(records, name.upper())


@pytest.mark.parametrize("name", NAMES)
def test_offsets_equal_the_compilers(name: str) -> None:
    size, offsets = records.layouts()[name]
    dtype = dtype_of(name)
    assert dtype.itemsize == size
    assert {field: dtype.fields[field][1] for field in dtype.names} == offsets
    assert size % 8 == 0


def test_every_record_is_compared() -> None:
    dtypes = {name for name, value in vars(records).items() if isinstance(value, np.dtype)}
    assert dtypes == {name.upper() for name in NAMES}
    assert set(records.layouts()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_fields_do_not_overlap_and_leave_no_hole(name: str) -> None:
    """All members are 8 bytes wide, so the C struct has no padding that a comparison of bytes could trip over."""
    end = 0
    for field, offset in sorted(records.layouts()[name][1].items(), key=lambda item: item[1]):
        assert offset == end, field
        end = offset + dtype_of(name)[field].itemsize
    assert end == records.layouts()[name][0]


def wrong_dtypes() -> list[tuple[str, np.dtype[np.void]]]:
    market = records.MARKET
    fields = [(field, market[field]) for field in market.names]
    return [
        ("narrower member", np.dtype([(f, "i4") if f == "bid_lots" else (f, d) for f, d in fields])),
        ("members swapped", np.dtype([fields[1], fields[0], *fields[2:]])),
        ("member missing", np.dtype(fields[:-1])),
        ("member more", np.dtype([*fields, ("more", "f8")])),
        ("member renamed", np.dtype([("other", fields[0][1]), *fields[1:]])),
    ]


@pytest.mark.parametrize(("what", "dtype"), wrong_dtypes(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_wrong_dtype_is_refused(what: str, dtype: np.dtype[np.void]) -> None:
    size, offsets = records.layouts()["Market"]
    with pytest.raises(ImportError):
        records._compare("Market", dtype, size, offsets)


def test_a_renamed_member_of_equal_layout_is_refused_by_name() -> None:
    size, offsets = records.layouts()["Market"]
    renamed = {("other" if field == "fair_usd" else field): offset for field, offset in offsets.items()}
    with pytest.raises(ImportError, match="other"):
        records._compare("Market", records.MARKET, size, renamed)
