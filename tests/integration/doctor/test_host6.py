"""`pxerelay doctor` in DHCPv6: what is wrong with a host, its links and its servers, provoked for real."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from ipaddress import IPv6Network

import pytest

from tests.integration.doctor.conftest import Doctor, Start, changed
from tests.integration.doctor.ipv6 import CONFIG6, LOST, ONE, Found, found, running_radvd
from tests.lab import Host, dhcp6
from tests.lab.frames6 import link_local
from tests.lab.servers6 import DhcpServer6, Dnsmasq6, IscDhcpServer6, Kea6, Pool6
from tests.lab.topology import Network
from tests.lab.topology6 import (
    ALTIRIS6,
    BOOT_URLS,
    CLIENT_VLANS6,
    CORE6,
    RIS6,
    Network6,
    add_address,
    pools6,
)
from tests.lab.wire import inside
from tests.lab.wire6 import FakeServer6, settled

PATIENCE = 30.0

pytestmark = pytest.mark.usefixtures("servers6")


@contextmanager
def instead(network6: Network6, kind: Callable[..., DhcpServer6], **options: object) -> Iterator[DhcpServer6]:
    """Have another server run in the place of ris."""
    subnets = [*CLIENT_VLANS6.values()]
    given = {"pools": pools6(subnets, 0x100), "boot_url": BOOT_URLS[RIS6], **options}
    network6.ris.stop()
    server = kind(network6.ris.host, address=RIS6, **given)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        network6.ris.start()


def of_servers(doctor: Doctor) -> Found:
    """Return what is found of ris, which vlan10 sends to."""
    return {one for one in found(doctor, "--server", "ris") if one[2].startswith("ris")}


def static(doctor: Doctor, text: str = CONFIG6) -> Found:
    return set(doctor.static(text)) - LOST


@pytest.mark.usefixtures("advertised")
def test_a_healthy_host_has_notes_alone(start: Start, doctor: Doctor) -> None:
    daemon = start(CONFIG6)
    report = doctor.of(daemon).report("--every-interface")
    told = {(one["severity"], one["code"], one["subject"]) for one in report["findings"]}
    assert told == LOST
    of6 = report["ipv6"]
    assert {one["server"]: one["interface"] for one in of6["servers"]} == {
        f"ris {RIS6}": "vlan10",
        f"altiris {ALTIRIS6}": "vlan20",
    }
    assert all(len(one["answers"]) == 1 for one in of6["servers"])
    assert [one["answers"][0]["boot_file"] for one in of6["servers"]] == list(BOOT_URLS.values())
    assert of6["interfaces"]["vlan10"]["link_address"] == "2001:db8:10:10::1"
    assert {route["interface"] for route in of6["routes"]} == {"core"}
    assert daemon.status()["counters6"]["sent_to_clients"] == 0, "no client hears of it"


@pytest.mark.usefixtures("advertised")
def test_people_are_told_what_was_answered(start: Start, doctor: Doctor) -> None:
    done = doctor.of(start(CONFIG6)).run()
    assert done.returncode == 0
    lines = [line for line in done.stdout.splitlines() if line.startswith("ok")]
    assert lines[0].startswith(f"ok      ris {RIS6}: from vlan10 answered after ")
    assert lines[0].endswith(f"boot file {BOOT_URLS[RIS6]}")
    last = done.stdout.splitlines()[-1]
    assert last.endswith("in DHCPv6 2 of 2 client interfaces active, 2 servers asked")


def test_another_process_has_port_547(doctor: Doctor, network: Network) -> None:
    with inside(network.relay):
        other = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with closing(other):
        other.bind(("::", 547))
        assert static(doctor) == {("error", "port-547-taken", "host")}


@contextmanager
def as_before(network: Network, interface: str = "vlan10") -> Iterator[Host]:
    """Give an interface of the relay host its addresses back afterwards."""
    relay, subnet = network.relay, {**CLIENT_VLANS6, "core": CORE6}[interface]
    try:
        yield relay
    finally:
        relay.sysctl(f"net.ipv6.conf.{interface}.disable_ipv6", 0)
        relay.ip(f"link set {interface} addrgenmode eui64")
        relay.ip(f"link set {interface} down", f"link set {interface} up")
        relay.ip(f"address flush dev {interface} scope global to 2001:db8::/32")
        add_address(relay, interface, f"{subnet[1]}/64")
        settled(relay, interface)


def test_ipv6_is_disabled(doctor: Doctor, network: Network) -> None:
    with as_before(network) as relay:
        relay.sysctl("net.ipv6.conf.vlan10.disable_ipv6", 1)
        assert static(doctor) == {("error", "ipv6-disabled", "vlan10")}


def test_no_link_local_address(doctor: Doctor, network: Network) -> None:
    with as_before(network) as relay:
        relay.ip(f"address del {settled(relay, 'vlan10')}/64 dev vlan10")
        assert static(doctor) == {("error", "no-link-local", "vlan10")}


def test_no_global_address(doctor: Doctor, network: Network) -> None:
    with as_before(network) as relay:
        relay.ip("address flush dev vlan10 scope global to 2001:db8::/32")
        assert static(doctor) == {("error", "no-global-address", "vlan10")}


def test_a_link_address_that_is_not_ours(doctor: Doctor) -> None:
    text = CONFIG6.replace("vlan10: {}", 'vlan10: {link_address: "2001:db8:99::1"}')
    assert static(doctor, text) == {("error", "link-address-not-ours", "vlan10")}


def test_an_address_that_another_host_has(doctor: Doctor, network: Network, client: Host) -> None:
    with (
        as_before(network) as relay,
        changed(
            client,
            ["address add 2001:db8:10:10::66/64 dev eth0 nodad"],
            ["address del 2001:db8:10:10::66/64 dev eth0"],
        ),
    ):
        relay.ip("address add 2001:db8:10:10::66/64 dev vlan10")
        deadline = time.monotonic() + PATIENCE
        while "dadfailed" not in relay.run(["ip", "address", "show", "dev", "vlan10"]).stdout:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ("error", "address-duplicate", "vlan10") in static(doctor)


def test_memory_for_groups_is_used_up(start: Start, doctor: Doctor, network: Network) -> None:
    before = network.relay.run(["cat", "/proc/sys/net/core/optmem_max"]).stdout.strip()
    with as_before(network) as relay:
        relay.ip("link set vlan10 down")
        daemon = start(ONE)
        relay.sysctl("net.core.optmem_max", 1)
        try:
            relay.ip("link set vlan10 up")
            add_address(relay, "vlan10", f"{CLIENT_VLANS6['vlan10'][1]}/64")
            daemon.wait_for(
                lambda: "could not join" in (daemon.interface("vlan10")["ipv6"]["waiting"] or ""), PATIENCE
            )
            told = doctor.of(daemon).finds("--no-probe")
            assert ("error", "groups-exhausted", "vlan10") in told
        finally:
            relay.sysctl("net.core.optmem_max", before)


def test_no_route_is_learnt_by_a_router(doctor: Doctor, network: Network) -> None:
    with as_before(network, "core") as relay:
        relay.ip("address flush dev core scope global to 2001:db8::/32")
        relay.sysctl("net.ipv6.conf.core.accept_ra", 1)
        names = {f"ris {RIS6}", f"altiris {ALTIRIS6}"}
        assert static(doctor) == {("error", "no-route-learnt", name) for name in names}
        relay.sysctl("net.ipv6.conf.core.accept_ra", 2)
        assert static(doctor) == {("error", "no-route", name) for name in names}


def test_no_router_advertises_itself(start: Start, doctor: Doctor) -> None:
    assert found(doctor.of(start(ONE))) == {("warning", "no-advertisements", "vlan10")}


@pytest.mark.parametrize(("other", "expected"), [(False, "advertisements-without-dhcpv6"), (True, "")])
def test_what_routers_advertise(
    start: Start, doctor: Doctor, network: Network, other: bool, expected: str
) -> None:
    with running_radvd(network, managed=False, other=other):
        told = found(doctor.of(start(ONE)))
    assert told == ({("warning", expected, "vlan10")} if expected else set())


@pytest.mark.usefixtures("advertised")
def test_kea_that_listens_to_the_link_alone_is_silent(
    start: Start, doctor: Doctor, network6: Network6
) -> None:
    daemon = start(ONE)
    deaf = '{"interfaces-config": {"interfaces": ["eth0"]}}'
    with instead(network6, Kea6, extra=(deaf,)):
        report = doctor.of(daemon).report()
    (one,) = (one for one in report["findings"] if one["code"] == "server-silent")
    assert (one["severity"], one["subject"]) == ("error", f"ris {RIS6}")
    assert f'"eth0/{RIS6}"' in one["advice"][0]


@pytest.mark.usefixtures("advertised")
@pytest.mark.parametrize(
    ("kind", "code"), [(Kea6, "no-subnet-there"), (IscDhcpServer6, "server-silent")], ids=["kea", "dhcpd"]
)
def test_a_server_without_a_subnet_for_the_link(
    start: Start, doctor: Doctor, network6: Network6, kind: Callable[..., DhcpServer6], code: str
) -> None:
    daemon = start(ONE)
    elsewhere: Sequence[Pool6] = pools6([IPv6Network("2001:db8:77::/64")], 0x100)
    with instead(network6, kind, pools=elsewhere):
        told = of_servers(doctor.of(daemon))
    assert told == {("error", code, f"ris {RIS6}")}


@pytest.mark.usefixtures("advertised")
def test_a_server_that_gives_no_boot_file(start: Start, doctor: Doctor, network6: Network6) -> None:
    daemon = start(ONE)
    with instead(network6, Dnsmasq6, boot_url=None):
        told = of_servers(doctor.of(daemon))
    assert told == {("warning", "no-boot-file", f"ris {RIS6}")}


@pytest.mark.usefixtures("advertised")
def test_a_server_that_has_uefi_ask_at_port_4011(start: Start, doctor: Doctor, network6: Network6) -> None:
    daemon = start(ONE)
    says = {"boot_urls": {7: BOOT_URLS[RIS6]}, "vendor_classes": {7: "PXEClient"}}
    with instead(network6, IscDhcpServer6, **says):
        told = of_servers(doctor.of(daemon))
    assert told == {("note", "asks-port-4011", f"ris {RIS6}")}


@pytest.mark.usefixtures("advertised")
def test_a_server_that_answers_from_another_address_of_its_own(
    start: Start, doctor: Doctor, network6: Network6
) -> None:
    """And with what is advised its answers are taken."""
    daemon, host = start(ONE), network6.ris.host
    other = "2001:db8:20::99"
    add_address(host, "eth0", f"{other}/64")
    try:
        with instead(network6, Dnsmasq6):
            report = doctor.of(daemon).report()
            (one,) = (one for one in report["findings"] if one["code"] == "answer-from-stranger")
            assert (one["severity"], one["subject"]) == ("error", f"ris {RIS6}")
            daemon.reload(f"{ONE}{one['advice'][0]}\n")
            assert of_servers(doctor.of(daemon)) == set()
    finally:
        host.ip(f"address del {other}/64 dev eth0")


def test_replies_that_went_by_the_kernels_neighbours(
    start: Start, doctor: Doctor, network: Network, network6: Network6
) -> None:
    """Those to a router, of which only its address is known."""
    router, address = network.lab.host("router6"), "2001:db8:20::fe"
    router.attach(network.segments["core"], "eth0")
    add_address(router, "eth0", f"{address}/64")
    settled(router)
    assert network6
    daemon = start(f'{ONE}accept_relayed_from: ["{address}"]\n')
    mac = bytes.fromhex("020000000abc")
    with closing(FakeServer6(router, address)) as wire:
        asks = dhcp6.solicit(dhcp6.duid_ll(mac))
        forward = dhcp6.relayed(dhcp6.RELAY_FORW, asks, link="2001:db8:10:10::fe", peer=link_local(mac))
        deadline = time.monotonic() + PATIENCE
        answer = None
        while answer is None:
            assert time.monotonic() < deadline
            wire.send(forward, str(CORE6[1]))
            answer = wire.receive(1.0)
    assert ("warning", "neighbours-few", "host") in doctor.of(daemon).finds("--no-probe")
