"""`pxerelay doctor`: what is wrong with a host provoked for real, and nothing found where all is well."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from pxerelay.wire.facts import Facts
from tests.integration.doctor.conftest import CONFIG, ODD, Doctor, Start, changed
from tests.lab import Host
from tests.lab.daemon import PXERELAY
from tests.lab.odd import OddServer, offer
from tests.lab.topology import ALTIRIS, RIS, Network
from tests.lab.wire import Station, inside

# All is well


def test_a_healthy_host_has_no_findings(start: Start, doctor: Doctor, network: Network, client: Host) -> None:
    daemon = start(CONFIG)
    with closing(Station(client)) as station:
        report = doctor.of(daemon).report("--every-interface")
        assert [one for one in station.datagrams(0.3) if one.port == 68] == []
    assert report["findings"] == []
    assert {one["server"]: one["interface"] for one in report["servers"]} == {
        f"ris {RIS}": "vlan10",
        f"altiris {ALTIRIS}": "vlan20",
    }
    assert all(len(one["answers"]) == 1 and one["wire_watched"] for one in report["servers"])
    assert {route["interface"] for route in report["routes"]} == {"core"}
    assert daemon.status()["counters"]["sent_to_clients"] == 0
    for server in network.servers:
        assert "02:70:78:65:72:6c" in server.log
        assert "02:70:78:65:72:6c" not in server.path("leases").read_text()


def test_people_are_told_what_was_answered(start: Start, doctor: Doctor) -> None:
    done = doctor.of(start(CONFIG)).run()
    assert done.returncode == 0
    ris, altiris, last = done.stdout.splitlines()
    assert ris.startswith(f"ok      ris {RIS}: from vlan10 answered after ")
    assert ris.endswith("boot file ris/pxeboot.n12; port 4011 not needed")
    assert altiris.startswith(f"ok      altiris {ALTIRIS}: from vlan20 answered after ")
    assert last == "errors: 0, warnings: 0; 2 of 2 client interfaces active, 2 servers asked"


def test_only_one_server_or_interface_may_be_asked(start: Start, doctor: Doctor) -> None:
    doctor.of(start(CONFIG))
    (one,) = doctor.report("--server", "altiris")["servers"]
    assert (one["address"], one["interface"]) == (ALTIRIS, "vlan20")
    report = doctor.report("--interface", "vlan10")
    assert [(one["address"], one["interface"]) for one in report["servers"]] == [
        (RIS, "vlan10"),
        (ALTIRIS, "vlan10"),
    ]
    assert report["findings"] == []


def test_it_asks_with_the_relays_source_address_and_option_82(
    start: Start, doctor: Doctor, odd: Callable[..., OddServer]
) -> None:
    server = odd(lambda self, request: self.send(offer(request, ALTIRIS), "10.10.10.1"))
    more = 'source_address: giaddr\noption82: {circuit_id: "{interface}"}\n'
    assert doctor.of(start(ODD + more)).finds() == []
    (heard,) = server.heard
    assert server.asker == ("10.10.10.1", 67)
    assert Facts(heard).options[82] == b"\x01\x06vlan10"


def test_without_a_daemon_it_asks_itself_and_relays_nothing(
    doctor: Doctor, network: Network, client: Host
) -> None:
    doctor.config.write_text(CONFIG)
    with closing(Station(client)) as station:
        report = doctor.report()
        assert [one for one in station.datagrams(0.3) if one.port == 68] == []
    assert [finding["code"] for finding in report["findings"]] == ["no-daemon"]
    assert all(len(one["answers"]) == 1 for one in report["servers"])
    assert ":0043" not in network.relay.run(["cat", "/proc/net/udp"]).stdout


def test_without_rights_it_says_what_it_could_not_check(doctor: Doctor) -> None:
    doctor.config.write_text(CONFIG)
    found = doctor.finds(before=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    assert found == [
        ("error", "no-daemon", "daemon"),
        ("warning", "not-checked", "servers"),
        ("note", "capabilities", "doctor"),
        ("note", "not-checked", "wire"),
    ]


def test_without_probing_nothing_is_sent(start: Start, doctor: Doctor) -> None:
    daemon = start(CONFIG)
    report = doctor.of(daemon).report("--no-probe")
    assert (report["servers"], report["findings"]) == ([], [])
    assert daemon.status()["counters"]["requests"] == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--interface", "vlan11"), "vlan11 is no client interface; did you mean 'vlan10'?"),
        (("--server", "rsi"), "no server 'rsi'; did you mean 'ris'?"),
        (("--mac", "02:00"), "02:00"),
        (("--seconds", "nan"), "--seconds takes a number up to 10"),
        (("--config", "/nowhere.yml"), "/nowhere.yml: can't be read"),
    ],
)
def test_what_can_not_be_examined_is_said(doctor: Doctor, arguments: tuple[str, ...], complaint: str) -> None:
    doctor.config.write_text(CONFIG)
    done = doctor.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


# The daemon, and the host


def test_a_daemon_on_another_network_is_no_patient(start: Start, doctor: Doctor, network: Network) -> None:
    done = doctor.of(start(CONFIG)).run(host=network.ris.host)
    assert done.returncode == 2
    assert "nsenter --net=/proc/" in done.stderr


def test_a_daemon_whose_socket_is_elsewhere_is_not_taken_for_another_relay(
    start: Start, doctor: Doctor
) -> None:
    doctor.config = start(CONFIG).config
    assert doctor.finds() == [("warning", "not-checked", "daemon"), ("warning", "not-checked", "servers")]


def test_a_changed_file_that_is_not_in_force(start: Start, doctor: Doctor) -> None:
    daemon = start(CONFIG)
    doctor.of(daemon)
    daemon.config.write_text(f"{CONFIG}# changed\n")
    assert doctor.finds() == [("warning", "config-not-in-force", "daemon")]
    daemon.reload("default: nobody\n")
    daemon.config.write_text(CONFIG)
    assert doctor.finds() == [("error", "config-not-in-force", "daemon")]


def test_metrics_that_nobody_can_read(start: Start, doctor: Doctor, network: Network) -> None:
    with inside(network.relay), socket.socket() as other:
        other.bind(("127.0.0.1", 9967))
        other.listen()
        doctor.of(start(CONFIG + "metrics: 127.0.0.1:9967\n"))
        assert doctor.finds() == [("warning", "metrics-not-served", "daemon")]


def test_a_daemon_that_lacks_a_capability(start: Start, doctor: Doctor, network: Network) -> None:
    network.relay.sysctl("net.ipv4.ip_unprivileged_port_start", 0)
    try:
        command = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all", *PXERELAY)
        doctor.of(start(CONFIG, command=command))
        assert [one for one in doctor.finds() if one[1] != "receive-buffer"] == []
    finally:
        network.relay.sysctl("net.ipv4.ip_unprivileged_port_start", 1024)
    assert [one for one in doctor.finds() if one[1] != "receive-buffer"] == [
        ("warning", "capabilities", "daemon")
    ]


def test_another_relay_has_the_port(doctor: Doctor, network: Network) -> None:
    doctor.config.write_text(CONFIG)
    argv = [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--port=0",
        "--pid-file",
        "--user=root",
    ]
    other = network.relay.popen([*argv, f"--dhcp-relay=10.10.10.1,{RIS}"], log="other-relay")
    try:
        taken = None
        while taken is None:
            assert other.poll() is None
            found = doctor.report()["findings"]
            taken = next((one for one in found if one["code"] == "port-67-taken"), None)
        assert (taken["severity"], taken["subject"]) == ("error", "host")
        assert f"(process {other.pid}) has UDP port 67" in taken["message"]
        assert "dnsmasq" in taken["message"]
        assert [one["code"] for one in found if one["subject"] == "servers"] == ["not-checked"]
    finally:
        other.terminate()
        other.wait(timeout=5)


# Interfaces and addresses


def test_interfaces_that_are_not_as_they_are_meant(doctor: Doctor) -> None:
    config = CONFIG.replace("vlan10: {}", 'vlan30: {}\n  "eth*": {}\n  vlan20x: {giaddr: 10.9.9.9}')
    assert doctor.static(config) == [
        ("error", "interface-missing", "vlan30"),
        ("error", "interface-missing", "vlan20x"),
        ("warning", "glob-matches-nothing", "eth*"),
    ]
    assert doctor.static("servers: {ris: 10.20.0.10}\ndefault: ris\n") == [
        ("warning", "nothing-to-relay", "configuration")
    ]


def test_an_interface_that_is_down(start: Start, doctor: Doctor, network: Network) -> None:
    daemon = start(CONFIG)
    with changed(network.relay, ["link set vlan20 down"], ["link set vlan20 up"]):
        daemon.wait_for(lambda: daemon.states()["vlan20"] == "waiting")
        assert doctor.of(daemon).finds() == [("error", "interface-down", "vlan20")]
    daemon.wait_for(lambda: daemon.states()["vlan20"] == "active")
    assert doctor.finds() == []


def test_an_interface_without_carrier(doctor: Doctor, network: Network) -> None:
    segment = network.lab.segment("dark")
    network.relay.attach(segment, "dark", addresses=["10.10.90.1/24"])
    net = Host(network.lab, "net")
    try:
        shown = net.run(["ip", "-br", "link", "show", "master", "dark"]).stdout
        port = shown.split()[0].partition("@")[0]
        net.ip(f"link set {port} down")
        assert doctor.static(CONFIG.replace("vlan10", "dark")) == [("error", "no-carrier", "dark")]
    finally:
        network.relay.detach("dark")


def test_addresses_that_are_not_as_they_are_meant(doctor: Doctor, network: Network) -> None:
    dark = network.lab.segment("empty")
    network.relay.attach(dark, "empty")
    network.relay.attach(dark, "single", addresses=["10.10.91.1/32"])
    network.relay.attach(dark, "twin", addresses=["10.10.10.1/24"])
    try:
        config = CONFIG.replace("vlan20: {default: altiris}", "empty: {}\n  single: {}\n  twin: {}")
        assert doctor.static(config) == [
            ("error", "no-address", "empty"),
            ("error", "giaddr-shared", "twin"),
            ("warning", "host-netmask", "single"),
        ]
        config = CONFIG.replace("vlan10: {}", "vlan10: {giaddr: 10.9.9.9}") + "source_address: 10.9.9.8\n"
        assert doctor.static(config) == [
            ("error", "giaddr-not-ours", "vlan10"),
            ("error", "source-not-ours", "configuration"),
        ]
    finally:
        for name in ("empty", "single", "twin"):
            network.relay.detach(name)


def test_an_interface_that_is_part_of_a_bridge(doctor: Doctor, network: Network) -> None:
    with changed(
        network.relay,
        ["link add br0 type bridge", "link set br0 up", "link set vlan20 master br0"],
        ["link del br0"],
    ):
        assert doctor.static(CONFIG) == [("error", "interface-enslaved", "vlan20")]


# Routes


def test_servers_that_no_route_leads_to_or_a_wrong_one(doctor: Doctor, network: Network) -> None:
    servers = {
        "far": ("10.99.0.1", "no-route", "error"),
        "shut": ("10.98.0.1", "no-route", "error"),
        "all": ("10.20.0.255", "no-route", "error"),
        "own": ("10.20.0.1", "server-is-this-host", "error"),
        "here": ("10.10.10.77", "route-into-client-vlan", "warning"),
        "through": ("10.97.0.1", "route-into-client-vlan", "warning"),
    }
    config = CONFIG.replace("{ris:", "{" + "".join(f"{n}: {a}, " for n, (a, *_) in servers.items()) + "ris:")
    do = ["route add prohibit 10.98.0.0/16", "route add 10.97.0.0/16 via 10.10.10.254"]
    undo = ["route del prohibit 10.98.0.0/16", "route del 10.97.0.0/16"]
    with changed(network.relay, do, undo):
        found = doctor.static(config)
    assert set(found) == {(severity, code, f"{n} {a}") for n, (a, code, severity) in servers.items()}
    assert len(found) == len(servers)


def test_a_route_by_a_link_that_is_dead(doctor: Doctor, network: Network) -> None:
    network.relay.attach(network.lab.segment("old"), "old", addresses=["10.96.0.1/24"])
    net = Host(network.lab, "net")
    try:
        port = net.run(["ip", "-br", "link", "show", "master", "old"]).stdout.split()[0].partition("@")[0]
        net.ip(f"link set {port} down")
        assert doctor.static(CONFIG.replace(RIS, "10.96.0.2")) == [
            ("error", "route-without-carrier", "ris 10.96.0.2")
        ]
    finally:
        network.relay.detach("old")


def test_a_server_whose_name_nobody_knows(doctor: Doctor) -> None:
    found = doctor.static(CONFIG.replace(RIS, "boot.invalid"))
    assert found == [("error", "server-not-resolved", "ris")]


def test_clients_that_rp_filter_would_drop(doctor: Doctor, network: Network) -> None:
    """The same network on two interfaces: the way back to a client is that of the first."""
    do, undo = ["address add 10.10.10.2/24 dev vlan20"], ["address del 10.10.10.2/24 dev vlan20"]
    network.relay.sysctl("net.ipv4.conf.vlan20.rp_filter", 1)
    try:
        assert doctor.static(CONFIG) == []
        with changed(network.relay, do, undo):
            assert doctor.static(CONFIG) == [("error", "rp-filter", "vlan20")]
    finally:
        network.relay.sysctl("net.ipv4.conf.vlan20.rp_filter", 0)
