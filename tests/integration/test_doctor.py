"""`pxerelay doctor`: each finding provoked for real, and none where all is well."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pxerelay import packet
from tests.integration.conftest import BASE
from tests.lab import Dnsmasq, Host
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.network import Segment
from tests.lab.odd import OddServer, offer
from tests.lab.topology import ALTIRIS, RIS, Network
from tests.lab.wire import Station

Start = Callable[..., Daemon]

CONFIG = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
"""
ODD = """\
servers: {odd: 10.20.0.20}
default: odd
interfaces:
  vlan10: {}
"""
PXE = bytes((60, 9)) + b"PXEClient"


@pytest.fixture(scope="module", autouse=True)
def stage(network: Network) -> Iterator[None]:
    for server in network.servers:
        server.start()
    yield
    for server in network.servers:
        server.stop()


class Doctor:
    """Runs the command on the relay host, for a daemon that runs or for a configuration alone."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.config = folder / "doctor.yml"
        self.socket = folder / "nobody.sock"

    def of(self, daemon: Daemon) -> Doctor:
        """Examine the host that a daemon runs on."""
        self.config, self.socket = daemon.config, daemon.socket
        return self

    def run(
        self, *arguments: str, host: Host | None = None, before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the command, on another host if one is given, by way of another command."""
        files = ("--config", str(self.config), "--socket", str(self.socket))
        command = [*before, *PXERELAY, "doctor", *files, *arguments]
        return (host or self.network.relay).run(command, check=False, timeout=60)

    def report(self, *arguments: str, before: Sequence[str] = ()) -> dict[str, Any]:
        """Return what it tells programs; the exit code must go with it."""
        done = self.run("--json", "--seconds", "1", *arguments, before=before)
        assert not done.stderr, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        wrong = any(finding["severity"] != "note" for finding in report["findings"])
        assert done.returncode == wrong
        return report

    def finds(self, *arguments: str, before: Sequence[str] = ()) -> list[tuple[str, str, str]]:
        """Return severity, code and subject of each finding."""
        found = self.report(*arguments, before=before)["findings"]
        return [(one["severity"], one["code"], one["subject"]) for one in found]

    def static(self, config: str, *arguments: str) -> list[tuple[str, str, str]]:
        """Return what is found without a daemon and without asking, but for that there is no daemon."""
        self.config.write_text(config)
        found = self.finds("--no-probe", *arguments)
        assert ("error", "no-daemon", "daemon") in found
        return [one for one in found if one[1] != "no-daemon"]


@pytest.fixture
def doctor(network: Network, tmp_path: Path) -> Doctor:
    return Doctor(network, tmp_path)


@pytest.fixture
def odd(network: Network) -> Iterator[Callable[..., OddServer]]:
    """Be the server altiris, which sleeps meanwhile, in an odd way."""
    network.altiris.stop()
    with ExitStack() as stack:

        def start(answer: Callable[[OddServer, bytes], None], port: int = 67) -> OddServer:
            return stack.enter_context(closing(OddServer(network.altiris.host, answer, port)))

        yield start
    network.altiris.start()


def nothing(self: OddServer, request: bytes) -> None:
    """Be silent."""


@contextmanager
def changed(host: Host, do: Sequence[str], undo: Sequence[str]) -> Iterator[None]:
    host.ip(*do)
    try:
        yield
    finally:
        host.ip(*undo)


# All is well


def test_a_healthy_host_has_no_findings(start: Start, doctor: Doctor, network: Network, client: Host) -> None:
    daemon = start(CONFIG)
    with closing(Station(client)) as station:
        report = doctor.of(daemon).report("--every-interface")
        assert station.datagrams(0.3) == []
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
    assert packet.options(heard)[82] == b"\x01\x06vlan10"


def test_without_a_daemon_it_asks_itself_and_relays_nothing(
    doctor: Doctor, network: Network, client: Host
) -> None:
    doctor.config.write_text(CONFIG)
    with closing(Station(client)) as station:
        report = doctor.report()
        assert station.datagrams(0.3) == []
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


# Answers


def test_answers_that_rp_filter_drops(
    start: Start, doctor: Doctor, network: Network, odd: Callable[..., OddServer]
) -> None:
    """The server sends its answers into the client VLAN, where it has a leg, and the way to it is another."""
    odd(lambda self, request: self.send(offer(request, ALTIRIS), "10.10.10.1", source=ALTIRIS))
    host = network.altiris.host
    host.attach(Segment("vlan10", network.lab.namespace("net")), "leg", addresses=["10.10.10.5/24"])
    doctor.of(start(ODD))
    try:
        assert doctor.finds() == []
        network.relay.sysctl("net.ipv4.conf.vlan10.rp_filter", 1)
        report = doctor.report()
        (found,) = report["findings"]
        assert (found["severity"], found["code"], found["subject"]) == ("error", "rp-filter", "vlan10")
        assert f"the way back to {ALTIRIS} leaves by core" in found["message"]
        assert "sysctl -w net.ipv4.conf.vlan10.rp_filter=2" in found["advice"][0]
        network.relay.sysctl("net.ipv4.conf.vlan10.rp_filter", 2)
        assert doctor.finds() == []
    finally:
        network.relay.sysctl("net.ipv4.conf.vlan10.rp_filter", 0)
        host.detach("leg")


