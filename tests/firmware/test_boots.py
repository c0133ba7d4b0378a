"""Two clients of one VLAN, each booting from the server that the mapping names, in four set-ups."""

from __future__ import annotations

from collections.abc import Callable

from tests.firmware.setups import BIOS, DHCP, PLAIN, UEFI
from tests.firmware.stage import Boots, Stage
from tests.lab import Lease, udhcpc

Clients = dict[str, set[str]]
Keep = Callable[[str, Boots], None]

EACH_ITS_OWN = {"ris": {BIOS.mac}, "altiris": {UEFI.mac}}


def assert_each_booted_from_its_own_server(boots: Boots, address_servers: Clients) -> None:
    """Fail unless the right programs ran, and no server heard a client that is not its own."""
    assert sorted(boots.programs) == [("bios", "ris"), ("uefi", "altiris")], boots.story
    assert {name: clients for name, clients in boots.served.items() if clients} == EACH_ITS_OWN, boots.story
    assert boots.heard == EACH_ITS_OWN | address_servers, boots.story
    assert boots.counters["send_failures"] == 0
    assert "Traceback" not in boots.story


def test_boot_servers_that_give_addresses_too(stage: Stage, keep: Keep) -> None:
    stage.full_servers()
    boots = stage.boot("full-servers")
    assert_each_booted_from_its_own_server(boots, {})
    keep("full-servers", boots)


def test_a_separate_dhcp_server_and_proxydhcp_boot_servers(stage: Stage, keep: Keep) -> None:
    stage.separate_dhcp_server()
    boots = stage.boot("proxydhcp")
    assert_each_booted_from_its_own_server(boots, {"dhcp": {BIOS.mac, UEFI.mac}})
    keep("proxydhcp", boots)


def test_behind_a_router_that_relays_to_us(stage: Stage, keep: Keep) -> None:
    stage.put_behind_a_router()
    stage.full_servers()
    boots = stage.boot("behind-a-router")
    assert_each_booted_from_its_own_server(boots, {})
    keep("behind-a-router", boots)


def test_pxe_only_keeps_other_clients_from_the_boot_servers(stage: Stage, keep: Keep) -> None:
    stage.separate_dhcp_server()
    plain = stage.network.add_client("plain", PLAIN)
    leases: list[Lease | None] = []

    def ask() -> None:
        leases.append(udhcpc(plain, vendor_class=None, arch=None))

    boots = stage.boot("pxe-only", [ask])
    assert_each_booted_from_its_own_server(boots, {"dhcp": {BIOS.mac, UEFI.mac, PLAIN}})
    (lease,) = leases
    assert lease
    assert (lease.server_id, lease.bootfile) == (DHCP, None)
    keep("pxe-only", boots)
