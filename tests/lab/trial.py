"""Whether each client of the topology boots from the server it should: the question of the whole project."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.lab.clients import Lease, udhcpc
from tests.lab.topology import BOOT_FILES, SERVER_NAMES, Client, Network


@dataclass(frozen=True)
class Outcome:
    """One client's attempt to boot."""

    client: Client
    lease: Lease | None
    heard_by: tuple[str, ...]
    """The servers (by address) whose log shows a request of this client during the trial."""

    @property
    def server(self) -> str | None:
        """The address of the server that the client would boot from."""
        return self.lease.next_server if self.lease else None

    @property
    def wanted(self) -> str | None:
        """The address of the server that must answer; None: nobody may."""
        return self.client.server

    @property
    def ok(self) -> bool:
        """The right server alone heard the client, and it boots that server's file; or nobody did."""
        wanted = self.wanted
        if wanted is None:
            return self.lease is None and not self.heard_by
        return (
            self.lease is not None
            and self.lease.server_id == self.lease.next_server == wanted
            and self.lease.bootfile == BOOT_FILES[wanted]
            and self.heard_by == (wanted,)
        )

    @property
    def offered(self) -> str:
        """What the client was offered, in words."""
        if self.lease is None:
            return (
                "nothing" if not self.heard_by else f"nothing, though {self._names(self.heard_by)} heard it"
            )
        return f"{self.lease.bootfile} by {self._names([self.lease.server_id or '?'])}"

    @property
    def expected(self) -> str:
        """What it should have been offered, in words."""
        wanted = self.wanted
        return f"{BOOT_FILES[wanted]} by {self._names([wanted])}" if wanted else "nothing"

    @staticmethod
    def _names(addresses: Sequence[str]) -> str:
        return " and ".join(SERVER_NAMES.get(address, address) for address in addresses)


def boot(network: Network, clients: Sequence[Client]) -> list[Outcome]:
    """Let the clients ask, all at once, and tell what each got."""
    before = {server.address: len(server.log) for server in network.servers}
    with ThreadPoolExecutor(len(clients)) as pool:
        leases = list(pool.map(lambda client: udhcpc(network.client(client.name)), clients))
    logs = {server.address: server.log[before[server.address] :] for server in network.servers}
    return [
        Outcome(client, lease, tuple(address for address, log in logs.items() if client.mac in log))
        for client, lease in zip(clients, leases, strict=True)
    ]
