"""No task waits for input: by Ansible's default, OpenSSH runs each command at a terminal, where nobody types.

`command` leaves a command the terminal as its stdin, also where the task's `stdin` is empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.command import REPOSITORY
from tests.role.modules import plugin
from tests.role.openssh import reached_by_ssh
from tests.role.plays import BIN, ROLE, hosts, play

FILES = [
    *sorted(ROLE.glob("tasks/*.yml")),
    *sorted(ROLE.glob("handlers/*.yml")),
    *sorted((REPOSITORY / "ansible" / "playbooks").glob("*.yml")),
]
VARIABLES: dict[str, Any] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
BLOCKS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
RUNNERS = {"command", "shell", "raw", "script", "expect"}

AT_NO_INPUT = {
    "ip",
    "/usr/lib/systemd/systemd-sysctl",
    "networkctl",
    "__pxerelay_program",
    "rmdir",
    "sed",  # with a file's name
    "systemctl",  # what it asks for, passwords of disks and rights, a service of root's does not need
}
"""Programs that read nothing from stdin as the role calls them. A new one: does it, whatever comes?"""


def _tasks(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        below = [entry[keyword] for keyword in BLOCKS if keyword in entry]
        yield from (task for tasks in below for task in _tasks(tasks))
        if not below:
            yield entry


def _commands() -> Iterator[Any]:
    for file in FILES:
        for task in _tasks(yaml.safe_load(file.read_text())):
            for key, arguments in task.items():
                if key.rpartition(".")[2] in RUNNERS:
                    yield pytest.param(task, arguments, id=f"{file.stem}: {task['name']}")


def _program(argv: list[str] | str) -> str:
    """Return a command's first word, or the first variable of the expression that makes it."""
    first = argv[0] if isinstance(argv, list) else argv
    return re.sub(r"^\W*(\w+)\W.*", r"\1", first, flags=re.DOTALL) if "{{" in first else first


def _written_out(argv: object) -> str:
    """Return a command with what its variables and scripts are after it."""
    text = str(argv)
    for name in VARIABLES.keys() & set(re.findall(r"\w+", text)):
        text += _written_out(VARIABLES[name])
    for name in re.findall(r"files/\w+\.sh", text):
        text += (ROLE / name).read_text()
    return text


@pytest.mark.parametrize(("task", "arguments"), [*_commands()])
def test_a_command_has_its_input_or_takes_none(task: dict[str, Any], arguments: dict[str, Any]) -> None:
    if "stdin" in arguments:
        assert "length > 0" in str(task.get("when")), "an empty stdin is the terminal"
    else:
        argv = arguments["argv"]
        assert _program(argv) in AT_NO_INPUT or "</dev/null" in _written_out([argv, task.get("vars")])
        assert _program(argv) != "sh" or "</dev/null" in _written_out([argv, task.get("vars")])


def test_a_program_that_a_module_runs_has_no_input() -> None:
    assert plugin("module_utils.host").run(["cat"], 20.0) == (0, "", "")


# Each ends, though nobody runs.
PLAY = """\
- hosts: pxerelay
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.include_role: {name: pxerelay.pxerelay.pxerelay, tasks_from: fleet, public: true}
    - pxerelay.pxerelay.facts:
        home: "{{ pxerelay_dir }}"
        release: "{{ pxerelay_dir }}/releases/one"
        paths: ["{{ __pxerelay_unit }}"]
        commands: {firewall: "{{ __pxerelay_firewall + ['look', '67'] }}"}
      register: asked
    - ansible.builtin.assert:
        that: ["asked.release", "asked.running == {}", "'no daemon answers' in asked.error"]
    - pxerelay.pxerelay.mapping:
        state: written
        path: "{{ pxerelay_config_dir }}"
        home: "{{ pxerelay_dir }}"
        unit: "{{ __pxerelay_unit }}"
        group: root
        program: "{{ pxerelay_dir }}/current/bin/pxerelay"
        files: {pxerelay.yml: "default: drop"}
    - pxerelay.pxerelay.rollback:
        which: look
        path: "{{ pxerelay_config_dir }}"
        home: "{{ pxerelay_dir }}"
    - pxerelay.pxerelay.release:
        state: "{{ item }}"
        name: one
        home: "{{ pxerelay_dir }}"
        link: "{{ link }}"
        man: "{{ man }}"
      loop: [present, current, absent]
"""


def test_modules_and_commands_end_at_a_terminal(tmp_path: Path) -> None:
    home, config, unit = tmp_path / "pxerelay", tmp_path / "pxerelay-config", tmp_path / "pxerelay.service"
    (home / "releases" / "one" / "bin").mkdir(parents=True)
    (home / "releases" / "one" / "bin" / "pxerelay").symlink_to(BIN / "pxerelay")
    (home / "releases" / "one" / ".complete").touch()
    (home / "current").symlink_to(home / "releases" / "one")
    config.mkdir()
    (config / "pxerelay.yml").write_text("one")
    unit.write_text("one")
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY)
    variables = reached_by_ssh(tmp_path) | {
        "role_path": str(ROLE),  # for the commands that are not in the role
        "pxerelay_dir": str(home),
        "pxerelay_config_dir": str(config),
        "__pxerelay_unit": str(unit),
        "link": str(tmp_path / "bin" / "pxerelay"),
        "man": str(tmp_path / "man"),
    }
    played = play(tmp_path, playbook, hosts(tmp_path, {}, "relay1"), "-e", json.dumps(variables))
    assert played.returncode == 0, played.stdout + played.stderr
    assert (config / "pxerelay.yml").read_text() == "default: drop"
