"""Made-up kea-dhcp4.conf files with all that decides about boot servers, and the clients in them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.integration.imported.asking import ARM, BIOS, HTTP, PLAIN, UEFI, VLANS, Client
from tests.integration.imported.dhcpd_files import SERVERS, Made

TESTS = {
    "efi": "option[93].hex == 0x0007",
    "arms": "option[93].hex == 0x000b or option[93].hex == 0x000c",
    "http": "substring(option[60].hex,0,10) == 'HTTPClient'",
    "pxe": "substring(option[60].hex,0,9) == 'PXEClient'",
    "pxe7": "substring(option[60].hex,0,20) == 'PXEClient:Arch:00007'",
    "both": "substring(option[60].hex,0,9) == 'PXEClient' and option[93].hex == 0x0007",
    "same": "member('efi')",
}


class Maker:
    """Makes one file, in the folder of the file that it would include."""

    def __init__(self, random: Random, include: str) -> None:
        self._random = random
        self._folder = include.rpartition("/")[0]
        self._made = Made()
        self._hosts = 0

    def make(self) -> Made:
        """Return the file."""
        random = self._random
        vlans = random.sample(list(VLANS), random.randint(1, 4))
        names = random.sample(list(TESTS), random.randint(0, 3))
        names = [name for name in TESTS if name in names and (name != "same" or "efi" in names)]
        classes = [{"name": name, "test": TESTS[name], **self._server(0.8)} for name in names]
        classes.insert(random.randint(0, len(classes)), {"name": "given", **self._server(0.8)})
        lans, alone = [], []
        for number, vlan in enumerate(vlans, 1):
            subnet = self._subnet(number, vlan)
            if random.random() < 0.3:
                lans.append({"name": vlan, **self._server(0.6), "subnet4": [subnet]})
            else:
                alone.append(subnet)
        serving: dict[str, Any] = {
            "interfaces-config": {"interfaces": ["eth0"]},
            "lease-database": {"type": "memfile", "persist": False},
            "valid-lifetime": 3600,
            "authoritative": True,
            **self._server(0.6),
            "client-classes": classes,
            "shared-networks": lans,
            "subnet4": [
                *alone,
                {"id": 99, "subnet": "10.1.99.0/24", "pools": [{"pool": "10.1.99.10-10.1.99.200"}]},
            ],
            "loggers": [
                {
                    "name": "kea-dhcp4",
                    "severity": "INFO",
                    "output_options": [{"output": "stdout", "flush": True}],
                }
            ],
        }
        self._made.text = f"// made up\n{json.dumps({'Dhcp4': serving}, indent=1)}\n"
        return self._made

    def _server(self, chance: float) -> dict[str, Any]:
        return {"next-server": self._random.choice(SERVERS)} if self._random.random() < chance else {}

    def _subnet(self, number: int, vlan: str) -> dict[str, Any]:
        random, prefix = self._random, VLANS[vlan]
        reservations = []
        kinds = (BIOS, UEFI, ARM, HTTP, PLAIN)
        self._made.clients += [Client(vlan, "02:ff:00:00:00:01", kind) for kind in kinds]
        for _ in range(random.randint(0, 3)):
            self._hosts += 1
            mac = f"02:00:00:00:00:{self._hosts:02x}"
            entry = {"hw-address": mac, "ip-address": f"{prefix}.{self._hosts + 10}", **self._server(0.5)}
            if random.random() < 0.3:
                entry["client-classes"] = ["given"]
            reservations.append(entry)
            self._made.clients += [Client(vlan, mac, kind) for kind in kinds]
        return {
            "id": number,
            "subnet": f"{prefix}.0/24",
            "pools": [{"pool": f"{prefix}.100 - {prefix}.250"}],
            "reservations": reservations,
            **self._server(0.6),
        }
