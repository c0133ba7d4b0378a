#!/usr/bin/python
# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The mapping of a relay host as a whole, put in force and proven."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mapping
short_description: The mapping of a relay host as a whole, in force and proven
version_added: 1.0.0
description:
  - Brings the folder of pxerelay's configuration to the wanted files, all of them at once. They are written beside it, checked by
    the daemon that is to run, and then put in place by one rename. So the folder is at any moment the old one or the
    new one.
  - Has the running daemon load them by its control socket, and proves that it runs them; that the interfaces it is to serve are
    active; and that servers answer in the name of clients. Where that fails, the old ones are put back, and are in force
    when the module ends.
  - Two plays that are at work on one host at a time wait for each other.
  - What is proven is kept in O(home), for M(pxerelay.pxerelay.rollback) to go back to.
options:
  files:
    description:
      - The texts of the files by their path in O(path), C(pxerelay.yml) and any number of C(rules.d/NAME.yml).
      - Other files of C(rules.d) are removed. Files elsewhere in O(path) are left as they are.
    type: dict
    required: true
  group:
    description: The group that may read them. They belong to root.
    type: str
    default: pxerelay
  program:
    description: The program that checks them, of the daemon that is to run.
    type: path
    default: /usr/local/bin/pxerelay
  release:
    description: The folder that the daemon must run from. Without it any will do.
    type: path
  state:
    description:
      - V(proven) does all of it.
      - V(written) puts the files in place, for a daemon that is to be started or restarted.
    type: str
    choices: [proven, written]
    default: proven
  probes:
    description: Clients in whose name the daemon asks, and which server must answer.
    type: list
    elements: dict
    default: []
    suboptions:
      mac:
        description: The client's MAC address.
        type: str
        required: true
      server:
        description: Who must answer, by its name in the configuration or by its address.
        type: str
        required: true
      interface:
        description: The client interface that the client is on.
        type: str
      arch:
        description: The client's architecture, option 93 or 61; a number or an IANA name.
        type: str
      family:
        description: Ask by DHCPv4 or by DHCPv6 alone.
        type: str
        choices: ['4', '6']
      link_address:
        description: Ask by DHCPv6 as a client behind a router does, which relays with this link-address.
        type: str
  interfaces:
    description: The entries of C(interfaces) in the configuration.
    type: list
    elements: str
    default: []
  routers:
    description: Whether the relay takes what routers relay, so that no interface need be active.
    type: bool
    default: false
  require_active:
    description:
      - Whether it is a failure that an interface waits, or that nothing is relayed.
      - Without it, it is one for interfaces that are named without a glob.
    type: bool
  pair:
    description: Interfaces whose address the other host of a pair may have. Where they wait, nothing is asked of servers.
    type: list
    elements: str
    default: []
  variables:
    description:
      - The variables that rules come from, by the rule as it is written in C(pxerelay.yml), where that is not C(pxerelay_rules).
      - Findings of the check name them.
    type: dict
    default: {}
  home:
    description: Where what was proven is kept, together with the unit and the build of the daemon. Empty for nowhere.
    type: path
    default: /opt/pxerelay
extends_documentation_fragment:
  - pxerelay.pxerelay.host.service
  - pxerelay.pxerelay.host.daemon
attributes:
  check_mode:
    description: The new files are checked aside; nothing is changed, and the running daemon is asked what it holds.
    support: full
  diff_mode:
    description: Shows each file that changes, up to 100 KiB of it.
    support: full
author: pxerelay developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Have the relay run one rule more
  pxerelay.pxerelay.mapping:
    files:
      pxerelay.yml: |
        servers: {ris: 192.0.2.10, altiris: 192.0.2.20}
        default: ris
        interfaces: {vlan10: {}}
        rules:
          02:00:00:10:00:01: altiris
    interfaces: [vlan10]
    probes:
      - {mac: "02:00:00:00:00:f1", interface: vlan10, server: ris}
