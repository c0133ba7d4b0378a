"""Imports go one way only, from package to package, and what decides imports nothing that acts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pxerelay"

LAYERS = (
    ("__main__", "completions.__main__"),
    ("cli",),
    ("commands",),
    ("web",),
    ("completions", "tools"),
    ("daemon",),
    ("linux", "config", "relay"),
    ("policy",),
    ("wire",),
    ("__init__",),
)
"""From the top down: what stands in one layer imports from those below it."""

PURE = (
    "tools.diff",
    "tools.importers",
    "tools.pictures",
    "tools.simulate",
    "config",
    "relay",
    "policy",
    "wire",
)
"""Packages whose modules only decide."""

ACTING = frozenset(
    {
        "tools.diff.inventory",
        "tools.diff.git_source",
        "tools.diff.listing",
        "tools.diff.sandbox",
        "tools.simulate.captures",
        "config.load",
        "config.paths",
        "config.source",
    }
)
"""And the modules in them that read files."""

_OF_DOCTOR = ("verdict", "facts", "facts6", "plan", "host", "network", "network6", "answers", "answers6")

PURE_MODULES = frozenset(f"tools.doctor.{name}" for name in (*_OF_DOCTOR, "report"))
"""Such modules of a package that has others too."""

FORBIDDEN = frozenset({"socket", "os", "time", "logging", "asyncio", "subprocess", "pathlib"})

CLOCKS = frozenset({"now", "today", "utcnow"})
"""Methods of datetime's classes that read the clock; what these classes compute is free to use."""

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
LAYER = {package: at for at, packages in enumerate(LAYERS) for package in packages}


def package_of(module: str) -> str:
    """Return what a module's layer goes by."""
    return module if module in LAYER else module.split(".")[0]


def is_pure(module: str) -> bool:
    if module in PURE_MODULES:
        return True
    return module not in ACTING and any(f"{module}.".startswith(f"{package}.") for package in PURE)


def imports(module: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
            found.add(node.module)
    return found


def reads_of_clock(source: str) -> list[str]:
    """Return where a module that imports `datetime` names a method that reads the clock."""
    nodes = list(ast.walk(ast.parse(source)))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    if "datetime" not in named:
        return []
    return [ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute) and node.attr in CLOCKS]


def own_imports(module: str) -> set[str]:
    """Return the modules of pxerelay that a module imports."""
    found = set()
    for name in imports(module):
        parts = name.split(".")[1:] if name.startswith("pxerelay.") else []
        while parts and ".".join(parts) not in MODULES:
            parts.pop()
        if parts:
            found.add(".".join(parts))
    return found - {module}


def test_every_package_has_its_layer() -> None:
    assert set(map(package_of, MODULES)) == set(LAYER)
    assert set(MODULES) >= PURE_MODULES | ACTING


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_package_imports_from_those_below_it(module: str) -> None:
    package = package_of(module)
    others = {other for other in own_imports(module) if package_of(other) != package}
    above = {other for other in others if LAYER[package_of(other)] <= LAYER[package]}
    assert not above, f"{module} imports {', '.join(sorted(above))}"


@pytest.mark.parametrize("module", sorted(filter(is_pure, MODULES)))
def test_pure_modules_do_not_act(module: str) -> None:
    assert {name.split(".")[0] for name in imports(module)}.isdisjoint(FORBIDDEN)
    assert all(map(is_pure, own_imports(module) - {"doctor"}))
    assert not reads_of_clock(MODULES[module].read_text("utf-8"))


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("import datetime\ndatetime.datetime.now()", ["datetime.datetime.now"]),
        ("import datetime as dt\ndt.date.today()", ["dt.date.today"]),
        ("from datetime import date as Day\nclock = Day.today", ["Day.today"]),
        ("from datetime import datetime\ndatetime.utcnow()", ["datetime.utcnow"]),
        ("from datetime import date\nclass Day(date): ...\nDay.today()", ["Day.today"]),
        ("from datetime import date\ndate(2027, 1, 31).toordinal()", []),
    ],
)
def test_a_read_of_the_clock_is_found(source: str, reads: list[str]) -> None:
    assert reads_of_clock(source) == reads


def test_no_module_is_imported_by_one_it_imports() -> None:
    graph = {module: own_imports(module) for module in MODULES}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"import cycle: {' -> '.join((*above, module))}"
        if module not in done:
            for below in graph[module]:
                visit(below, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def _rows(title: str) -> list[list[str]]:
    """Return the cells of a table of CONTRIBUTING.md."""
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text("utf-8")
    table = text.split(f"| {title} |", 1)[1].split("\n\n")[0]
    return [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]


def test_contributing_has_the_packages_in_their_order() -> None:
    named = [name for first, *_ in _rows("package") for name in re.findall(r"`(\w+)`", first)]
    assert sorted(named) == sorted({*LAYER} - {"__init__", "__main__", "completions.__main__"})
    assert [LAYER[name] for name in named] == sorted(LAYER[name] for name in named)


def test_contributing_names_each_module() -> None:
    named: dict[str, set[str]] = {}
    package = ""
    for first, _ in _rows("module"):
        package = ", ".join(re.findall(r"\*\*([\w.]+)\*\*", first)) or package
        named.setdefault(package, set()).update(re.findall(r"`(\w+)`", first))
    packages = {name.rpartition(".")[0] for name in MODULES if "." in name}
    assert set(named) == packages - {"", "commands", "completions", "tools"}
    for package, modules in named.items():
        there = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == package}
        assert modules - {"facts"} == there - {"facts"}, package
        assert modules <= there, package


def test_modules_are_small() -> None:
    for path in MODULES.values():
        assert len(path.read_text("utf-8").splitlines()) <= 400, f"{path.name} wants to be split"


def test_only_the_page_imports_what_it_alone_needs() -> None:
    """`pxerelay[web]` is an extra: without it everything else runs."""
    of_the_extra = {"starlette", "uvicorn", "jinja2", "h11"}
    for module in MODULES:
        if package_of(module) != "web":
            assert not of_the_extra & {name.split(".")[0] for name in imports(module)}, module
    importers = {module for module in MODULES if any(one.startswith("web") for one in own_imports(module))}
    assert {module for module in importers if package_of(module) != "web"} == {"commands.web"}
