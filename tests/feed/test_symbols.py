"""The symbol table is a dictionary of plain names, with bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.symbols import SymbolTable

names = st.binary(min_size=1, max_size=96).map(
    lambda raw: bytes(33 + byte % 58 if byte % 58 != 1 else 35 for byte in raw)
)


@given(st.dictionaries(names, st.integers(0, 2**31 - 1), max_size=60), st.lists(names, max_size=20))
def test_finds_what_a_dictionary_finds(entries: dict[bytes, int], others: list[bytes]) -> None:
    table = SymbolTable(max(len(entries), 1))
    for name, value in entries.items():
        table.add(name, value)
    for name in [*entries, *others, b"", b"x" * 97]:
        assert table.find(name) == entries.get(name, -1)
        assert (name in table) == (name in entries)
    assert table.names() == entries
    assert len(table) == table.count == len(entries)


def test_names_that_share_all_but_one_byte() -> None:
    table = SymbolTable(400)
    near = [b"A" * i + b"B" + b"A" * (95 - i) for i in range(96)] + [b"A" * i for i in range(1, 97)]
    for value, name in enumerate(near):
        table.add(name, value)
    assert [table.find(name) for name in near] == list(range(len(near)))


def test_capacity_is_a_power_of_two_and_at_least_twice_the_names() -> None:
    for names_max in (1, 2, 3, 100):
        capacity = SymbolTable(names_max).capacity
        assert capacity >= 2 * names_max
        assert capacity & (capacity - 1) == 0


def test_refuses_more_names_than_it_has_room_for() -> None:
    table = SymbolTable(2)
    table.add(b"a", 0)
    table.add(b"b", 1)
    with pytest.raises(ValueError, match="full with 2"):
        table.add(b"c", 2)
    assert table.find(b"c") == -1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (b"", 0, "1 to 96 bytes"),
        (b"x" * 97, 0, "1 to 96 bytes"),
        (b'a"b', 0, "plain|printable"),
        (b"a\\b", 0, "printable"),
        (b"a\nb", 0, "printable"),
        ("ü".encode(), 0, "printable"),
        (b"a", -1, "negative"),
        (b"there", 1, "there already"),
    ],
)
def test_refuses_names_that_are_not_plain_or_not_new(name: bytes, value: int, message: str) -> None:
    table = SymbolTable(4)
    table.add(b"there", 0)
    with pytest.raises(ValueError, match=message):
        table.add(name, value)
    assert table.names() == {b"there": 0}


@pytest.mark.parametrize("names_max", [0, -1, 1 << 21])
def test_refuses_a_size_without_sense(names_max: int) -> None:
    with pytest.raises(ValueError):
        SymbolTable(names_max)
