"""Real DHCPv6 servers on hosts of the lab: Debian's dnsmasq, ISC dhcpd and ISC Kea.

They serve links they are not on: the link-address of the innermost relay agent that says one picks the pool.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any

from tests.lab import dhcp6
from tests.lab.network import Host, LabError
from tests.lab.servers import Server, isc_dhcpd, kea_basics, kea_command, sockets_of

ANY_ADDRESS_PORT_547 = f" {'0' * 32}:0223 "


@dataclass(frozen=True)
class Pool6:
    """Addresses to lease on one link."""

    subnet: IPv6Network
    first: str
    last: str


class DhcpServer6(Server):
    """A DHCPv6 server: which addresses and boot URLs it gives."""

    port = 547

    def __init__(
        self,
        host: Host,
        *,
        address: str,
        pools: Sequence[Pool6],
        boot_url: str | None,
        boot_urls: Mapping[int, str] | None = None,
        vendor_classes: Mapping[int, str] | None = None,
        interface: str = "eth0",
        extra: Sequence[str] = (),
    ) -> None:
        super().__init__(host)
        self.address = address
        self.pools = pools
        self.boot_url = boot_url
        self.boot_urls = boot_urls or {}
        """What clients of some architectures (option 61) boot instead; `boot_url` is for all others."""
        self.vendor_classes = vendor_classes or {}
        """What clients of some of these architectures are told in option 16 (RFC 9915, 21.16)."""
        self.interface = interface
        self.extra = extra  # further lines of the server's own configuration language

    def _listens(self, pid: int, said: str) -> bool:  # noqa: ARG002  # Kea tells
        return sockets_of(pid, "udp6", ANY_ADDRESS_PORT_547)

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration and return the command that serves it."""


class Dnsmasq6(DhcpServer6):
    """Debian's dnsmasq, as a DHCPv6 server only."""

    kind = "dnsmasq6"

    def command(self) -> list[str]:
        """Write dnsmasq's configuration and return its command."""
        if self.vendor_classes:
            raise LabError("dnsmasq can only say text in option 16, with no enterprise number before it")
        lines = [
            "port=0",
            "user=root",
            "log-dhcp",
            "dhcp-authoritative",
            f"interface={self.interface}",
            f"dhcp-leasefile={self.path('leases')}",
        ]
        lines += [f"dhcp-range={pool.first},{pool.last},{pool.subnet.prefixlen},1h" for pool in self.pools]
        if self.boot_url:
            lines.append(f"dhcp-option=option6:bootfile-url,{self.boot_url}")
        for arch, url in self.boot_urls.items():
            lines.append(f"dhcp-match=set:arch{arch},option6:61,{arch >> 8:02x}:{arch & 255:02x}")
            lines.append(f"dhcp-option=tag:arch{arch},option6:bootfile-url,{url}")
        lines += self.extra
        self.path("conf").write_text("\n".join(lines) + "\n")
        argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file"]
        return [*argv, f"--conf-file={self.path('conf')}"]


class IscDhcpServer6(DhcpServer6):
    """ISC dhcpd -6 4.4, taken from Debian's package without installing it.

    It listens only where it knows the link: the interface must have an address of its own before.
    """

    kind = "dhcpd6"

    def command(self) -> list[str]:
        """Write dhcpd's configuration and return its command."""
        lines = ["authoritative;", "default-lease-time 3600;", "max-lease-time 3600;"]
        if self.vendor_classes:
            lines.append("option dhcp6.vendor-class code 16 = string;")
        branch = "if"
        for arch, url in self.boot_urls.items():
            options = f'option dhcp6.bootfile-url "{url}";'
            if arch in self.vendor_classes:
                said = dhcp6.vendor_class(self.vendor_classes[arch])
                options += f" option dhcp6.vendor-class {said.hex(':')};"
            value = f"{arch >> 8:02x}:{arch & 255:02x}"
            lines.append(f"{branch} option dhcp6.client-arch-type = {value} {{ {options} }}")
            branch = "elsif"
        if self.boot_url:
            option = f'option dhcp6.bootfile-url "{self.boot_url}";'
            lines.append(f"else {{ {option} }}" if self.boot_urls else option)
        lines += self.extra
        for pool in self.pools:
            lines.append(f"subnet6 {pool.subnet} {{ range6 {pool.first} {pool.last}; }}")
        lines.append(f"subnet6 {self._own_subnet()} {{ }}")
        self.path("conf").write_text("\n".join(lines) + "\n")
        self.path("leases").touch()
        files = ["-cf", str(self.path("conf")), "-lf", str(self.path("leases")), "--no-pid"]
        return [str(isc_dhcpd()), "-6", "-f", "-d", *files, self.interface]

    def _own_subnet(self) -> IPv6Network:
        argv = ["ip", "-6", "-oneline", "address", "show", "dev", self.interface, "scope", "global"]
        return IPv6Network(self.host.run(argv).stdout.split(" inet6 ")[1].split()[0], strict=False)


class Kea6(DhcpServer6):
    """ISC Kea's kea-dhcp6, taken from Debian's package without installing it.

    It listens at its address: for the interface alone it would hear link-local and multicast only. `extra`
    are objects in JSON, whose members replace those of `Dhcp6`.
    """

    kind = "kea6"

    def command(self) -> list[str]:
        """Write Kea's configuration and return its command."""
        folder = self.path("files")
        serving = kea_basics(6, folder, self.pools)
        serving |= {
            "interfaces-config": {"interfaces": [f"{self.interface}/{self.address}"]},
            "data-directory": str(folder),
            "server-id": {"type": "LL", "htype": 1, "identifier": "", "persist": False},
        }
        if self.boot_urls:
            serving["client-classes"] = [
                {
                    "name": f"arch{arch}",
                    "test": f"option[61].hex == 0x{arch:04x}",
                    "option-data": [_boot(url), *self._vendor_class(arch)],
                }
                for arch, url in self.boot_urls.items()
            ]
        if self.boot_url:
            serving["option-data"] = [_boot(self.boot_url)]
        return kea_command(6, folder, self.path("conf"), serving, self.extra)

    def _vendor_class(self, arch: int) -> list[dict[str, Any]]:
        """Return the option for an architecture, if there is one."""
        if arch not in self.vendor_classes:
            return []
        said = dhcp6.vendor_class(self.vendor_classes[arch])
        return [{"name": "vendor-class", "csv-format": False, "data": said.hex()}]

    def _listens(self, pid: int, said: str) -> bool:  # noqa: ARG002
        return "DHCP6_STARTED" in said


def _boot(url: str) -> dict[str, str]:
    return {"name": "bootfile-url", "data": url}
