"""The page, as the role's variables describe it: its file, which `pxerelay web --check` accepts; its unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.command import run
from tests.role.plays import BIN, ROLE, play

# Runs on the control machine alone: nothing connects to a host.
PLAYBOOK = """\
- hosts: pxerelay
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: pxerelay.pxerelay.pxerelay, tasks_from: render, public: true}
    - ansible.builtin.copy:
        dest: "{{ target }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: >-
          {{ {'file': __pxerelay_web_config_text, 'passwords': __pxerelay_web_password_text,
              'unit': __pxerelay_web_unit_text, 'release': __pxerelay_release_name,
              'requirement': __pxerelay_requirement} | to_json }}
      delegate_to: localhost
      connection: local
"""

LINE = "help-desk:scrypt:00:11"

HOSTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "other_settings": {"pxerelay_web_names": ["boot.example.net"]},
    "port": {
        "pxerelay_web_listen": "127.0.0.1:8067",
        "pxerelay_web_names": ["boot.example.net"],
        "pxerelay_web_relays": {},
        "pxerelay_web_tls": None,
    },
    "loopback6": {"pxerelay_web_listen": "[::1]:8067"},
    "open": {
        "pxerelay_web_listen": "[2001:db8::7]:8443",
        "pxerelay_web_tls": {"certificate": "/etc/ssl/boot.pem", "key": "/etc/ssl/private/boot.key"},
        "pxerelay_web_passwords": [LINE],
    },
    "several": {
        "pxerelay_web_behind_proxy": ["192.0.2.80"],
        "pxerelay_web_relays": {
            "edge2": "https://edge2.example.net:8067",
            "edge3": {"url": "https://edge3.example.net:8067", "login_file": "/etc/pxerelay-web.edge3"},
        },
    },
}


def _inventory(folder: Path, hosts: dict[str, dict[str, Any]]) -> Path:
    common = {
        "pxerelay_servers": {"ris": "192.0.2.10"},
        "pxerelay_default": "ris",
        "pxerelay_interfaces": {"vlan10": {}},
        "pxerelay_install_source": "index",
        "pxerelay_web": True,
    }
    inventory = folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"pxerelay": {"hosts": hosts, "vars": common}}))
    (folder / "play.yml").write_text(PLAYBOOK)
    return inventory


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    folder = tmp_path_factory.mktemp("page")
    inventory = _inventory(folder, HOSTS)
    words = ("-e", f"target={folder}", "-e", f"role_path={ROLE}", "-e", "ansible_connection=local")
    played = play(folder, folder / "play.yml", inventory, *words)
    assert played.returncode == 0, played.stdout + played.stderr
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in HOSTS}


def test_its_file_says_what_the_variables_say(rendered: dict[str, dict[str, str]], tmp_path: Path) -> None:
    told = {}
    for name, found in rendered.items():
        file = tmp_path / f"{name}.yml"
        file.write_text(found["file"])
        run([str(BIN / "pxerelay"), "web", "--check", "--config", str(file)])
        told[name] = yaml.safe_load(found["file"])
    socket = {"listen": "/run/pxerelay-web/web.sock"}
    assert told == {
        "plain": socket,
        "other_settings": socket | {"names": ["boot.example.net"]},
        "port": {"listen": "127.0.0.1:8067", "names": ["boot.example.net"]},
        "loopback6": {"listen": "[::1]:8067"},
        "open": {
            "listen": "[2001:db8::7]:8443",
            "tls": HOSTS["open"]["pxerelay_web_tls"],
            "password_file": "/etc/pxerelay-web.passwords",
        },
        "several": socket
        | {"behind_proxy": ["192.0.2.80"], "relays": HOSTS["several"]["pxerelay_web_relays"]},
    }
    assert rendered["open"]["passwords"].splitlines()[1:] == [LINE]


def test_its_unit_reaches_as_far_as_it_must(rendered: dict[str, dict[str, str]]) -> None:
    keys = ("PrivateNetwork", "IPAddressDeny", "IPAddressAllow", "SocketBindDeny", "SocketBindAllow")
    told = {
        name: [line for line in found["unit"].splitlines() if line.partition("=")[0] in keys]
        for name, found in rendered.items()
    }
    assert told == {
        "plain": ["PrivateNetwork=true", "IPAddressDeny=any", "SocketBindDeny=any"],
        "other_settings": ["PrivateNetwork=true", "IPAddressDeny=any", "SocketBindDeny=any"],
        "port": [
            "IPAddressDeny=any",
            "IPAddressAllow=localhost",
            "SocketBindDeny=any",
            "SocketBindAllow=tcp:8067",
        ],
        "loopback6": [
            "IPAddressDeny=any",
            "IPAddressAllow=localhost",
            "SocketBindDeny=any",
            "SocketBindAllow=tcp:8067",
        ],
        "open": ["SocketBindDeny=any", "SocketBindAllow=tcp:8443"],
        "several": ["SocketBindDeny=any"],
    }


def test_other_settings_make_another_unit_so_that_the_page_is_restarted(
    rendered: dict[str, dict[str, str]],
) -> None:
    plain, other = (rendered[name]["unit"].splitlines() for name in ("plain", "other_settings"))
    differing = [(a, b) for a, b in zip(plain, other, strict=True) if a != b]
    assert [a.split(",")[0] for a, _ in differing] == ["# index-newest-web"]


def test_a_build_with_the_page_is_another_one(rendered: dict[str, dict[str, str]]) -> None:
    assert {found["release"] for found in rendered.values()} == {"index-newest-web"}
    assert {found["requirement"] for found in rendered.values()} == {"pxerelay[web]"}


@pytest.mark.parametrize("path", ["/srv/web.sock", "/run/pxerelay-web/../web.sock", "/run/pxerelay-web/"])
def test_a_socket_that_the_unit_can_not_make_is_refused(path: str, tmp_path: Path) -> None:
    inventory = _inventory(tmp_path, {"elsewhere": {"pxerelay_web_listen": path}})
    words = ("-e", f"target={tmp_path}", "-e", f"role_path={ROLE}", "-e", "ansible_connection=local")
    played = play(tmp_path, tmp_path / "play.yml", inventory, *words)
    assert played.returncode == 2
    assert f"pxerelay_web_listen: {path}: a socket must be in /run/pxerelay-web" in " ".join(
        played.stdout.replace("\\n", " ").split()
    )
