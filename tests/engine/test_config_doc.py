"""The configuration page is what the schema says today."""

from pathlib import Path

from engine.config_doc import lines
from engine.config_schema import all_keys

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == "\n".join(lines()) + "\n", "run: python -m engine.config_doc > docs/configuration.md"


def test_every_key_is_on_the_page() -> None:
    text = PAGE.read_text()
    for path in all_keys():
        assert f"| `{path.rpartition('.')[2]}` |" in text
