"""The rules of this repository as functions of source text; ``test_source.py`` applies them and shows they bite."""

import ast
import re
from pathlib import PurePosixPath

FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 70
PACKAGES = ("kernels", "feed", "engine")
MARKER = re.compile(r"# rule-ok: \w.{5,}")

_STRINGS_AND_COMMENTS = re.compile(
    r"(\"\"\"|''')[\s\S]*?\1|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*",
)
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+c?import[ \t]+(\([^)]*\)|[^\n]*)|c?import[ \t]+([^\n]*))", re.M
)
_BANNED = {
    "a clock": r"\b(?:c?import|from)\s+(?:time|datetime|libc\.time|posix\.time)\b|\btime\.\w+\("
    r"|\bdatetime\.(?:now|utcnow|today)\b|\b(?:clock_gettime|gettimeofday|perf_counter|monotonic)\w*\s*\(",
    "randomness": r"\b(?:import|from)\s+(?:random|secrets|uuid)\b|\b(?:np|numpy)\.random\b|\bos\.urandom\b",
    "the environment": r"\bos\.(?:environ|getenv)\b|\bgetenv\s*\(",
    "files": r"(?<![\w.])open\s*\(|\bos\.open\s*\(|\.(?:read|write)_(?:text|bytes)\s*\(",
    "the network": r"\b(?:import|from)\s+(?:socket|asyncio|ssl|select|selectors)\b",
    "logging": r"\b(?:import|from)\s+logging\b|(?<![\w.])(?:print|printf)\s*\(",
    "object identity": r"(?<![\w.])id\s*\(",
}
BANNED = {what: re.compile(pattern) for what, pattern in _BANNED.items()}


def module_name(path: str) -> str:
    """``feed/exchange/market.py`` -> ``feed.exchange.market``; a package is named by its folder."""
    return ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")


def code_of(text: str) -> str:
    """The text without strings and comments, its lines where they were."""
    return _STRINGS_AND_COMMENTS.sub(lambda match: "\n" * match[0].count("\n"), text)


def imports(path: str, text: str) -> set[str]:
    """Every absolute dotted name that a ``.py``, ``.pyx``, ``.pxd`` or ``.pyi`` imports or cimports."""
    found: set[str] = set()
    package = module_name(path) if path.endswith("__init__.py") else module_name(path).rpartition(".")[0]
    for origin, names, plain in _IMPORT.findall(code_of(text)):
        if plain:
            found.update(part.split()[0] for part in plain.split(",") if part.strip())
            continue
        dots = len(origin) - len(origin.lstrip("."))
        base = origin[dots:]
        if dots:
            above = package.split(".")[: len(package.split(".")) - dots + 1]
            base = ".".join([*above, *([base] if base else [])])
        found.add(base)
        found.update(f"{base}.{part.split()[0]}" for part in names.strip("()").split(",") if part.strip())
    return found


def _inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def wrong_direction(importer: str, imported: str) -> str | None:
    """Why a module of ours may not import another, None where it may."""
    ours = [*PACKAGES, "tests", "benchmarks"]
    if not any(_inside(imported, package) for package in ours):
        return None
    if _inside(imported, "tests") or _inside(imported, "benchmarks"):
        return "the product does not lean on its tests"
    if _inside(importer, "kernels") and not _inside(imported, "kernels"):
        return "kernels import nothing of ours"
    if _inside(importer, "feed.exchange"):
        return None if _inside(imported, "feed.exchange") or imported == "feed" else "the exchange is independent"
    if _inside(importer, "feed"):
        if _inside(imported, "engine"):
            return "imports go one way: kernels <- feed <- engine"
        return "the venue's other side is not for the client" if _inside(imported, "feed.exchange") else None
    if _inside(importer, "engine.core") and _inside(imported, "engine"):
        return None if _inside(imported, "engine.core") or imported == "engine" else "the core knows nothing around it"
    return None


def banned_uses(text: str) -> list[tuple[int, str]]:
    """(line, what) of everything that would make a deterministic module depend on more than its arguments."""
    lines = text.split("\n")
    found = []
    for number, line in enumerate(code_of(text).split("\n"), 1):
        for what, pattern in BANNED.items():
            if pattern.search(line) and not MARKER.search(lines[number - 1]):
                found.append((number, what))
    return found


def long_functions(text: str) -> list[tuple[str, int]]:
    """(name, lines) of the functions of a ``.py`` that one cannot read at once."""
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    sizes = ((node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in nodes)
    return [(name, lines) for name, lines in sizes if lines > FUNCTION_LINES_MAX]


def swallowed_errors(text: str) -> list[int]:
    """Lines of handlers that catch everything without naming it, or drop what they catch without a word."""
    code = code_of(text)
    pattern = re.compile(r"^[ \t]*except\s*:|^[ \t]*except[^\n]*:\s*(?:pass|\.\.\.)[ \t]*$", re.M)
    return [code.count("\n", 0, match.start()) + 1 for match in pattern.finditer(code)]


def leftovers(text: str) -> list[int]:
    """Lines with a note about work not done."""
    words = rf"\b(?:{'TO' + 'DO'}|{'FIX' + 'ME'}|{'HA' + 'CK'})\b|#.*\b{'X' * 3}\b"
    return [number for number, line in enumerate(text.split("\n"), 1) if re.search(words, line)]


def covers(test_stem: str, module: str) -> bool:
    """Whether a test has the module's noun: ``test_config`` for ``config_errors``, ``test_cli_run`` for ``cli.run``."""
    noun = test_stem.removeprefix("test_")
    stem = module.rpartition(".")[2]
    return noun == "_".join(module.split(".")[-2:]) or noun == stem or stem.startswith(noun + "_")


def untested(modules: dict[str, set[str]], tests: dict[str, set[str]]) -> set[str]:
    """Modules that no test is named after or imports, not even through a tested module of their own package.

    modules: dotted name to what it imports; tests: stem to what it imports.
    """
    imported = set[str]().union(*tests.values())
    tested = {name for name in modules if name in imported or any(covers(test, name) for test in tests)}
    pending = list(tested)
    while pending:
        name = pending.pop()
        package = name.rpartition(".")[0]
        near = {other for other in modules[name] & modules.keys() if other.rpartition(".")[0] == package}
        pending += near - tested
        tested |= near
    return modules.keys() - tested
