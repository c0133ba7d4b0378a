#!/usr/bin/python
# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""A relay host goes back to what was proven."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback
short_description: A relay host goes back to what was proven
version_added: 1.0.0
description:
  - Puts configuration, unit and build of the daemon back that M(pxerelay.pxerelay.mapping) kept, and has the service run them.
  - The configuration is prepared beside the one that is there, checked by the daemon that belongs to it, and put in place
    by one rename.
  - Also where there is nothing to go back to, it is a failure that the daemon does not run what is on the host.
options:
  which:
    description:
      - V(auto) for what was proven last, or, where the host has just that, what was proven before.
      - V(look) changes nothing; it tells what V(auto) would go back to.
    type: str
    choices: [auto, proven, previous, look]
    default: auto
  home:
    description: Where it is kept.
    type: path
    default: /opt/pxerelay
  restart:
    description: The command that restarts the service, where systemd is not simply to do it.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - pxerelay.pxerelay.host.service
  - pxerelay.pxerelay.host.links
  - pxerelay.pxerelay.host.daemon
attributes:
  check_mode:
    description: Tells what it would go back to.
    support: full
  diff_mode:
    description: Shows each file of the configuration that changes.
    support: full
author: pxerelay developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Go back to what ran before the last change
  pxerelay.pxerelay.rollback:
"""

RETURN = r"""
which:
  description: What it went back to, V(proven) or V(previous), or V(nothing).
  type: str
  returned: always
restarted:
  description: Whether the service was restarted.
  type: bool
  returned: always
switched:
  description: Whether another build became the current one.
  type: bool
  returned: always
reloaded:
  description: Whether the daemon was told to load its configuration.
  type: bool
  returned: always
running:
  description: The build that runs now.
  type: str
  returned: success
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import control, folder, links, package, proof
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import run, sha256
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.kept import NOTHING, PREVIOUS, Kept

UNIT = "pxerelay.service"
STARTS = 20.0
"""Seconds in which a daemon answers that was started."""


class Rollback:
    """What is kept on the host, and what was done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._wanted = module.params
        self._kept = Kept(self._wanted["home"], self._wanted["path"].rstrip("/"), self._wanted["unit"])
        self.result = {
            "changed": False,
            "which": NOTHING,
            "restarted": False,
            "switched": False,
            "reloaded": False,
        }

    def go_back(self) -> None:
        """Do it; ends the module by itself where that fails."""
        which = self._wanted["which"]
        which = self._kept.choice() if which in ("auto", "look") else which
        self.result["which"] = which
        if self._wanted["which"] == "look":
            return
        if which != NOTHING and not self._kept.there(which):
            self._fail(f"nothing is kept in {self._kept.path(which)}")
        if which != NOTHING and not self._kept.same(which):
            self._put_back(which)
        if self._module.check_mode:
            return
        if which != NOTHING:
            self._kept.went_back(which)
        self._have_it_run()

    def _put_back(self, which: str) -> None:
        path, kept = self._wanted["path"].rstrip("/"), self._kept
        self.result.update(changed=True, switched=not kept.same_release(which))
        if not kept.same_config(which):
            before = folder.texts(path)
            after = folder.texts(kept.path(which, "config"))
            self.result["diff"] = [
                {
                    "before_header": f"{path}/{name}",
                    "after_header": f"{path}/{name}",
                    "before": before.get(name, ""),
                    "after": after.get(name, ""),
                }
                for name in sorted({*before, *after})
                if before.get(name) != after.get(name)
            ]
        if self._module.check_mode:
            return
        if not kept.same_config(which):
            fresh = kept.prepare(which)
            try:
                self._check(fresh, os.path.join(kept.release(which), "bin", "pxerelay"))
                folder.put_in_place(path)
            except folder.FolderError as error:
                self._fail(str(error))
            finally:
                folder.remove(fresh)
        try:
            kept.put_back_service(which)
        except package.PackageError as error:
            self._fail(str(error))
        links.bring(self._wanted["home"], kept.release(which), self._wanted["link"], self._wanted["man"])

    def _check(self, fresh: str, program: str) -> None:
        code, out, err = run([program, "check", os.path.join(fresh, folder.CONFIG)])
        if code:
            told = (out + err).replace(fresh, self._wanted["path"]).strip()
            self._fail(f"{program} refuses what is kept; the host keeps what it has.\n{told}")

    def _have_it_run(self) -> None:
        code, out, err = run(["systemctl", "show", "--property=NeedDaemonReload", "--value", UNIT])
        if code:
            self._fail(f"systemd is not asked about {UNIT}: {(out + err).strip()}")
        need_reload = out.strip() == "yes"
        running = self._running(0.0)
        if running is None or need_reload or not self._same_build(running):
            self._restart()
        elif self._wrong(running):
            self.result.update(changed=True, reloaded=True)
            try:
                control.ask(self._wanted["socket"], "reload", control.RELOAD_TIMEOUT)
            except control.NoDaemonError as error:
                self._fail(str(error))
        running = self._running(STARTS)
        if running is None:
            self._fail("the daemon does not answer; journalctl -u pxerelay tells why")
        wrong = self._wrong(running)
        if not self._same_build(running):
            wrong.append(f"it is {running.get('prefix')}, and not {os.readlink(self._kept.current)}")
        if wrong:
            self._fail("\n".join(["the daemon does not run what was put back", *wrong]))
        self.result["running"] = (
            os.path.basename(os.readlink(self._kept.current)) if running.get("prefix") else ""
        )

    def _restart(self) -> None:
        self.result.update(changed=True, restarted=True)
        for argv in (
            ["systemctl", "daemon-reload"],
            self._wanted["restart"] or ["systemctl", "restart", UNIT],
        ):
            code, out, err = run(argv, 600.0)
            if code:
                self._fail(f"{' '.join(argv[:3])}: {(out + err).strip()}")

    def _running(self, seconds: float) -> dict | None:
        try:
            return control.status(self._wanted["socket"], seconds)
        except control.NoDaemonError:
            return None

    def _same_build(self, running: dict) -> bool:
        current = self._kept.current
        return os.path.islink(current) and package.is_running(os.readlink(current), running)

    def _wrong(self, running: dict) -> list:
        """Return in which way the daemon does not hold, without a complaint, the files that are on the host."""
        here = {}
        for path in running["config"].get("files") or {}:
            if os.path.isfile(path):
                here[path] = sha256(path)
        return proof.mismatches(running["config"], here)

    def _fail(self, what: str) -> None:
        self._module.fail_json(msg=what, **self.result)


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(
        argument_spec={
            "which": {"type": "str", "choices": ["auto", "proven", PREVIOUS, "look"], "default": "auto"},
            "path": {"type": "path", "default": "/etc/pxerelay"},
            "home": {"type": "path", "default": "/opt/pxerelay"},
            "unit": {"type": "path", "default": "/etc/systemd/system/pxerelay.service"},
            "link": {"type": "path", "default": "/usr/local/bin/pxerelay"},
            "man": {"type": "path", "default": "/usr/local/share/man"},
            "socket": {"type": "path", "default": "/run/pxerelay/control.sock"},
            "restart": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    rollback = Rollback(module)
    try:
        with folder.locked(module.params["path"]):
            rollback.go_back()
    except folder.FolderError as error:
        module.fail_json(msg=str(error), **rollback.result)
    module.exit_json(**rollback.result)


if __name__ == "__main__":
    main()
