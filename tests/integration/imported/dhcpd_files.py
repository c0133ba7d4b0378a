"""Made-up dhcpd.conf files with all that decides about boot servers, and the clients in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.integration.imported.asking import VLANS, Client

SERVERS = [f"10.20.0.{number}" for number in range(10, 16)]


@dataclass
class Made:
    """The text, that of a file that it includes, and clients on the VLANs where they may be."""

    text: str = ""
    included: str = ""
    clients: list[Client] = field(default_factory=list)


class Maker:
    """Makes one file."""

    def __init__(self, random: Random, include: str) -> None:
        self._random = random
        self._include = include
        self._hosts = 0
        self._made = Made()

    def make(self) -> Made:
        """Return the file."""
        random = self._random
        vlans = random.sample(list(VLANS), random.randint(1, 4))
        parts = []
        if random.random() < 0.7:
            parts.append(self._server())
        for vlan in vlans:
            subnet = self._subnet(vlan)
            wrapped = random.random()
            if wrapped < 0.2 and "shared-network" not in subnet:
                subnet = f"shared-network s{vlan} {{ {self._maybe_server()} {subnet} }}\n"
            elif wrapped < 0.4:
                subnet = f"group {{ {self._maybe_server()} {subnet} {self._host(vlans)} }}\n"
            parts.append(subnet)
        parts += [self._host(vlans) for _ in range(random.randint(0, 4))]
        for _ in range(random.randint(0, 3)):
            inner = "".join(self._host(vlans) for _ in range(random.randint(1, 3)))
            if random.random() < 0.4:
                inner += f"group {{ {self._maybe_server()} {self._host(vlans)} }}\n"
            parts.append(f"group {{ {self._maybe_server()}\n{inner} {self._maybe_server(0.3)} }}\n")
        if random.random() < 0.4:
            self._made.included = "".join(self._host(vlans) for _ in range(2))
            parts.append(f'group {{ {self._maybe_server()} include "{self._include}"; }}\n')
        random.shuffle(parts)
        self._made.text = "\n".join(parts)
        for vlan in vlans:
            self._made.clients.append(Client(vlan, f"02:ff:00:00:00:{int(vlan[4:]):02x}"))
        return self._made

    def _server(self) -> str:
        random = self._random
        which = random.random()
        if which < 0.75:
            return f"next-server {random.choice(SERVERS)};"
        if which < 0.9:
            return f'option tftp-server-name "{random.choice(SERVERS)}";'
        return 'filename "pxelinux.0";'

    def _maybe_server(self, chance: float = 0.6) -> str:
        return self._server() if self._random.random() < chance else ""

    def _subnet(self, vlan: str) -> str:
        random, prefix = self._random, VLANS[vlan]
        inside = [self._maybe_server()]
        shape = random.random()
        if shape < 0.5:
            inside.append(f"range {prefix}.100 {prefix}.250;")
        elif shape < 0.8:
            inside.append(f"pool {{ {self._maybe_server()} range {prefix}.100 {prefix}.250; }}")
        else:
            server = self._maybe_server()
            inside.append(f"pool {{ {server} range {prefix}.100 {prefix}.170; }}")
            inside.append(f"pool {{ {server} range {prefix}.171 {prefix}.250; }}")
        if random.random() < 0.3:
            inside.append(self._host([vlan]))
        random.shuffle(inside)
        if random.random() < 0.15:
            halves = [
                f"subnet {prefix}.{start} netmask 255.255.255.128 {{ {self._maybe_server(0.3)} "
                f"range {prefix}.{start + 50} {prefix}.{start + 120}; }}"
                for start in (0, 128)
            ]
            return f"shared-network two{vlan} {{ {self._maybe_server()} {' '.join(halves)} }}\n"
        return f"subnet {prefix}.0 netmask 255.255.255.0 {{ {' '.join(inside)} }}\n"

    def _host(self, vlans: list[str]) -> str:
        random = self._random
        self._hosts += 1
        mac = f"02:00:00:00:00:{self._hosts:02x}"
        inside = [f"hardware ethernet {mac};", self._maybe_server(0.4)]
        if random.random() < 0.5:
            vlan = random.choice(vlans)
            inside.append(f"fixed-address {VLANS[vlan]}.{self._hosts + 10};")
            self._made.clients.append(Client(vlan, mac))
        else:
            self._made.clients.extend(Client(vlan, mac) for vlan in vlans)
        if random.random() < 0.08:
            inside.append("deny booting;")
        return f"host h{self._hosts} {{ {' '.join(inside)} }}\n"
