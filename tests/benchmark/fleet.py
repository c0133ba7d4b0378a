"""What a change of the mapping costs the control machine: hundreds of inventory names, over eight real hosts.

Each name is a host to Ansible, with connections of its own by OpenSSH: as a user with sudo and a password, by
Ansible's defaults. Names of one host have one mapping; the first of them changes it, the others find it
changed and prove it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.lab.command import REPOSITORY, run
from tests.lab.ownership import NAMESPACES
from tests.lab.relayhost import RelayHost
from tests.lab.rollout import CONFIG, INVENTORY
from tests.role.plays import BIN

NAMES = 300
RULES = 2000
FORKS = 25
USER, PASSWORD = "deploy", "only of this lab"


class Fleet:
    """An inventory of many names, and the keys to their hosts, in a folder."""

    def __init__(self, folder: Path, lab: str, hosts: Sequence[str]) -> None:
        self._folder = folder
        self._key = folder / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)])
        for host in hosts:
            self._let_in(RelayHost(lab, host), host)
        self._write_inventory(hosts)

    def _let_in(self, relay: RelayHost, host: str) -> None:
        """Make the user on a host, and write what starts ssh in its network."""
        public = self._key.with_suffix(".pub").read_text()
        relay.run("useradd", "--create-home", "--groups", "sudo", "--shell", "/bin/bash", USER)
        relay.run("sh", "-c", f"echo '{USER}:{PASSWORD}' | chpasswd")
        relay.run("install", "-d", "-o", USER, "-g", USER, "-m", "0700", f"/home/{USER}/.ssh")
        keys = f"/home/{USER}/.ssh/authorized_keys"
        relay.run(
            "sh", "-c", f"echo '{public.strip()}' >{keys} && chown {USER}:{USER} {keys} && chmod 0600 {keys}"
        )
        for program in ("ssh", "sftp-ssh"):  # Ansible takes a command with its ssh in it for one that may ask
            start = self._folder / f"{program}-{host}"
            start.write_text(f'#!/bin/sh\nexec nsenter --net={NAMESPACES / relay.name} ssh "$@"\n')
            start.chmod(0o700)

    def _write_inventory(self, hosts: Sequence[str]) -> None:
        names = {}
        for number in range(NAMES):
            host = hosts[number % len(hosts)]
            names[f"site{number + 1:03}"] = {
                "ansible_ssh_executable": str(self._folder / f"ssh-{host}"),
                "ansible_sftp_extra_args": f"-S {self._folder / f'sftp-ssh-{host}'}",
            }
        (self._folder / "hosts.yml").write_text(yaml.safe_dump({"pxerelay": {"hosts": names}}))
        group = self._folder / "group_vars" / "pxerelay"
        group.mkdir(parents=True)
        (group / "lab.yml").symlink_to(INVENTORY / "group_vars" / "pxerelay.yml")
        macs = (f"02:00:00:20:{number >> 8:02x}:{number & 255:02x}" for number in range(RULES))
        common = {
            "IdentityFile": self._key,
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        reached = {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_user": USER,
            "ansible_become_password": PASSWORD,
            "ansible_control_path": str(self._folder / "cp-{{ inventory_hostname }}"),
            "ansible_ssh_common_args": " ".join(
                ["-F /dev/null", *(f"-o {name}={value}" for name, value in common.items())]
            ),
            "pxerelay_rules__fleet": dict.fromkeys(macs, "altiris"),
        }
        (group / "reached.yml").write_text(yaml.safe_dump(reached))

    def play(self, playbook: str, variables: dict[str, object]) -> tuple[float, float]:
        """Return the seconds that a playbook took, and those of processors on the control machine.

        CommandError if it fails, RuntimeError if not all of it is proven.
        """
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(CONFIG),
            "ANSIBLE_FORKS": str(FORKS),
            "ANSIBLE_NOCOLOR": "1",
        }
        words = ["-m", "tests.benchmark.accounting", str(BIN / "ansible-playbook"), "-i", str(self._folder)]
        words += [str(REPOSITORY / "ansible" / "playbooks" / playbook), "-e", json.dumps(variables)]
        done = run([str(BIN / "python"), *words], env=environment, cwd=REPOSITORY, timeout=900)
        if f"{NAMES} of {NAMES} hosts proven" not in done.stdout:
            raise RuntimeError(done.stdout)
        figures = json.loads(done.stderr.splitlines()[-1])
        return figures["seconds"], figures["processors"]
