"""Whether each client of the topology boots over IPv6 from the server it should, by the rules of IPv4."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.lab import debian
from tests.lab.clients6 import Lease6, dhclient6
from tests.lab.topology import ALTIRIS, RIS, Client
from tests.lab.topology6 import ALTIRIS6, BOOT_URLS, RIS6, SERVER_NAMES6, Network6

SAME_SERVER = {RIS: RIS6, ALTIRIS: ALTIRIS6}
"""Each server's IPv6 address by its IPv4 address."""


@dataclass(frozen=True)
class Outcome6:
    """One client's attempt to boot over IPv6."""

    client: Client
    lease: Lease6 | None
    heard_by: tuple[str, ...]
    """The servers (by address) whose log shows a message of this client during the trial."""

    @property
    def wanted(self) -> str | None:
        """The address of the server that must answer; None: nobody may."""
        return SAME_SERVER[self.client.server] if self.client.server else None

    @property
    def ok(self) -> bool:
        """The right server alone heard the client, and it boots that server's file; or nobody did."""
        if self.wanted is None:
            return self.lease is None and not self.heard_by
        return (
            self.lease is not None
            and self.lease.boot_url == BOOT_URLS[self.wanted]
            and self.heard_by == (self.wanted,)
        )

    @property
    def offered(self) -> str:
        """What the client was offered, in words."""
        if self.lease is None:
            names = " and ".join(SERVER_NAMES6[address] for address in self.heard_by)
            return f"nothing, though {names} heard it" if names else "nothing"
        return f"{self.lease.boot_url} at {self.lease.address}"

    @property
    def expected(self) -> str:
        """What it should have been offered, in words."""
        return BOOT_URLS[self.wanted] if self.wanted else "nothing"


def boot6(network: Network6, clients: Sequence[Client], seconds: float = 30.0) -> list[Outcome6]:
    """Let the clients ask, all at once, and tell what each got; those for nobody give up after 5 seconds."""
    before = {server.address: len(server.log) for server in network.servers}

    def ask(client: Client) -> Lease6 | None:
        host = network.network.client(client.name)
        return dhclient6(host, seconds=seconds if client.server else 5.0)

    debian.program("isc-dhcp-client", "sbin/dhclient")  # fetched once, and not by each client
    with ThreadPoolExecutor(len(clients)) as pool:
        leases = list(pool.map(ask, clients))
    logs = {server.address: server.log[before[server.address] :] for server in network.servers}
    return [
        Outcome6(client, lease, tuple(address for address, log in logs.items() if client.mac in log))
        for client, lease in zip(clients, leases, strict=True)
    ]