def test_silence(start: Start, doctor: Doctor, odd: Callable[..., OddServer]) -> None:
    server = odd(nothing)
    assert doctor.of(start(ODD)).finds() == [("error", "server-silent", f"odd {ALTIRIS}")]
    asked = [packet.architectures(packet.options(message)) for message in server.heard]
    assert asked == [(0,), (7,)]


def test_a_server_that_answers_uefi_only_is_fine(
    start: Start, doctor: Doctor, odd: Callable[..., OddServer]
) -> None:
    def answer(self: OddServer, request: bytes) -> None:
        if packet.architectures(packet.options(request)) == (7,):
            self.send(offer(request, ALTIRIS), "10.10.10.1")

    odd(answer)
    assert doctor.of(start(ODD)).finds() == []


def test_nobody_there_to_answer_arp(start: Start, doctor: Doctor) -> None:
    daemon = start(ODD.replace(ALTIRIS, "10.20.0.99"))
    assert doctor.of(daemon).finds("--seconds", "2") == [("error", "next-hop-silent", "odd 10.20.0.99")]


Answer = Callable[[OddServer, bytes], None]


def answered(destination: str, port: int = 67, **more: Any) -> Answer:
    """Return what sends a usual offer to an unusual place."""
    return lambda self, request: self.send(offer(request, ALTIRIS), destination, port, **more)


def without_giaddr(self: OddServer, request: bytes) -> None:
    message = offer(request, ALTIRIS)
    message[packet.GIADDR] = packet.UNSET
    self.send(message, "10.10.10.1")


def large(size: int) -> Answer:
    def answer(self: OddServer, request: bytes) -> None:
        self.send(offer(request, ALTIRIS).ljust(size, b"\0"), "10.10.10.1")

    return answer


@pytest.mark.parametrize(
    ("answer", "severity", "code"),
    [
        (answered("255.255.255.255"), "warning", "answers-by-broadcast"),
        (answered("10.20.0.255"), "warning", "answers-by-broadcast"),
        (answered("255.255.255.255", 68), "error", "answers-by-broadcast"),
        (answered("10.10.10.1", 68), "error", "answer-to-wrong-port"),
        (answered("10.20.0.1"), "warning", "answer-not-to-giaddr"),
        (without_giaddr, "error", "answer-dropped"),
        (large(1473), "error", "answer-too-large"),
        (large(4000), "error", "answer-too-large"),
    ],
)
def test_answers_that_are_not_as_they_should_be(
    start: Start,
    doctor: Doctor,
    network: Network,
    odd: Callable[..., OddServer],
    answer: Answer,
    severity: str,
    code: str,
) -> None:
    network.altiris.host.ip("route replace default via 10.20.0.1")
    odd(answer)
    daemon = start(ODD)
    assert doctor.of(daemon).finds() == [(severity, code, f"odd {ALTIRIS}")]
    assert daemon.status()["counters"]["sent_to_clients"] == 0


def test_an_answer_that_is_larger_than_the_vlans_mtu(
    start: Start, doctor: Doctor, network: Network, odd: Callable[..., OddServer]
) -> None:
    odd(large(1400))
    doctor.of(start(ODD))
    assert doctor.finds() == []
    with changed(network.relay, ["link set vlan10 mtu 1400"], ["link set vlan10 mtu 1500"]):
        assert doctor.finds() == [("error", "answer-too-large", f"odd {ALTIRIS}")]


def test_an_answer_from_an_address_that_is_no_servers(
    start: Start, doctor: Doctor, network: Network, odd: Callable[..., OddServer]
) -> None:
    odd(answered("10.10.10.1", source="10.20.0.21"))
    daemon = start(ODD)
    host = network.altiris.host
    with changed(host, ["address add 10.20.0.21/24 dev eth0"], ["address del 10.20.0.21/24 dev eth0"]):
        (found,) = doctor.of(daemon).report()["findings"]
        assert (found["severity"], found["code"]) == ("error", "answer-from-stranger")
        assert found["advice"] == ["accept_replies_from: [10.20.0.21]"]
        daemon.reload(f"{ODD}{found['advice'][0]}\n")
        assert doctor.finds() == []


def test_a_slow_answer(start: Start, doctor: Doctor, odd: Callable[..., OddServer]) -> None:
    def answer(self: OddServer, request: bytes) -> None:
        time.sleep(2.1)
        self.send(offer(request, ALTIRIS), "10.10.10.1")

    odd(answer)
    assert doctor.of(start(ODD)).finds("--seconds", "4") == [("warning", "server-slow", f"odd {ALTIRIS}")]


