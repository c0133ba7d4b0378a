"""Made-up dnsmasq.conf files with all that decides about boot servers, and the clients in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.integration.imported.asking import ARM, BIOS, HTTP, PLAIN, UEFI, VLANS, Client

SERVERS = [f"10.20.0.{number}" for number in range(10, 16)]
SAYS = [
    ("dhcp-match=set:{0},option:client-arch,7", "efi"),
    ("dhcp-match=set:{0},93,0", "bios"),
    ("dhcp-match=set:{0},option:client-arch,11", "arm"),
    ("dhcp-match=set:{0},option:vendor-class,HTTPClient", "http"),
    ("dhcp-vendorclass=set:{0},PXEClient", "pxe"),
    ("dhcp-vendorclass=set:{0},PXEClient:Arch:00007", "pxe7"),
    ("dhcp-vendorclass={0},Arch:00000", "pxe0"),
    ("dhcp-userclass=set:{0},iPXE", "ipxe"),
]


@dataclass
class Made:
    """The text, that of a file of dhcp-hostsfile, and clients on the VLANs where they may be."""

    text: str = ""
    included: str = ""
    clients: list[Client] = field(default_factory=list)


class Maker:
    """Makes one file."""

    def __init__(self, random: Random, include: str) -> None:
        self._random = random
        self._include = include
        self._made = Made()

    def make(self) -> Made:
        """Return the file."""
        random = self._random
        vlans = random.sample(list(VLANS), random.randint(1, 3))
        lines, nets = [], []
        for vlan in vlans:
            tag = f"net{vlan}" if random.random() < 0.6 else ""
            nets += [tag] if tag else []
            set_ = random.choice([f"set:{tag},", f"{tag},"]) if tag else ""
            lines.append(f"dhcp-range={set_}{VLANS[vlan]}.100,{VLANS[vlan]}.250,255.255.255.0,1h")
        says = random.sample(SAYS, random.randint(0, 3))
        lines += [line.format(tag) for line, tag in says]
        groups = [f"group{number}" for number in range(random.randint(1, 3))]
        tags = [tag for _, tag in says] + nets + groups
        if len(tags) > 1 and random.random() < 0.4:
            one, two = random.sample(tags, 2)
            lines.append(f"tag-if=set:both,tag:{one},tag:{random.choice(['', '!'])}{two}")
            tags.append("both")
        if random.random() < 0.8:
            lines.append(self._boot([]))
        lines += [self._boot([random.choice(tags)]) for _ in range(random.randint(1, 4))]
        if len(tags) > 1 and random.random() < 0.4:
            one, two = random.sample(tags, 2)
            lines.append(self._boot([one, random.choice(["", "!"]) + two]))
        hosts, macs = self._hosts(vlans, groups)
        if random.random() < 0.3:
            self._made.included = "\n".join(hosts).replace("dhcp-host=", "") + "\n"
            lines.append(f"dhcp-hostsfile={self._include}")
        else:
            lines += hosts
        if random.random() < 0.5:
            tag = random.choice(groups)
            lines.append(f"dhcp-mac=set:{tag},02:80:{random.choice(['64', '*'])}:*:*:*")
            macs += ["02:80:64:00:00:01", "02:80:65:00:00:01"]
        if random.random() < 0.3:
            lines.append(f"dhcp-mac=set:{random.choice(groups)},02:*:64:*:*:*")
            macs += ["02:80:64:00:00:01", "02:81:64:00:00:01"]
        if random.random() < 0.15:
            lines.append(f"dhcp-ignore=tag:{random.choice([tag for tag in tags if tag != 'both'])}")
        random.shuffle(lines)
        self._made.text = "\n".join(lines) + "\n"
        for vlan in vlans:
            for mac in ("02:ff:00:00:00:01", *dict.fromkeys(macs)):
                self._made.clients += [Client(vlan, mac, kind) for kind in (BIOS, UEFI, ARM, HTTP, PLAIN)]
        return self._made

    def _boot(self, tags: list[str]) -> str:
        random = self._random
        head = "".join(f"tag:{tag}," for tag in tags)
        which = random.random()
        if which < 0.8:
            return f"dhcp-boot={head}file.0,name,{random.choice(SERVERS)}"
        if which < 0.9:
            return f"dhcp-boot={head}file.0"
        return f"dhcp-boot={head}file.0,,{random.choice(SERVERS)}"

    def _hosts(self, vlans: list[str], groups: list[str]) -> tuple[list[str], list[str]]:
        random = self._random
        hosts, macs = [], []
        for number in range(1, random.randint(1, 5)):
            mac = f"02:00:00:00:00:{number:02x}"
            parts = [mac]
            if random.random() < 0.8:
                parts.append(f"set:{random.choice(groups)}")
            if random.random() < 0.2:
                parts.append(f"set:{random.choice(groups)}")
            if random.random() < 0.1:
                parts.append("ignore")
            vlan = random.choice(vlans) if random.random() < 0.4 else ""
            if vlan:
                parts.append(f"{VLANS[vlan]}.{number + 10}")
                self._made.clients += [Client(vlan, mac, kind) for kind in (BIOS, UEFI)]
            else:
                macs.append(mac)
            hosts.append("dhcp-host=" + ",".join(parts))
        if random.random() < 0.3:
            hosts.append(f"dhcp-host=02:80:64:*:*:*,set:{random.choice(groups)}")
            macs.append("02:80:64:00:00:02")
        return hosts, macs
