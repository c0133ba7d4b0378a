"""Firewalls of the relay host and DHCPv6, and what `doctor` finds of servers where no daemon runs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.integration.doctor.conftest import Doctor, Start
from tests.integration.doctor.ipv6 import CONFIG6, ONE, found
from tests.integration.doctor.test_firewall import nftables
from tests.lab import Host, dhcp6
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, BOOT_URLS, RIS6, Network6
from tests.lab.wire import inside
from tests.lab.wire6 import FakeServer6, Station6, settled

pytestmark = pytest.mark.usefixtures("servers6", "advertised")

ESTABLISHED = (
    "ct state established,related accept; iif lo accept; meta l4proto ipv6-icmp accept; "
    "ip6 saddr 2001:db8:20::/64 accept"
)
LAN = f"{ESTABLISHED}; ip6 saddr 2001:db8::/32 accept; ip saddr 10.0.0.0/8 accept"
"""What the networks behind it send, by their addresses; a client has one of its link alone."""

CLOSED = {("error", "input-closed", "vlan10"), ("error", "input-closed", "vlan20")}
ON_20 = {("error", "input-closed", "vlan20")}
NO_DAEMON = ("error", "no-daemon", "daemon")
OPEN, SHUT = 30.0, 2.0
"""Seconds that a client asks for: one that is heard ends sooner."""


def is_heard(client: Host, network6: Network6, seconds: float) -> bool:
    """Whether a real client, which asks again and again, gets through to its server."""
    settled(client)
    network6.ris.stop()
    try:
        with (
            closing(FakeServer6(network6.ris.host, str(RIS6))) as server,
            closing(Station6(client)) as station,
        ):
            asks = dhcp6.solicit(dhcp6.duid_ll(station.mac))
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                station.send(asks)
                if server.receive(1.0) is not None:
                    return True
            return False
    finally:
        network6.ris.start()


@pytest.mark.parametrize(
    ("policy", "rules", "expected"),
    [
        ("drop", ESTABLISHED, CLOSED),
        ("drop", LAN, CLOSED),
        ("accept", "udp dport 547 ip6 saddr fe80::/10 drop", CLOSED),
        ("accept", "iifname vlan20 udp dport 547 drop", ON_20),
        ("drop", f"{ESTABLISHED}; iifname vlan10 udp dport 547 accept", ON_20),
        ("drop", f"{ESTABLISHED}; udp dport 547 accept", set()),
        ("accept", "udp dport 67 drop; ct state invalid drop", set()),
    ],
)
def test_a_firewall_that_keeps_clients_out_is_found(
    start: Start,
    doctor: Doctor,
    network: Network,
    network6: Network6,
    client: Host,
    policy: str,
    rules: str,
    expected: set[tuple[str, str, str]],
) -> None:
    """By what happens to a real client of vlan10 the finding is right."""
    doctor.of(start(CONFIG6))
    with nftables(network.relay, policy, rules):
        assert found(doctor) == expected
        is_open = ("error", "input-closed", "vlan10") not in expected
        assert is_heard(client, network6, OPEN if is_open else SHUT) is is_open
    assert found(doctor) == set()


def test_what_it_sends_for_that_is_for_nobody(
    start: Start, doctor: Doctor, network: Network, client: Host
) -> None:
    """It does not leave the host, and nothing is counted, relayed or thought of a server."""
    daemon = start(ONE)
    before = daemon.status()["counters6"]
    with closing(Station6(client)) as station, inside(network.relay):
        assert found(doctor.of(daemon)) == set()
        seen = list(station.answers(0.3))
    assert seen == []
    after = daemon.status()["counters6"]
    assert after["dropped"] == before["dropped"]
    assert after["sent_to_clients"] == before["sent_to_clients"] == 0


@contextmanager
def firewall6(host: Host, rule: str) -> Iterator[None]:
    host.run(["ip6tables", "-w", "-A", *rule.split()])
    try:
        yield
    finally:
        host.run(["ip6tables", "-w", "-D", *rule.split()])


def test_an_answer_that_this_host_drops(start: Start, doctor: Doctor, network: Network) -> None:
    doctor.of(start(ONE))
    with firewall6(network.relay, f"INPUT -p udp --sport 547 -s {RIS6} -j DROP"):
        report = doctor.report()
        (one,) = (one for one in report["findings"] if one["severity"] == "error")
        assert (one["code"], one["subject"]) == ("answer-lost-here", f"ris {RIS6}")
        assert one["advice"][0].endswith(
            f"allow UDP from {RIS6} to port 547 (nft list ruleset; ip6tables -S)"
        )
    with firewall6(network.relay, f"OUTPUT -p udp --dport 547 -d {RIS6} -j DROP"):
        assert found(doctor) == {("error", "not-sent", f"ris {RIS6}")}
    assert found(doctor) == set()


def test_without_a_daemon_servers_are_asked_too(doctor: Doctor) -> None:
    doctor.config.write_text(CONFIG6)
    report = doctor.report("--every-interface")
    assert [one["code"] for one in report["findings"] if one["severity"] != "note"] == ["no-daemon"]
    told = {
        one["address"]: [answer["boot_file"] for answer in one["answers"]]
        for one in report["ipv6"]["servers"]
    }
    assert told == {str(RIS6): [BOOT_URLS[RIS6]], str(ALTIRIS6): [BOOT_URLS[ALTIRIS6]]}


def test_without_a_daemon_firewalls_are_found_too(doctor: Doctor, network: Network) -> None:
    doctor.config.write_text(CONFIG6)
    with nftables(network.relay, "drop", ESTABLISHED):
        assert found(doctor) == {NO_DAEMON, *CLOSED}
    with firewall6(network.relay, f"INPUT -p udp --sport 547 -s {RIS6} -j DROP"):
        assert found(doctor) == {NO_DAEMON, ("error", "answer-lost-here", f"ris {RIS6}")}


def test_without_a_daemon_by_a_port_that_another_has_nobody_is_asked(
    doctor: Doctor, network: Network
) -> None:
    doctor.config.write_text(CONFIG6)
    with inside(network.relay):
        other = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with closing(other):
        other.bind(("::", 547))
        assert found(doctor) == {
            NO_DAEMON,
            ("error", "port-547-taken", "host"),
            ("warning", "not-checked", "servers"),
        }
