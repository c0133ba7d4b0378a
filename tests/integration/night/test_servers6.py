"""A DHCPv6 server is gone and back, or answers from elsewhere, while others boot by either family."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.integration.conftest import BASE6
from tests.integration.night.conftest import others, survives
from tests.lab import Host, dhcp6
from tests.lab.daemon import Daemon
from tests.lab.frames6 import link_local
from tests.lab.servers6 import Dnsmasq6
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, BOOT_URLS, CLIENT_VLANS6, RIS6, Network6, add_address, pools6
from tests.lab.wire6 import Station6, settled

Relay = Callable[..., Daemon]

PATIENCE = 30.0
"""Seconds within which a client that asks each second has an answer, on a machine that does much else."""

GONE_SECONDS = 4.0
MOVED = "2001:db8:20::99"
"""Another address of the server ris."""


class Asking6:
    """Clients on a host, one after the other, each of whom asks until it has an answer."""

    def __init__(self, host: Host, first: int) -> None:
        self._host, self._number = host, first
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = self.answered = self.lost = 0
        self.urls: set[str | None] = set()

    def __enter__(self) -> Asking6:  # noqa: PYI034  # typing.Self is newer than we need
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, once the last one has its answer."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(Station6(self._host)) as station:
            while not self._ended.is_set():
                self._number += 1
                if self._boot(station, self._number):
                    self.answered += 1
                else:
                    self.lost += 1

    def _boot(self, station: Station6, number: int) -> bool:
        mac = b"\x02\x00\x00\x07" + number.to_bytes(2, "big")
        message = dhcp6.solicit(dhcp6.duid_ll(mac), xid=number)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            station.send(message, source=link_local(mac), sender=mac)
            self.sent += 1
            for datagram in station.answers(1.0):
                answer = dhcp6.read(datagram.payload)
                if answer.xid == message[1:4]:
                    self.urls.add(answer.boot_url)
                    return True
            if self._ended.is_set() and self.answered:
                return True  # nobody waits for this one
        return False


@pytest.fixture(scope="module")
def servers6(network6: Network6) -> Iterator[dict[str, Dnsmasq6]]:
    """Have both servers serve by DHCPv6 too."""
    subnets = list(CLIENT_VLANS6.values())
    made = {
        one.address: Dnsmasq6(
            one.host, address=one.address, pools=pools6(subnets, 0x1000), boot_url=BOOT_URLS[one.address]
        )
        for one in network6.servers
    }
    for host in ("vlan10", "vlan20"):
        settled(network6.network.client(host))
    with ExitStack() as stack:
        for server in made.values():
            server.start()
            stack.callback(server.stop)
        yield made


@contextmanager
def unaware(network: Network) -> Iterator[None]:
    """Have clients of altiris boot by both families, who must not notice."""
    with others(network) as of4, Asking6(network.client("vlan20"), 0x4000) as of6:
        yield
    of4.must_not_have_noticed(PATIENCE)
    assert of6.answered > 1
    assert (of6.lost, of6.urls) == (0, {BOOT_URLS[ALTIRIS6]})


def waits(network: Network, number: int) -> Asking6:
    """Return clients of ris on vlan10."""
    return Asking6(network.client("vlan10"), number)


def test_a_server_of_dhcpv6_is_gone_and_back(
    relay: Relay, network: Network, servers6: dict[str, Dnsmasq6]
) -> None:
    """Night: a server's process is killed; its clients ask all the more, and are answered once it is back."""
    daemon = relay(BASE6)
    process = servers6[RIS6].process
    assert process
    with survives(daemon), unaware(network), waits(network, 0x1000) as waiting:
        process.kill()
        process.wait()
        time.sleep(GONE_SECONDS)
        servers6[RIS6].start()
    assert (waiting.lost, waiting.urls) == (0, {BOOT_URLS[RIS6]})


def test_a_server_answers_from_another_address_of_its_own(
    relay: Relay, network: Network, servers6: dict[str, Dnsmasq6]
) -> None:
    """Night: a server is given one more address, and answers from that; it is told, and others boot."""
    daemon, host = relay(BASE6), servers6[RIS6].host
    with survives(daemon), unaware(network):
        add_address(host, "eth0", f"{MOVED}/64")
        try:
            with waits(network, 0x2000) as waiting:
                daemon.wait_for(lambda: daemon.status()["counters6"]["dropped"]["not-a-server"] > 0, PATIENCE)
                assert f"dropped a message from {MOVED} on core" in daemon.log
                daemon.reload(f'{BASE6}accept_replies_from: ["2001:db8:20::/64"]\n')
                deadline = time.monotonic() + PATIENCE
                while not waiting.answered:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            host.ip(f"address del {MOVED}/64 dev eth0")
        daemon.reload(BASE6)
    assert (waiting.lost, waiting.urls) == (0, {BOOT_URLS[RIS6]})


def test_reloads_while_clients_boot_by_both_families(
    relay: Relay, network: Network, servers6: dict[str, Dnsmasq6]
) -> None:
    """Night: the configuration is loaded again and again; nobody is lost or gets another's server."""
    assert servers6
    daemon = relay(BASE6)
    with survives(daemon), unaware(network), waits(network, 0x3000) as asking:
        for number in range(10):
            daemon.reload(f"{BASE6}max_hops: {4 + number % 2}\n")
        daemon.reload(BASE6)
    assert (asking.lost, asking.urls) == (0, {BOOT_URLS[RIS6]})
