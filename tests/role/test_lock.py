"""The lock of what the daemon depends on: it is complete, and each Python gets its part of it."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

from tests.lab.command import REPOSITORY


def _lock() -> Any:
    spec = importlib.util.spec_from_file_location("pxerelay_lock", REPOSITORY / "ansible" / "lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lock = _lock()
TEXT = lock.LOCK.read_text()
WEB = lock.WEB_LOCK.read_text()


def test_it_has_all_that_the_project_asks_for() -> None:
    assert lock.missing(TEXT) == []
    assert lock.missing(WEB, lock.WEB_LOCK) == []
    assert {"jinja2", "starlette", "uvicorn"} <= set(lock.missing(TEXT, lock.WEB_LOCK))
    assert lock.missing("rich==1 --hash=sha256:00\n") == [
        "jsonschema",
        "prometheus-client",
        "pyyaml",
        "typing-extensions",
    ]


def test_each_python_has_one_version_of_each_with_checksums() -> None:
    for python in lock.PYTHONS:
        lines = lock.for_python(TEXT, python).splitlines()
        names = [line.partition("==")[0] for line in lines]
        assert len(set(names)) == len(names)
        assert {"jsonschema", "pyyaml", "rich", "rpds-py"} <= set(names)
        assert all(re.fullmatch(r"[a-z0-9-]+==[^ ]+ ( *--hash=sha256:[0-9a-f]{64})+", line) for line in lines)


def test_the_page_takes_nothing_else_of_what_the_daemon_has() -> None:
    for python in lock.PYTHONS:
        daemon, page = (set(lock.for_python(text, python).splitlines()) for text in (TEXT, WEB))
        assert daemon <= page
        names = [line.partition("==")[0] for line in page]
        assert len(set(names)) == len(names)


def test_versions_that_only_some_pythons_have_are_marked() -> None:
    found = {
        ("a", "1"): {"3.10": {"00"}},
        ("a", "2"): {"3.11": {"02"}, "3.12": {"01", "02"}},
        ("b", "1"): {"3.10": {"03"}, "3.11": {"03"}, "3.12": {"03"}},
    }
    text = lock.written(found, ("3.10", "3.11", "3.12"))
    assert 'a==1 ; python_version in "3.10"' in text
    assert 'a==2 ; python_version in "3.11 3.12"' in text
    assert lock.for_python(text, "3.12").split() == [
        "a==2",
        "--hash=sha256:01",
        "--hash=sha256:02",
        "b==1",
        "--hash=sha256:03",
    ]
