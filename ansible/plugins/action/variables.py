# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Reads the variables of all hosts of a play at once, on the control machine, and connects to none.

A task for each host would have Ansible start a process for each of them. This one is run once. What variables hold is
worked out once for all hosts that have the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.template import Templar

from ansible.plugins.action import ActionBase

OURS = "pxerelay_"
"""How the names of variables begin on which the values depend."""

BY_HOST = ("pxerelay_pair",)
"""Variables of which something else follows for each host."""

TEMPLATES = ("{{", "{%", "{#")
"""Begin of what Jinja works out, perhaps of other variables."""

NAMED = 8
"""Most hosts that are named for one fault."""


def plain(value: Any) -> Any:
    """Return a value without what Ansible hangs on to it."""
    if isinstance(value, Mapping):
        return {plain(key): plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [plain(below) for below in value]
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


class Looks:
    """What variables look like. One that many hosts have is looked at once."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, str]] = {}

    def alike(self, variables: Mapping[str, Any], templar: Templar) -> str:
        """Return what is equal for hosts that have the same values; empty where each is another case."""
        texts = [str(variables.get("inventory_dir"))]  # where files are looked for
        for name in sorted(variables):
            if name in BY_HOST:
                return ""
            if name.startswith(OURS):
                text = self._text(variables[name])
                if any(start in text for start in TEMPLATES):
                    text = repr(plain(templar.template(variables[name])))
                texts.append(f"{name}={text}")
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()

    def _text(self, value: Any) -> str:
        kept, text = self._seen.get(id(value), (None, ""))
        if kept is not value or not text:
            text = repr(value)
            self._seen[id(value)] = value, text  # kept, so that no other value can have its number
        return text


class Shared:
    """Values that hosts share, each kept once, by its checksum."""

    def __init__(self) -> None:
        self.contents: dict[str, Any] = {}

    def put(self, value: Any) -> str:
        """Keep a value; return what it is found by."""
        name = hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]
        self.contents.setdefault(name, value)
        return name


def message(error: AnsibleError) -> str:
    """Return what is wrong, as it was said where it was found."""
    found: BaseException = error
    while isinstance(found.__cause__, AnsibleError):
        found = found.__cause__
    return str(getattr(found, "message", "") or found).strip()


def together(faults: Mapping[str, str]) -> str:
    """Return what is wrong, each thing once, with the hosts that it is wrong for."""
    hosts: dict[str, list[str]] = {}
    for host, text in faults.items():
        hosts.setdefault(text, []).append(host)
    lines = []
    for text, names in hosts.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(f"{', '.join(names[:NAMED])}{more}:")
        lines += (f"  {line}" for line in text.splitlines())
    return "\n".join(lines)


class ActionModule(ActionBase):
    """The action `variables`."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        """Return the values of each host, or fail with all that is wrong for any of them."""
        result = super().run(tmp, task_vars)
        shared, looks = Shared(), Looks()
        faults: dict[str, str] = {}
        values: dict[str, dict[str, str]] = {}
        known: dict[str, tuple[dict[str, str], str]] = {}
        for host in map(str, self._task.args["hosts"]):
            variables = self._variables_of(host, task_vars or {})
            templar = Templar(loader=self._loader, variables=variables)
            try:
                alike = looks.alike(variables, templar) or host
            except AnsibleError:  # told below, if it matters
                alike = host
            if alike not in known:
                known[alike] = self._evaluated(variables, templar, shared)
            values[host], fault = known[alike]
            if fault:
                faults[host] = fault
        if faults:
            return result | {"failed": True, "msg": together(faults)}
        return result | {"changed": False, "hosts": values, "contents": shared.contents}

    def _variables_of(self, host: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        hostvars = task_vars["hostvars"]
        return hostvars._variable_manager.get_vars(
            play=self._task.get_play(), host=hostvars._inventory.get_host(host), task=self._task
        )

    def _evaluated(
        self, variables: dict[str, Any], templar: Templar, shared: Shared
    ) -> tuple[dict[str, str], str]:
        """Return where values of a host's variables are, and what is wrong with them."""
        arguments = self._task.args
        try:
            condition = str(arguments.get("condition") or "")
            if condition and not boolean(templar.template(variables[condition])):
                return {}, ""
            options = plain(arguments.get("options") or {})
            given = {name: plain(templar.template(variables[name])) for name in options if name in variables}
            wrong = [*ArgumentSpecValidator(options).validate(given).error_messages]
            if not wrong and arguments.get("faults"):
                wrong = plain(templar.template(variables[str(arguments["faults"])]))
            if wrong:
                return {}, "\n".join(wrong)
            return {
                name: shared.put(plain(templar.template(variables[name]))) for name in arguments["names"]
            }, ""
        except AnsibleError as error:
            return {}, message(error)
