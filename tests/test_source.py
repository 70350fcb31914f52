"""The rules of this repository, applied to all of it; every rule is also shown a text that breaks it."""

import re
from pathlib import Path

import pytest

from tests import source_rules as rules
from tests.shared import ROOT

# Longer than the limit for a reason that will last.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
# Modules that only the tests of another package reach.
TESTED_ELSEWHERE = {
    "engine.core.plan": "data only, every member filled in by test_plan_builder",
    "engine.live.host": "what it finds is shown by test_cli_check",
}
# Modules of kernels and core that reach outside before trading begins, and what for.
IMPURE = {
    "kernels/cache.py": "finds, names and protects the directory of compiled kernels",
    "kernels/compiling.py": "starts processes that compile, at the first start alone",
    "kernels/kept.py": "keeps compiled kernels there and loads them, at start alone",
}


def sources(*suffixes: str, within: tuple[str, ...] = rules.PACKAGES) -> list[str]:
    found = (path for folder in within for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def text_of(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


EVERYWHERE = (*rules.PACKAGES, "tests", "benchmarks", "examples")
ALL = sources(".py", ".pyx", ".pxd", ".pyi", within=EVERYWHERE)


def test_the_rules_see_the_sources() -> None:
    assert {"kernels/book.pyx", "kernels/book.pxd", "kernels/book.pyi", "feed/exchange/market.py"} <= set(ALL)


def test_imports_go_one_way() -> None:
    wrong = [
        f"{path} imports {name}: {reason}"
        for path in sources(".py", ".pyx", ".pxd", ".pyi")
        for name in sorted(rules.imports(path, text_of(path)))
        if (reason := rules.wrong_direction(rules.module_name(path), name))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("path", "text", "wrong"),
    [
        ("kernels/book.pyx", "from feed cimport decode\n", True),
        ("kernels/book.pyx", "from kernels cimport records as c\nimport numpy as np\n", False),
        ("feed/decode.pyx", "from kernels.number cimport (\n    parse_e8,\n    write_e8,\n)\n", False),
        ("feed/decode.pyx", "import json, engine.config\n", True),
        ("feed/client.py", "from feed import exchange\n", True),
        ("feed/exchange/server.py", "from feed import venue\n", True),
        ("feed/exchange/server.py", "from .. import venue\n", True),
        ("feed/exchange/server.py", "from . import market\nfrom feed.exchange import market\n", False),
        ("feed/exchange/server.py", "def f():\n    import kernels.book\n", True),
        ("engine/core/step.pyx", "from engine.live cimport clock\n", True),
        ("engine/core/step.pyx", "from engine.core.plan import Plan\nfrom feed.events cimport Tick\n", False),
        ("engine/config.py", "from tests.shared import ROOT\n", True),
        ("engine/config.py", '"""from tests import nothing"""\n# import tests\n', False),
    ],
)
def test_the_import_rule_bites(path: str, text: str, wrong: bool) -> None:
    reasons = [rules.wrong_direction(rules.module_name(path), name) for name in rules.imports(path, text)]
    assert any(reasons) == wrong


def test_kernels_and_core_depend_on_their_arguments_only() -> None:
    found = [
        f"{path}:{line}: {what}"
        for path in sources(".py", ".pyx", ".pxd", within=("kernels", "engine/core"))
        for line, what in rules.banned_uses(text_of(path))
        if path not in IMPURE
    ]
    assert not found, "\n".join(found) + "\n(an exception needs '# rule-ok: reason' on the line)"
    assert all(rules.banned_uses(text_of(path)) for path in IMPURE), "listed without need"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("now = time.time_ns()", "a clock"),
        ("from datetime import datetime", "a clock"),
        ("cimport posix.time", "a clock"),
        ("clock_gettime(CLOCK_MONOTONIC, &spec)", "a clock"),
        ("x = np.random.default_rng(1)", "randomness"),
        ("import random", "randomness"),
        ('home = os.environ["HOME"]', "the environment"),
        ("with open(path) as file:", "files"),
        ("from asyncio import sleep", "the network"),
        ("print(x)  # rule-ok:", "logging"),
        ("key = id(order)", "object identity"),
        ("print(x)  # rule-ok: shown to a person", None),
        ("order_id(order), self.reopen(), valid(x), book.open(x), '''import time'''", None),
        ("timestamp = now_ns  # time.time() is not for here", None),
    ],
)
def test_the_ban_bites(line: str, what: str | None) -> None:
    assert [found for _, found in rules.banned_uses("\n" + line)] == ([what] if what else [])


def test_files_are_short() -> None:
    sizes = {path: text_of(path).count("\n") for path in sources(".py", ".pyx", ".pxd", within=EVERYWHERE)}
    long = {path for path, lines in sizes.items() if lines > rules.FILE_LINES_MAX}
    assert long == set(LONG_FILES), f"above {rules.FILE_LINES_MAX} lines, or listed without need"


