"""Changes of a host's interfaces at random, each one that `ip` can do."""

import random
from dataclasses import dataclass, field

from tests.lab.network import Host

VRF = "walkvrf"
_TABLE = 77


@dataclass
class _Link:
    """What is known of an interface: its names, its addresses with scope, and whether it is in the VRF."""

    name: str
    altname: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    up: bool = True
    in_vrf: bool = False


class Walk:
    """Changes interfaces `walk0` to `walk5` of a host, which may also be called `roam0` to `roam5`.

    They are added, removed, made anew, renamed, get and lose addresses of all scopes and alternative names,
    other MTUs and MACs, go down and up; with `vrf` also into a VRF and out of it, which comes and goes too.
    """

    def __init__(self, host: Host, chance: random.Random, *, vrf: bool = False) -> None:
        self._host = host
        self._chance = chance
        self._links: dict[int, _Link] = {}
        self._has_vrf = vrf
        self._vrf = False

    def go(self, steps: int) -> None:
        """Do so many changes, as fast as they can be done."""
        lines: list[str] = []
        for _ in range(steps):
            lines += self._step()
        self._host.ip(*lines)

    def end(self) -> None:
        """Remove what is there."""
        self._host.ip(*(f"link delete {link.name}" for link in self._links.values()))
        if self._vrf:
            self._host.ip(f"link delete {VRF}")

    def _step(self) -> list[str]:
        if self._has_vrf and self._chance.random() < 0.05:
            return self._toggle_vrf()
        number = self._chance.randrange(6)
        link = self._links.get(number)
        if link is None:
            return self._add(number)
        others = [self._remove, self._rename, self._toggle, self._tune, self._altname, self._move]
        return self._chance.choice([*others, *[self._address] * 4])(number, link)

    def _toggle_vrf(self) -> list[str]:
        self._vrf = not self._vrf
        if self._vrf:
            return [f"link add {VRF} type vrf table {_TABLE}", f"link set {VRF} up"]
        for link in self._links.values():
            link.in_vrf = False
        return [f"link delete {VRF}"]

    def _add(self, number: int) -> list[str]:
        link = self._links[number] = _Link(f"walk{number}")
        up = [f"link set {link.name} up", f"link set peer{number} up"]
        return [f"link add {link.name} type veth peer name peer{number}", *up]

    def _remove(self, number: int, link: _Link) -> list[str]:
        del self._links[number]
        return [f"link delete {link.name}"]

    def _rename(self, number: int, link: _Link) -> list[str]:
        """Rename it, for which it has to be down in older kernels."""
        old, link.name = link.name, f"roam{number}" if link.name.startswith("walk") else f"walk{number}"
        down = [f"link set {old} down"] if link.up else []
        up = [f"link set {link.name} up"] if link.up else []
        return [*down, f"link set {old} name {link.name}", *up]

    def _address(self, number: int, link: _Link) -> list[str]:
        address = f"10.77.{number}.{self._chance.randrange(1, 4)}"
        if address in link.addresses:
            prefix = link.addresses.pop(address)
            return [f"address delete {address}/{prefix} dev {link.name}"]
        scope = self._chance.choice(["global", "global", "link", "host", "site"])
        link.addresses[address] = "32"  # with a longer one the kernel takes secondary ones away by itself
        return [f"address add {address}/32 scope {scope} dev {link.name}"]

    def _toggle(self, _: int, link: _Link) -> list[str]:
        link.up = not link.up
        return [f"link set {link.name} {'up' if link.up else 'down'}"]

    def _tune(self, number: int, link: _Link) -> list[str]:
        mtu, last = self._chance.choice([1400, 1500]), self._chance.randrange(256)
        address = f"02:77:00:00:{number:02x}:{last:02x}"
        return [f"link set {link.name} mtu {mtu}", f"link set {link.name} address {address}"]

    def _altname(self, number: int, link: _Link) -> list[str]:
        """Change it while the link is up: else the kernel tells nobody before it is (netdev_state_change)."""
        if not link.up:
            return self._toggle(number, link)
        if link.altname:
            name, link.altname = link.altname, ""
            return [f"link property del dev {link.name} altname {name}"]
        link.altname = f"wandering-client-interface-{number}"
        return [f"link property add dev {link.name} altname {link.altname}"]

    def _move(self, number: int, link: _Link) -> list[str]:
        if not self._vrf:
            return self._tune(number, link)
        link.in_vrf = not link.in_vrf
        return [f"link set {link.name} {f'master {VRF}' if link.in_vrf else 'nomaster'}"]
