"""Made-up kea-dhcp6.conf files with all that decides about boot servers, and the clients in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.integration.imported.asking import ARM, BIOS, HTTP, PLAIN, UEFI, VLANS, Client
from tests.integration.imported.asking6 import SERVER6, VLANS6
from tests.integration.imported.dhcpd_files import Made

SERVERS6 = [f"2001:db8:20::1{digit}" for digit in "0123"]
KINDS = (BIOS, UEFI, ARM, HTTP, PLAIN)
TESTS6 = {
    "efi": "option[61].hex == 0x0007",
    "arms": "option[client-arch-type].hex == 0x000b or option[61].hex == 0x000c",
    "http": "substring(option[16].hex,6,10) == 'HTTPClient'",
    "pxe": "substring(vendor-class[343].data,0,9) == 'PXEClient'",
    "both": "substring(option[16].hex,6,9) == 'PXEClient' and option[61].hex == 0x0007",
    "same": "member('efi')",
}
FORMS = ("tftp://[{}]/boot.efi", "http://[{}]:8080/a/b?c=[d]", "HTTPS://me@[{}]/x")
"""URLs of option 59 (RFC 5970, 3.1)."""


class Maker6:
    """Makes one file; `known` are clients that another file has, each with its VLAN."""

    def __init__(self, random: Random, known: Sequence[tuple[str, str]] = ()) -> None:
        self._random = random
        self._known = list(dict.fromkeys(known))
        self._made = Made()
        self._hosts = 0

    def make(self) -> Made:
        """Return the file."""
        random = self._random
        vlans = random.sample(list(VLANS), random.randint(1, 4))
        names = random.sample(list(TESTS6), random.randint(0, 3))
        names = [name for name in TESTS6 if name in names and (name != "same" or "efi" in names)]
        classes = [{"name": name, "test": TESTS6[name], **self._url(0.8)} for name in names]
        classes.insert(random.randint(0, len(classes)), {"name": "given", **self._url(0.8)})
        shared, alone = [], []
        for number, vlan in enumerate(vlans, 1):
            subnet = self._subnet(number, vlan)
            if random.random() < 0.3:
                shared.append({"name": vlan, **self._url(0.4), "subnet6": [subnet]})
            else:
                alone.append(subnet)
        pool = {"pool": "2001:db8:1:99::1000-2001:db8:1:99::ffff"}
        serving: dict[str, Any] = {
            "interfaces-config": {"interfaces": [f"eth0/{SERVER6}"]},
            "lease-database": {"type": "memfile", "persist": False},
            "server-id": {"type": "LL", "htype": 1, "identifier": "", "persist": False},
            "valid-lifetime": 3600,
            **self._url(0.7),
            "client-classes": classes,
            "shared-networks": shared,
            "subnet6": [*alone, {"id": 99, "subnet": "2001:db8:1:99::/64", "pools": [pool]}],
            "loggers": [
                {
                    "name": "kea-dhcp6",
                    "severity": "INFO",
                    "output_options": [{"output": "stdout", "flush": True}],
                }
            ],
        }
        self._made.text = f"// made up\n{json.dumps({'Dhcp6': serving}, indent=1)}\n"
        return self._made

    def _url(self, chance: float) -> dict[str, Any]:
        if self._random.random() >= chance:
            return {}
        url = self._random.choice(FORMS).format(self._random.choice(SERVERS6))
        naming = self._random.choice(({"name": "bootfile-url"}, {"code": 59}))
        if self._random.random() < 0.2:
            return {"option-data": [{**naming, "csv-format": False, "data": url.encode().hex()}]}
        return {"option-data": [{**naming, "data": url}]}

    def _subnet(self, number: int, vlan: str) -> dict[str, Any]:
        random, prefix = self._random, VLANS6[vlan]
        reservations = []
        self._made.clients += [Client(vlan, "02:ff:00:00:00:01", kind) for kind in KINDS]
        for _ in range(random.randint(0, 3)):
            self._hosts += 1
            mac = f"02:00:00:00:01:{self._hosts:02x}"
            here = [other for where, other in self._known if where == vlan]
            if here and random.random() < 0.7:
                mac = random.choice(here)
                self._known.remove((vlan, mac))
            entry = {"hw-address": mac, "hostname": f"host{self._hosts}", **self._url(0.5)}
            if random.random() < 0.5:
                entry["ip-addresses"] = [f"{prefix}::{self._hosts + 16:x}"]
            if random.random() < 0.3:
                entry["client-classes"] = ["given"]
            reservations.append(entry)
            self._made.clients += [Client(vlan, mac, kind) for kind in KINDS]
        pools = [{"pool": f"{prefix}:1::/80", **self._url(0.15)}]
        if random.random() < 0.2:
            pools.append({"pool": f"{prefix}:2::10 - {prefix}:2::ffff", **self._url(0.15)})
        return {
            "id": number,
            "subnet": f"{prefix}::/64",
            "pools": pools,
            "reservations": reservations,
            **self._url(0.4),
        }
