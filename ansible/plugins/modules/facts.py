#!/usr/bin/python
# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""All that the role asks of a relay host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: facts
short_description: All that the role pxerelay asks of a host, in one call
version_added: 1.0.0
description:
  - Changes nothing. What is not there is told as such, and is no failure.
options:
  paths:
    description: Paths to describe.
    type: list
    elements: path
    default: []
  user:
    description: The user to look for.
    type: str
    default: pxerelay
  group:
    description: The group to look for.
    type: str
    default: pxerelay
  pythons:
    description: Programs to ask for the Python that they are.
    type: list
    elements: str
    default: [python3]
  release:
    description: The folder of the build that is wanted.
    type: path
  home:
    description: The folder that builds are in, and C(current).
    type: path
    default: /opt/pxerelay
  units:
    description: Units to ask systemd about.
    type: list
    elements: str
    default: [pxerelay.service]
  commands:
    description: Commands that only look, by a name; they are run without input.
    type: dict
    default: {}
extends_documentation_fragment:
  - pxerelay.pxerelay.host.links
  - pxerelay.pxerelay.host.daemon
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
author: pxerelay developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Ask a relay host what it is
  pxerelay.pxerelay.facts:
    paths: [/etc/pxerelay/pxerelay.yml]
  register: relay
"""

RETURN = r"""
family:
  description: C(Debian), C(RedHat), or empty for others.
  type: str
  returned: always
distribution:
  description: What the host calls its operating system.
  type: str
  returned: always
major:
  description: The first part of its version.
  type: str
  returned: always
selinux:
  description: Whether SELinux is enabled.
  type: bool
  returned: always
paths:
  description: What is at each path; C(type), and C(owner), C(group), C(mode), of a file C(sha256), of a link C(target).
  type: dict
  returned: always
user:
  description: The user's C(uid), C(group) and C(comment), or nothing where there is none.
  type: dict
  returned: always
group:
  description: Whether there is the group.
  type: bool
  returned: always
pythons:
  description: The C(version) and C(prefix) of each Python that is there.
  type: dict
  returned: always
release:
  description: Whether the wanted build is there, whole and able to run.
  type: bool
  returned: always
current:
  description: The build that is the current one, empty for none; also where it is a package, and dpkg has another version.
  type: str
  returned: always
links:
  description: Links to the program and to manual pages that are not as they should be, once the wanted build is the current one.
  type: list
  elements: str
  returned: always
runs:
  description: Whether the daemon that runs is of the wanted build; also where it does not tell.
  type: bool
  returned: always
running:
  description: What the daemon says of itself, as C(pxerelay status --json); empty where it says nothing.
  type: dict
  returned: always
error:
  description: Why the daemon says nothing.
  type: str
  returned: always
units:
  description: What systemd says of each unit; C(LoadState), C(ActiveState), C(UnitFileState), C(NeedDaemonReload).
  type: dict
  returned: always
commands:
  description: The C(rc), C(stdout) and C(stderr) of each command.
  type: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import control, links, package
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import described, group_number, run, user

PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")

_FAMILIES = {"Debian": {"debian", "ubuntu"}, "RedHat": {"rhel", "fedora", "centos"}}


def operating_system(path: str = "/etc/os-release") -> dict:
    """Return the family, name and major version that os-release(5) has."""
    found = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                key, equals, value = line.strip().partition("=")
                if equals:
                    found[key] = value.strip("\"'")
    except OSError:
        pass
    kinds = {found.get("ID", ""), *found.get("ID_LIKE", "").split()}
    return {
        "family": next((family for family, ids in _FAMILIES.items() if kinds & ids), ""),
        "distribution": found.get("PRETTY_NAME", "an unknown system"),
        "major": found.get("VERSION_ID", "").partition(".")[0],
    }


def pythons(names: list) -> dict:
    """Return the version and prefix of each Python that is there."""
    found = {}
    script = "import sys; print(*sys.version_info[:3], sep='.'); print(sys.base_prefix)"
    for name in names:
        code, out, _unused = run([name, "-c", script])
        if code == 0:
            version, prefix = out.splitlines()
            found[name] = {"version": version, "prefix": prefix}
    return found


def runs(release: str, running: dict) -> bool:
    """Tell whether a build is there, whole and able to run."""
    if not os.path.exists(os.path.join(release, ".complete")):
        return False
    if running and not package.is_one(release) and running.get("prefix") == release:
        return True
    return run([os.path.join(release, "bin", "pxerelay"), "--version"])[0] == 0


def units(names: list) -> dict:
    """Return what systemd says of units."""
    found = {}
    for name in names:
        _unused, out, _unused = run(["systemctl", "show", f"--property={','.join(PROPERTIES)}", name])
        said = dict(line.partition("=")[::2] for line in out.splitlines())
        found[name] = {key: said.get(key, "") for key in PROPERTIES}
    return found


def gathered(wanted: dict) -> dict:
    """Return all of it."""
    try:
        running, error = control.ask(wanted["socket"], "status"), ""
    except control.NoDaemonError as no_daemon:
        running, error = {}, str(no_daemon)
    current = os.path.join(wanted["home"], "current")
    release = wanted["release"] or ""
    leads_to = links.wanted(wanted["home"], release or current, wanted["link"], wanted["man"])
    leads = os.readlink(current) if os.path.islink(current) else ""
    said = {name: run(argv) for name, argv in wanted["commands"].items()}
    return {
        **operating_system(),
        "selinux": os.path.exists("/sys/fs/selinux/enforce"),
        "paths": {path: described(path) for path in wanted["paths"]},
        "user": user(wanted["user"]) or {},
        "group": group_number(wanted["group"]) is not None,
        "pythons": pythons(wanted["pythons"]),
        "release": bool(release) and runs(release, running),
        "current": leads if package.is_current(leads) else "",
        "links": links.differing(leads_to)
        + links.stray(wanted["home"], leads_to, wanted["link"], wanted["man"]),
        "runs": not release or package.is_running(release, running),
        "running": running,
        "error": error,
        "units": units(wanted["units"]),
        "commands": {
            name: {"rc": code, "stdout": out, "stderr": err} for name, (code, out, err) in said.items()
        },
    }


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": []},
            "user": {"type": "str", "default": "pxerelay"},
            "group": {"type": "str", "default": "pxerelay"},
            "pythons": {"type": "list", "elements": "str", "default": ["python3"]},
            "release": {"type": "path"},
            "home": {"type": "path", "default": "/opt/pxerelay"},
            "link": {"type": "path", "default": "/usr/local/bin/pxerelay"},
            "man": {"type": "path", "default": "/usr/local/share/man"},
            "socket": {"type": "path", "default": "/run/pxerelay/control.sock"},
            "units": {"type": "list", "elements": "str", "default": ["pxerelay.service"]},
            "commands": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **gathered(module.params))


if __name__ == "__main__":
    main()
