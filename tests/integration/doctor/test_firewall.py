"""Firewalls of the relay host that let clients' requests in, or do not, and what `doctor` says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.integration.doctor.conftest import CONFIG, Doctor, Start
from tests.lab import Host
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.messages import request

SCRIPT = Path(__file__).parents[3] / "ansible" / "roles" / "pxerelay" / "files" / "firewall.sh"

TABLE = """\
table inet filter {{
  chain input {{
    type filter hook input priority 0; policy {policy};
    {rules}
  }}
}}
"""
ESTABLISHED = "ct state established,related accept; iif lo accept; ip saddr 10.20.0.0/24 accept"
LAN = f"{ESTABLISHED}; ip saddr 10.10.0.0/16 accept; meta pkttype multicast accept"
"""What the networks behind it send, by their addresses; a client has none yet."""

IPTABLES = (
    ("-P", "INPUT", "DROP"),
    ("-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"),
    ("-A", "INPUT", "-s", "10.20.0.0/24", "-j", "ACCEPT"),
)


@contextmanager
def nftables(host: Host, policy: str, rules: str) -> Iterator[None]:
    host.run(["nft", "-f", "-"], stdin=TABLE.format(policy=policy, rules=rules))
    try:
        yield
    finally:
        host.run(["nft", "flush", "ruleset"])


@contextmanager
def iptables(host: Host, program: str) -> Iterator[None]:
    for line in IPTABLES:
        host.run([program, *line])
    try:
        yield
    finally:
        host.run([program, "-P", "INPUT", "ACCEPT"])
        host.run([program, "-F", "INPUT"])


def is_heard(client: Host, network: Network) -> bool:
    """Whether a real client's request gets through to its server."""
    network.ris.stop()
    try:
        with closing(FakeServer(network.ris.host)) as server, closing(Station(client)) as station:
            station.send(request())
            return server.receive(1.0) is not None
    finally:
        network.ris.start()


CLOSED = [("error", "input-closed", "vlan10"), ("error", "input-closed", "vlan20")]


@pytest.mark.parametrize(
    ("policy", "rules", "found"),
    [
        ("drop", ESTABLISHED, CLOSED),
        ("drop", LAN, CLOSED),
        ("accept", "udp dport 67 ip saddr 0.0.0.0/8 drop", CLOSED),
        ("accept", "iifname vlan20 udp dport 67 reject", CLOSED[1:]),
        ("drop", f"{ESTABLISHED}; iifname vlan10 udp dport 67 accept", CLOSED[1:]),
        ("drop", f"{ESTABLISHED}; udp dport 67 accept", []),
        ("accept", "iifname vlan10 tcp dport 22 drop; ct state invalid drop", []),
    ],
)
def test_a_firewall_that_keeps_clients_out_is_found(
    start: Start,
    doctor: Doctor,
    network: Network,
    client: Host,
    policy: str,
    rules: str,
    found: list[tuple[str, str, str]],
) -> None:
    """By what happens to a real client of vlan10 the finding is right."""
    doctor.of(start(CONFIG, options=()))
    with nftables(network.relay, policy, rules):
        assert doctor.finds() == found
        assert is_heard(client, network) is (CLOSED[0] not in found)
    assert doctor.finds() == []


@pytest.mark.parametrize("program", ["iptables-nft", "iptables-legacy"])
def test_one_of_iptables_too(
    start: Start, doctor: Doctor, network: Network, client: Host, program: str
) -> None:
    doctor.of(start(CONFIG, options=()))
    with iptables(network.relay, program):
        assert doctor.finds() == CLOSED
        assert not is_heard(client, network)


@pytest.mark.parametrize("rules", [ESTABLISHED, f"{ESTABLISHED}; udp dport 67 drop"])
def test_what_the_role_opens_is_open_once_and_can_be_closed(
    start: Start, doctor: Doctor, network: Network, client: Host, rules: str
) -> None:
    doctor.of(start(CONFIG, options=()))

    def role(verb: str) -> str:
        return network.relay.run(["sh", str(SCRIPT), verb]).stdout

    def listed() -> str:
        return network.relay.run(["nft", "list", "ruleset"]).stdout

    assert role("open") == "", "where there are no rules there is nothing to open"
    with nftables(network.relay, "drop", rules):
        network.relay.run(["nft", "add table inet other"])
        network.relay.run(["nft", "add chain inet other input { type filter hook input priority 5; }"])
        before = listed()
        assert doctor.finds() == CLOSED
        assert role("look") == "changed\n"
        assert listed() == before
        assert [role("open"), role("open"), role("look")] == ["changed\n", "", ""]
        assert doctor.finds() == []
        assert is_heard(client, network)
        assert listed().count('udp dport 67 accept comment "pxerelay"') == 1
        assert [role("close"), role("close")] == ["changed\n", ""]
        assert listed() == before


def test_chains_of_iptables_are_left_to_it(network: Network) -> None:
    with iptables(network.relay, "iptables-nft"):
        assert network.relay.run(["sh", str(SCRIPT), "open"]).stdout == ""


def test_what_to_do_is_told(start: Start, doctor: Doctor, network: Network) -> None:
    doctor.of(start(CONFIG, options=()))
    with nftables(network.relay, "drop", ESTABLISHED):
        text = doctor.run().stdout
    assert "error   vlan10: a frame to UDP port 67 that came in there did not get to the relay" in text
    assert "-> in each chain with `hook input` (nft list ruleset): nft insert rule inet filter input" in text


def test_without_a_daemon_it_is_found_too(doctor: Doctor, network: Network) -> None:
    doctor.config.write_text(CONFIG)
    with nftables(network.relay, "drop", ESTABLISHED):
        assert set(doctor.finds()) == {("error", "no-daemon", "daemon"), *CLOSED}


def test_what_it_sends_for_that_is_for_nobody(
    start: Start, doctor: Doctor, network: Network, client: Host
) -> None:
    """No client and no server gets anything, and nothing is counted, relayed or thought of a server."""
    daemon = start(CONFIG, options=())
    before = daemon.status()["counters"]
    with closing(Station(client)) as station, inside(network.relay):
        assert doctor.of(daemon).finds("--server", "altiris") == []
        seen = station.datagrams(0.3)
    assert 1 <= len(seen) <= 3
    assert {(one.source, one.destination, one.port) for one in seen} == {("0.0.0.1", "255.255.255.255", 67)}
    after = daemon.status()["counters"]
    assert after["dropped"] == before["dropped"]
    assert after["sent_to_clients"] == before["sent_to_clients"] == 0
    assert daemon.status()["clients"] == []
