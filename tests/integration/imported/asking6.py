"""A real kea-dhcp6 on the segment, asked as relay agents ask, and the relay beside it, in DHCPv6."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv6Address
from pathlib import Path

from pxerelay.policy.model import Config
from pxerelay.relay.decision6 import ToServers6
from pxerelay.tools.simulate.review6 import Reviewer6, heard
from tests.integration.imported.asking import PATIENCE, SENTINEL, VLANS, Client, Kind, Segment
from tests.lab import dhcp6
from tests.lab.servers6 import Kea6
from tests.lab.wire import inside

SERVER6, ASKER6 = "2001:db8:20::2", "2001:db8:20::5"
VLANS6 = {name: f"2001:db8:1:{number}" for number, name in enumerate(VLANS, 1)}
"""Client interfaces, and what their /64 begin with; ::1 is the relay's."""

SENTINEL_LINK = "2001:db8:1:99::1"


class GivenKea6(Kea6):
    """kea-dhcp6 with a file of ours, which is all of its configuration."""

    text_file: Path

    def command(self) -> list[str]:
        """Return the command that the lab has, with our file."""
        *command, _ = super().command()
        return [*command, str(self.text_file)]


def solicit(client: Client, number: int) -> bytes:
    """Return the SOLICIT of a client, with the number for its transaction."""
    more = []
    if client.kind.vendor:
        more.append((dhcp6.VENDOR_CLASS, dhcp6.vendor_class(client.kind.vendor.decode())))
    if client.kind.arch is not None:
        more.append((dhcp6.CLIENT_ARCH, client.kind.arch.to_bytes(2, "big")))
    duid = b"\0\4" + bytes(8) + number.to_bytes(8, "big")
    return dhcp6.message(
        dhcp6.SOLICIT,
        (dhcp6.CLIENT_ID, duid),
        (dhcp6.ELAPSED_TIME, bytes(2)),
        (dhcp6.IA_NA, bytes((0, 0, 0, 1)) + bytes(8)),
        (dhcp6.ORO, bytes((0, 59, 0, 60))),
        *more,
        xid=number,
    )


def _relayed(client: Client, number: int, link: str) -> bytes:
    mac = dhcp6.ETHERNET.to_bytes(2, "big") + bytes.fromhex(client.mac.replace(":", ""))
    option79 = dhcp6.LINK_LAYER_ADDRESS, mac
    return dhcp6.relayed(dhcp6.RELAY_FORW, solicit(client, number), option79, link=link, peer="fe80::1")


class Segment6:
    """The hosts of a segment, with IPv6 addresses besides."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        for host, address in ((segment.server, SERVER6), (segment.asker, ASKER6)):
            host.ip(f"address add {address}/64 dev eth0 nodad")

    @contextmanager
    def serving(self, file: Path) -> Iterator[GivenKea6]:
        """Run the server with a file."""
        server = GivenKea6(self.segment.server, address=SERVER6, pools=(), boot_url=None)
        server.text_file = file
        server.log_path.unlink(missing_ok=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def ask(self, clients: Sequence[Client]) -> dict[Client, str]:
        """Ask in the name of clients; return where each boots from: empty for nowhere."""
        found: dict[Client, str] = dict.fromkeys(clients, "")
        with (
            inside(self.segment.asker),
            contextlib.closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as asking,
        ):
            asking.bind(("::", 547))
            for number, client in enumerate(clients):
                link = f"{VLANS6[client.vlan]}::1"
                asking.sendto(_relayed(client, number, link), (SERVER6, 547))
                if number % 16 == 15:
                    self._until(asking, 1_000_000 + number, found, clients)
            self._until(asking, 2_000_000, found, clients)
        return found

    def _until(
        self, asking: socket.socket, number: int, found: dict[Client, str], clients: Sequence[Client]
    ) -> None:
        """Take answers until the one to the sentinel is there."""
        asking.sendto(_relayed(Client("", SENTINEL, Kind()), number, SENTINEL_LINK), (SERVER6, 547))
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            asking.settimeout(max(end - time.monotonic(), 0.01))
            answer = dhcp6.innermost(asking.recv(4096))
            told = int.from_bytes(answer.xid, "big")
            if told == number:
                return
            if told < len(clients):
                found[clients[told]] = _boots_from(answer)
        raise AssertionError("the server does not answer the sentinel")


def _boots_from(answer: dhcp6.Message) -> str:
    """Return where an answer says to boot from: the host of its URL."""
    match = re.fullmatch(r"\w+://(?:\[([^]]*)\]|([^:/]*))(?::\d+)?/.*", answer.boot_url or "")
    if match is None:
        return ""
    return str(IPv6Address(match[1])) if match[1] else match[2]


class Relay6:
    """A relay with a configuration, asked in DHCPv6."""

    def __init__(self, config: Config) -> None:
        self._reviewer = Reviewer6(config, VLANS)

    def of(self, client: Client) -> str:
        """Return the server that it sends a client's SOLICIT to; empty for none."""
        mac = bytes.fromhex(client.mac.replace(":", ""))
        decision = self._reviewer.decide(heard(mac, client.vlan, solicit(client, 1)))
        return ",".join(self._reviewer.servers(decision)) if isinstance(decision, ToServers6) else ""