def test_functions_are_short() -> None:
    long = {
        f"{path}:{name}"
        for path in sources(".py", within=EVERYWHERE)
        for name, _ in rules.long_functions(text_of(path))
    }
    assert long == set(LONG_FUNCTIONS), f"above {rules.FUNCTION_LINES_MAX} lines, or listed without need"
    assert rules.long_functions("async def f():\n" + "    x = 1\n" * 70) == [("f", 71)]
    assert rules.long_functions("def f():\n" + "    x = 1\n" * 69) == []


def test_no_error_is_swallowed() -> None:
    found = [f"{path}:{n}" for path in sources(".py", ".pyx") for n in rules.swallowed_errors(text_of(path))]
    assert not found, "\n".join(found)
    assert rules.swallowed_errors("try:\n    f()\nexcept ValueError:\n    pass\n") == [3]
    assert rules.swallowed_errors("try:\n    f()\nexcept:\n    raise\n") == [3]
    assert rules.swallowed_errors("try:\n    f()\nexcept ValueError:\n    return None\n") == []


def test_nothing_is_left_for_later() -> None:
    texts = [*ALL, "README.md", "CHANGELOG.md", "Makefile", "setup.py", "pyproject.toml", ".ci/run"]
    found = [f"{path}:{n}" for path in texts for n in rules.leftovers(text_of(path))]
    assert not found, "\n".join(found)
    assert rules.leftovers("x = 1\n# TO" + "DO: y\n") == [2]


def test_no_path_of_one_machine() -> None:
    pattern = re.compile(r"/(?:work|home|root)/\w|/tmp/\w")
    found = [
        f"{path}:{n}: {line.strip()}"
        for path in [
            *sources(".py", ".pyx", ".pxd", ".pyi", within=("kernels", "feed", "engine", "benchmarks")),
            "Makefile",
        ]
        for n, line in enumerate(text_of(path).split("\n"), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_extensions_are_typed_and_listed_in_setup() -> None:
    modules = {rules.module_name(path) for path in sources(".pyx")}
    typed = {rules.module_name(path) for path in sources(".pyi")}
    imported = set[str]().union(*(rules.imports(p, text_of(p)) for p in sources(".py", within=rules.PACKAGES)))
    assert not (modules & imported) - typed, "every .pyx that Python imports has a .pyi"
    assert typed <= modules, "every .pyi has a .pyx"
    listed = set(re.findall(r'^    "([\w.]+)",$', text_of("setup.py"), re.M))
    assert modules <= listed, "every .pyx is built"


def test_every_module_has_a_test() -> None:
    tests = {Path(path).stem: rules.imports(path, text_of(path)) for path in sources(".py", within=("tests",))}
    modules = {
        rules.module_name(p): rules.imports(p, text_of(p)) for p in sources(".py", ".pyx") if "__init__" not in p
    }
    assert rules.untested(modules, tests) <= TESTED_ELSEWHERE.keys() <= modules.keys()


def test_the_rule_of_tests_bites() -> None:
    modules = {
        "feed.outbox": {"feed.budget", "kernels.book"},
        "feed.budget": set[str](),
        "kernels.book": set[str](),
        "engine.cli.run": set[str](),
        "engine.config_errors": set[str](),
    }
    tests = {"test_outbox": set[str](), "test_cli_run": set[str](), "test_config": set[str]()}
    assert rules.untested(modules, tests) == {"kernels.book"}, "another package's test is no test of it"
    assert rules.untested(modules, {"test_all": {"feed", "feed.budget", "kernels.book"}}) == {
        "feed.outbox",
        "engine.cli.run",
        "engine.config_errors",
    }


def test_the_changelog_tells_what_is_new() -> None:
    parts = re.split(r"^## ", text_of("CHANGELOG.md"), flags=re.M)
    unreleased = next(part for part in parts if part.startswith("[Unreleased]"))
    assert re.search(r"^### (?:Added|Changed|Deprecated|Removed|Fixed|Security)$", unreleased, re.M)
    assert re.search(r"^- \S", unreleased, re.M)


def test_every_make_command_named_to_users_exists() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", text_of("Makefile"), re.M))
    named = {name for path in ("README.md", ".ci/run") for name in re.findall(r"\bmake ([a-z][\w-]*)", text_of(path))}
    assert named | {"run", "test", "test-debug", "lint", "bench", "fuzz", "lock", "clean"} <= targets


def test_the_lock_names_no_place_and_pins_every_file() -> None:
    lock = text_of("requirements.lock")
    assert not re.search(r"://|^-|--(?:index|extra|find|trusted)", lock, re.M)
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([\w.]+) \\$", lock, re.M))
    entries = re.findall(r"^[a-z][^\n]*(?:\n[ ]+--hash=sha256:[0-9a-f]{64}[^\n]*)+", lock, re.M)
    assert len(entries) == len(pinned), "every requirement has hashes"
    wanted = re.findall(r'^    "([A-Za-z0-9_-]+)(?:\[\w+\])?==([\w.]+)",$', text_of("pyproject.toml"), re.M)
    assert {name.lower(): version for name, version in wanted}.items() <= pinned.items(), (
        "make lock brings it up to date"
    )