@contextmanager
def firewall(host: Host, rule: str) -> Iterator[None]:
    host.run(["iptables", "-w", "-A", *rule.split()])
    try:
        yield
    finally:
        host.run(["iptables", "-w", "-D", *rule.split()])


def test_a_firewall_of_this_host(start: Start, doctor: Doctor, network: Network) -> None:
    doctor.of(start(CONFIG))
    with firewall(network.relay, f"INPUT -p udp --sport 67 -s {RIS} -j DROP"):
        assert doctor.finds() == [("error", "answer-lost-here", f"ris {RIS}")]
    with firewall(network.relay, f"OUTPUT -p udp --dport 67 -d {RIS} -j DROP"):
        (found,) = doctor.report()["findings"]
        assert (found["code"], found["subject"]) == ("not-sent", f"ris {RIS}")
        assert "firewall" in found["advice"][0]


# Port 4011


def boot_server(self: OddServer, request: bytes) -> None:
    self.send(offer(request, ALTIRIS, more=PXE), *self.asker)


def test_port_4011_where_an_offer_leads_there(
    start: Start, doctor: Doctor, network: Network, odd: Callable[..., OddServer]
) -> None:
    odd(lambda self, request: self.send(offer(request, ALTIRIS, file=b"", more=PXE), "10.10.10.1"))
    doctor.of(start(ODD))
    assert doctor.finds() == [("error", "port-4011-closed", f"odd {ALTIRIS}")]
    with firewall(network.altiris.host, "INPUT -p udp --dport 4011 -j DROP"):
        assert doctor.finds() == [("warning", "port-4011-silent", f"odd {ALTIRIS}")]
    service = odd(boot_server, 4011)
    report = doctor.report()
    assert report["findings"] == []
    assert report["servers"][0]["port_4011"] == {ALTIRIS: "answered"}
    (asked,) = service.heard
    assert packet.message_type(packet.options(asked)) == 3


def test_a_real_proxy_dhcp_server(start: Start, doctor: Doctor, network: Network) -> None:
    """Of two boot services dnsmasq makes a menu, so clients come back at port 4011."""
    network.altiris.stop()
    proxy = Dnsmasq(
        network.altiris.host,
        address=ALTIRIS,
        pools=(),
        bootfile=None,
        extra=(
            "dhcp-range=10.10.10.0,proxy,255.255.255.0",
            'pxe-prompt="Boot"',
            'pxe-service=x86PC,"one",one',
            'pxe-service=x86PC,"two",two',
        ),
    )
    proxy.start()
    try:
        report = doctor.of(start(ODD)).report()
        assert report["findings"] == []
        assert report["servers"][0]["port_4011"] == {ALTIRIS: "answered"}
    finally:
        proxy.stop()
        network.altiris.start()


# Behind routers alone


def test_where_only_routers_relay_to_us_it_asks_with_an_address_of_the_host(
    start: Start, doctor: Doctor, odd: Callable[..., OddServer]
) -> None:
    odd(lambda self, request: self.send(offer(request, ALTIRIS), "10.20.0.1"))
    daemon = start("servers: {odd: 10.20.0.20}\ndefault: odd\naccept_relayed_from: [10.30.0.0/16]\n")
    report = doctor.of(daemon).report()
    assert report["findings"] == []
    (one,) = report["servers"]
    assert (one["interface"], one["giaddr"], len(one["answers"])) == (None, "10.20.0.1", 1)


def test_and_silence_there_proves_less(start: Start, doctor: Doctor, odd: Callable[..., OddServer]) -> None:
    odd(nothing)
    daemon = start("servers: {odd: 10.20.0.20}\ndefault: odd\naccept_relayed_from: [10.30.0.0/16]\n")
    assert doctor.of(daemon).finds() == [("warning", "server-silent", f"odd {ALTIRIS}")]


def test_rules_have_no_say_in_whom_it_asks(start: Start, doctor: Doctor) -> None:
    daemon = start(f'{CONFIG}rules:\n  "02:70:78:65:72:6c": drop\n  "02:00:00:00:00:01": altiris\n')
    assert doctor.of(daemon).finds("--interface", "vlan10") == []
    assert "dropped" not in daemon.log


def test_one_server_in_the_name_of_a_client(
    start: Start, doctor: Doctor, odd: Callable[..., OddServer]
) -> None:
    known = bytes.fromhex("020000100099")

    def answer(self: OddServer, request: bytes) -> None:
        if packet.ethernet_chaddr(request) == known:
            self.send(offer(request, ALTIRIS), "10.10.10.1")

    odd(answer)
    doctor.of(start(ODD))
    assert [code for _, code, _ in doctor.finds()] == ["server-silent"]
    assert doctor.finds("--mac", "02:00:00:10:00:99") == []


def test_the_standard_configuration_has_nothing_wrong_either(start: Start, doctor: Doctor) -> None:
    assert doctor.of(start(BASE)).finds() == []