"""

RETURN = r"""
sha256:
  description: Checksums of the files by their path on the host.
  type: dict
  returned: always
  sample: {/etc/pxerelay/pxerelay.yml: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
written:
  description: Whether files were changed.
  type: bool
  returned: always
reloaded:
  description: Whether the daemon was told to load them.
  type: bool
  returned: always
put_back:
  description: Whether the old files were put back, because the new ones did not prove themselves.
  type: bool
  returned: always
kept:
  description: Whether what is proven now is other than what was proven before.
  type: bool
  returned: always
idle:
  description: Client interfaces that wait, and whether nothing is relayed, in words.
  type: list
  elements: str
  returned: always
  sample: ["vlan200 waits: there is no such interface"]
stands_by:
  description: Whether the other host of a pair has the clients.
  type: bool
  returned: always
findings:
  description: What is wrong, a line each.
  type: list
  elements: str
  returned: failure
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import control, folder, proof
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import group_number, run
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.kept import PROVEN, Kept
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.texts import Texts

STARTS = 10.0
"""Seconds in which a daemon answers that is being started."""


class NotProvenError(Exception):
    """The daemon does not do what it should; the message has a line for each way."""


class Mapping:
    """What is wanted of the host, and what was done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._wanted = module.params
        self._path = self._wanted["path"].rstrip("/")
        self._texts = Texts(self._path, self._wanted["files"], self._wanted["group"])
        self._kept = Kept(self._wanted["home"] or "", self._path, self._wanted["unit"])
        self.result = {
            "changed": False,
            "written": False,
            "reloaded": False,
            "put_back": False,
            "kept": False,
            "idle": [],
            "stands_by": False,
            "sha256": self._texts.sha256,
        }

    def bring_about(self) -> None:
        """Do it; ends the module by itself where that fails."""
        faults = self._texts.faults()
        if faults:
            self._fail(faults)
        if self._texts.differ():
            self._write()
        if self._wanted["state"] == "written":
            return
        if self._module.check_mode:
            self._foretell()
            return
        try:
            self._put_in_force()
            self._prove()
        except NotProvenError as error:
            self._put_back(str(error))
        folder.remove(folder.beside(self._path))
        if self._wanted["home"]:
            self.result["kept"] = self._kept.keep()
            self._kept.tidy()

    def _write(self) -> None:
        """Put the new files in place, if the daemon takes them."""
        before = folder.texts(self._path)
        group = group_number(self._wanted["group"])
        if group is None:
            if not self._module.check_mode:
                self._fail(f"there is no group {self._wanted['group']}")
            group = 0
        if not os.path.isdir(os.path.dirname(self._path)):
            self._fail(f"there is no folder {os.path.dirname(self._path)}")
        fresh = folder.prepare(self._path, self._texts.files, 0, group)
        try:
            self._check(fresh)
            if not self._module.check_mode:
                folder.put_in_place(self._path)
        except folder.FolderError as error:
            folder.remove(fresh)
            self._fail(str(error))
        if self._module.check_mode:
            folder.remove(fresh)
        self.result.update(changed=True, written=True)
        if self._module._diff:
            self.result["diff"] = self._texts.difference(before)

    def _check(self, fresh: str) -> None:
        program = self._wanted["program"]
        if self._module.check_mode and not os.path.exists(program):
            return  # nor could the daemon that is there judge for the one that is to come
        code, out, err = run([program, "check", os.path.join(fresh, folder.CONFIG)])
        if code:
            folder.remove(fresh)
            findings = [
                self._texts.named(line.replace(fresh, self._path), self._wanted["variables"])
                for line in (out + err).strip().splitlines()
            ]
            self._fail("The daemon refuses this configuration; the host keeps the one it has.", findings)

    def _foretell(self) -> None:
        """Tell in check mode whether a reload is due."""
        try:
            running = control.ask(self._wanted["socket"], "status")
        except control.NoDaemonError:
            return
        if proof.mismatches(running["config"], self.result["sha256"]):
            self.result.update(changed=True, reloaded=True)
        self._look(running)

    def _put_in_force(self) -> None:
        """Have the daemon load what it does not hold."""
        try:
            running = control.status(self._wanted["socket"], STARTS)
            if not proof.mismatches(running["config"], self.result["sha256"]):
                return
            self.result.update(changed=True, reloaded=True)
            control.ask(self._wanted["socket"], "reload", control.RELOAD_TIMEOUT)
        except control.NoDaemonError as error:
            raise NotProvenError(f"The daemon does not say which configuration it holds.\n{error}") from None

    def _prove(self) -> None:
        """Check that the daemon does what it should; NotProvenError if not."""
        end = time.monotonic() + proof.SETTLES
        while True:
            running = self._running()
            faults = self._look(running)
            if not faults and not self.result["stands_by"]:
                break
            if time.monotonic() > end:
                break
            time.sleep(0.5)
        if faults:
            raise NotProvenError("\n".join(faults))
        if self._wanted["probes"] and not self.result["stands_by"]:
            asked = proof.Probes(self._wanted["socket"], self._wanted["program"])
            silent = asked.unanswered(self._wanted["probes"])
            if silent:
                raise NotProvenError("\n".join(silent))

    def _running(self) -> dict:
        """Return what the daemon says of itself, if it is as it should be."""
        try:
            running = control.ask(self._wanted["socket"], "status")
        except control.NoDaemonError as error:
            raise NotProvenError(f"The daemon does not say which configuration it holds.\n{error}") from None
        other = proof.other_than(running, self.result["sha256"], self._wanted["release"])
        if other:
            raise NotProvenError("\n".join(other))
        return running

    def _look(self, running: dict) -> list:
        """Note whom the relay does not serve, and return what of that is a failure."""
        idle = proof.Idle(running, self._wanted["interfaces"], self._wanted["routers"])
        self.result["stands_by"] = proof.stands_by(running, self._wanted["pair"])
        self.result["idle"] = idle.lines()
        return [] if self.result["stands_by"] else idle.faults(self._wanted["require_active"])

    def _put_back(self, why: str) -> None:
        """Put back what was there before, or what was proven last, and fail."""
        aside = folder.beside(self._path)
        lines = why.splitlines()
        if self.result["written"] and os.path.isdir(aside):
            back = True
        else:
            back = bool(self._wanted["home"]) and self._kept.only_config_differs(PROVEN)
            if back:
                self._kept.prepare(PROVEN)
        if not back or not os.path.isfile(os.path.join(aside, folder.CONFIG)):
            folder.remove(aside)
            self._fail(lines[0], lines[1:])
        folder.put_in_place(self._path)
        folder.remove(aside)
        self.result["put_back"] = True
        try:
            answer = control.ask(self._wanted["socket"], "reload", control.RELOAD_TIMEOUT)
            lines.append(
                f"What was there before could not be put in force: {answer['error']}"
                if "error" in answer
                else "What was there before is in force again."
            )
        except control.NoDaemonError as error:
            lines.append(f"What was there before is in place again, but: {error}")
        self._fail(lines[0], lines[1:])

    def _fail(self, what: str, findings: list | None = None) -> None:
        lines = [what, *(findings or [])]
        self._module.fail_json(msg="\n".join(lines), findings=lines, **self.result)


def main() -> None:
    """Do what the task says."""
    probe = {
        "mac": {"type": "str", "required": True},
        "server": {"type": "str", "required": True},
        "interface": {"type": "str"},
        "arch": {"type": "str"},
        "family": {"type": "str", "choices": ["4", "6"]},
        "link_address": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/pxerelay"},
            "files": {"type": "dict", "required": True},
            "group": {"type": "str", "default": "pxerelay"},
            "program": {"type": "path", "default": "/usr/local/bin/pxerelay"},
            "release": {"type": "path"},
            "socket": {"type": "path", "default": "/run/pxerelay/control.sock"},
            "state": {"type": "str", "choices": ["proven", "written"], "default": "proven"},
            "probes": {"type": "list", "elements": "dict", "default": [], "options": probe},
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "routers": {"type": "bool", "default": False},
            "require_active": {"type": "bool"},
            "pair": {"type": "list", "elements": "str", "default": []},
            "variables": {"type": "dict", "default": {}},
            "home": {"type": "path", "default": "/opt/pxerelay"},
            "unit": {"type": "path", "default": "/etc/systemd/system/pxerelay.service"},
        },
        supports_check_mode=True,
    )
    mapping = Mapping(module)
    try:
        with folder.locked(module.params["path"]):
            mapping.bring_about()
    except folder.FolderError as error:
        module.fail_json(msg=str(error), findings=[str(error)], **mapping.result)
    module.exit_json(**mapping.result)


if __name__ == "__main__":
    main()
