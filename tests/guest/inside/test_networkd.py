"""The role's files for systemd-networkd make real 802.1Q interfaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

INTERFACES = {
    "vlan10": {"vlan": {"id": 10, "parent": "eth1", "address": "10.10.10.1/24"}},
    "users.20": {
        "default": "altiris",
        "vlan": {"id": 4094, "parent": "eth1", "address": ["10.10.20.1/24", "10.10.21.1/26"]},
    },
    "vlan30": {},
}


def test_networkd_makes_the_vlans_of_the_inventory(tmp_path: Path) -> None:
    command = ["unshare", "--net", "--mount", sys.executable, "-m", "tests.guest.inside.networkd"]
    done = subprocess.run(
        [*command, json.dumps(INTERFACES)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ANSIBLE_HOME": str(tmp_path)},  # what imports Ansible makes folders there
    )
    assert done.returncode == 0, done.stdout + done.stderr
    links = {link["ifname"]: link for link in json.loads(done.stdout)}
    made = {
        name: (
            link["link"],
            link["linkinfo"]["info_data"]["id"],
            sorted(f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]),
        )
        for name, link in links.items()
        if link.get("linkinfo", {}).get("info_kind") == "vlan"
    }
    assert made == {
        "vlan10": ("eth1", 10, ["10.10.10.1/24"]),
        "users.20": ("eth1", 4094, ["10.10.20.1/24", "10.10.21.1/26"]),
    }
    assert links["eth1"]["addr_info"] == []
