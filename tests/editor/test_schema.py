"""The schema in an editor: problems at their lines, keys and values to choose from, and what they mean."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.editor.server import Editor
from tests.lab.command import REPOSITORY

SCHEMA = REPOSITORY / "schemas" / "pxerelay.schema.json"
MODELINE = "# yaml-language-server: $schema=pxerelay.schema.json\n"
GOOD = MODELINE + "servers: {ris: 10.20.0.10}\ndefault: ris\ninterfaces:\n  vlan10: {}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    shutil.copy(SCHEMA, tmp_path)
    return tmp_path / "pxerelay.yml"


@pytest.fixture
def editor(file: Path) -> Iterator[Editor]:
    with closing(Editor(file.parent)) as editor:
        yield editor


def test_a_good_file_has_no_problems(editor: Editor, file: Path) -> None:
    assert editor.problems(file, GOOD) == []


def test_a_problem_is_marked_at_its_line(editor: Editor, file: Path) -> None:
    problems = editor.problems(file, GOOD + "max_hops: 40\ndefalt: ris\n")
    assert sorted(line for line, _ in problems) == [6, 7]
    assert any("defalt" in text for _, text in problems)


def test_keys_are_offered_with_what_they_mean(editor: Editor, file: Path) -> None:
    editor.problems(file, GOOD + "m\n")
    offered = editor.completions(file, 6, 2)
    assert "RFC 1542" in offered["max_hops"]
    assert "default" not in offered  # it is there already


def test_keys_of_an_interface_are_offered(editor: Editor, file: Path) -> None:
    editor.problems(file, MODELINE + "default: 10.20.0.10\ninterfaces:\n  vlan10:\n    \n")
    assert {"default", "giaddr", "pxe_only"} <= set(editor.completions(file, 5, 5))


WRONG = """\
servers:
  any: 0.0.0.0
  all: [10.20.0.1, 255.255.255.255]
  own: {addresses: 127.0.0.1}
  group: 224.0.0.1
  link: "fe80::1"
default: 10.1.1.300
dhcp_servers: [wds.example.net]
interfaces:
  lo: {}
  vlan10: {giaddr: 127.0.0.1}
accept_relayed_from:
  - 10.10.1.0/16
source_address: 224.0.0.1
metrics: 127.0.0.1:65536
include:
  - rules**/x.yml
option82: {circuit_id: "{vlan}"}
classes:
  - {name: a, server: drop, arch: x65 UEFI}
rules:
  00:11:22:33:44:5: drop
  00:11:22:33:44:55:66: drop
  00-11:22-33:44-56: drop
  00:11: drop
  02:00:00:00:00:03: {server: drop, until: 2027-02-30}
"""
"""One value that is wrong by itself in each line that does not end in a colon."""


def test_what_one_value_shows_to_be_wrong_is_marked_while_it_is_typed(editor: Editor, file: Path) -> None:
    wrong = {number for number, line in enumerate(WRONG.splitlines(), 2) if not line.endswith(":")}
    problems = editor.problems(file, MODELINE + WRONG)
    assert {line for line, _ in problems} == wrong


def test_names_of_architectures_are_offered(editor: Editor, file: Path) -> None:
    editor.problems(file, MODELINE + "default: drop\nclasses:\n  - name: a\n    server: drop\n    arch: \n")
    offered = editor.completions(file, 6, 11)
    assert {"x64 UEFI", "ARM 64-bit UEFI HTTP"} <= {label.strip("\"'") for label in offered}
