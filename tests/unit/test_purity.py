"""Modules that decide import nothing that acts, and imports go one way only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pxerelay"

PURE = (
    "agentinfo",
    "answers",
    "mac",
    "packet",
    "arch",
    "client",
    "days",
    "rules",
    "model",
    "ports",
    "exact",
    "pools",
    "boots",
    "health",
    "relay",
    "alike",
    "tally",
    "transactions",
    "shortcut",
    "batch",
    "questions",
    "errands",
    "globs",
    "pace",
    "layout",
    "frames",
    "findings",
    "flood",
    "document",
    "schema",
    "resolve",
    "mapping",
    "config",
    "fields",
    "words",
    "account",
    "trace",
    "watching",
    "unknown",
    "figures",
    "rates",
    "probe",
    "bootserver",
    "doctor",
    "doctor.verdict",
    "doctor.facts",
    "doctor.plan",
    "doctor.host",
    "doctor.network",
    "doctor.answers",
    "doctor.report",
    "review",
    "dissect",
    "offline",
    "replay",
    "retell",
    "decode",
    "lint",
    "difference",
    "difference.values",
    "difference.unlisted",
    "difference.rules",
    "difference.settings",
    "difference.compare",
    "difference.outline",
    "difference.show",
    "migrate",
    "migrate.source",
    "migrate.found",
    "migrate.hosts",
    "migrate.dnsmasq",
    "migrate.dhcpd",
    "migrate.dhcplb",
    "migrate.dhcrelay",
    "migrate.formats",
    "migrate.writer",
)
ACTING = (
    "source",
    "revision",
    "load",
    "loader",
    "rendered",
    "tasks",
    "stream",
    "journal",
    "log",
    "localsocket",
    "notify",
    "mmsg",
    "memory",
    "sockets",
    "inbox",
    "outbox",
    "listener",
    "netlink",
    "clock",
    "held",
    "interfaces",
    "names",
    "control",
    "trouble",
    "traffic",
    "prober",
    "survey",
    "routes",
    "doctor.processes",
    "doctor.kernel",
    "doctor.wire",
    "doctor.asking",
    "doctor.gather",
    "doctor.examine",
    "tracing",
    "lookout",
    "vendors",
    "captures",
    "metrics",
    "exporter",
    "vrfs",
    "desk",
    "daemon",
    "commands",
    "commands.check",
    "commands.common",
    "commands.completion",
    "completions",
    "completions.__main__",
    "commands.diff",
    "commands.doctor",
    "commands.explain",
    "commands.heard",
    "commands.import_",
    "commands.probe",
    "commands.replay",
    "commands.run",
    "commands.status",
    "commands.trace",
    "commands.unknown",
    "commands.watch",
    "cli",
    "__main__",
    "__init__",
)

FORBIDDEN = frozenset(
    {"socket", "os", "time", "logging", "asyncio", "subprocess", "pathlib", "datetime", "pyroute2"}
)


def path_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(module: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path_of(module).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
            found.add(node.module)
    return found


def own_imports(module: str) -> set[str]:
    """Return the modules of this package that a module imports."""
    found = set()
    for name in imports(module):
        parts = name.split(".")[1:] if name.startswith("pxerelay.") else []
        while parts and ".".join(parts) not in (*PURE, *ACTING):
            parts.pop()
        if parts:
            found.add(".".join(parts))
    return found - {module}


def test_every_module_is_listed() -> None:
    paths = {path_of(module) for module in (*PURE, *ACTING)}
    assert set(PACKAGE.rglob("*.py")) == paths


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_do_not_act(module: str) -> None:
    assert {name.split(".")[0] for name in imports(module)}.isdisjoint(FORBIDDEN)
    assert own_imports(module).isdisjoint(ACTING)


def test_no_module_is_imported_by_one_it_imports() -> None:
    graph = {module: own_imports(module) for module in (*PURE, *ACTING)}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"import cycle: {' -> '.join((*above, module))}"
        if module not in done:
            for below in graph.get(module, ()):
                visit(below, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_modules_are_small() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 400, f"{path.name} wants to be split"
