"""The role as the README has it: its own lines, from a checkout to a proven relay host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from release import source
from tests.lab.command import REPOSITORY, run
from tests.lab.image import image, wheelhouse
from tests.lab.podman import HOME
from tests.release.host import Host, booted
from tests.release.readme import commands
from tests.role.plays import BIN

NAME = "pxr-readme-relay"


@pytest.fixture
def host() -> Iterator[Host]:
    """Have a host up that is on a client VLAN."""
    with booted(NAME, image(), ["--pidfile", str(HOME / f"{NAME}.pid")]) as up:
        for words in (
            "link add vlan10 type veth peer name client",
            "address add 10.10.10.2/24 dev vlan10",
            "link set vlan10 up",
            "link set client up",
        ):
            up.run("ip", *words.split())
        yield up


def _put_in(inventory: Path) -> None:
    """Do what the README's comment says: put in hosts, servers and MACs."""
    for site in inventory.glob("group_vars/site_*"):
        shutil.rmtree(site)
    about = {
        "ansible_connection": "lab_podman",
        "ansible_host": NAME,
        "pxerelay_wheelhouse": str(wheelhouse()),
    }
    hosts = {"pxerelay": {"hosts": {"relay1": about}, "vars": {"pxerelay_interfaces": {"vlan10": {}}}}}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))


def test_what_the_readme_says_is_all_that_it_takes(host: Host, tmp_path: Path) -> None:
    tree = tmp_path / "pxerelay"
    source.export(tree)
    plugins = REPOSITORY / "tests/lab/ansible/connection_plugins"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONNECTION_PLUGINS": str(plugins), "PATH": f"{BIN}:{environment['PATH']}"}
    first, look, play = commands("With Ansible")
    run(["sh", "-c", first], cwd=tree, env=environment)
    _put_in(tree / "inventories" / "mine")
    looked = run(["sh", "-c", look], cwd=tree, env=environment, timeout=600)
    assert "looked at" in looked.stdout
    assert host.run("sh", "-c", "command -v pxerelay", check=False).returncode, "it was only looked at"
    played = run(["sh", "-c", play], cwd=tree, env=environment, timeout=600)
    assert "1 of 1 hosts proven" in played.stdout
    assert "vlan10" in host.run("pxerelay", "status").stdout


def test_each_of_three_ways_takes_five_lines_at_most() -> None:
    for heading in ("With Ansible", "As a Debian package", "As a container"):
        assert 1 <= len(commands(heading)) <= 5, heading
