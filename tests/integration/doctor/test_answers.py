"""`pxerelay doctor`: servers that answer not, oddly, or in a way that does not come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from tests.integration.conftest import BASE
from tests.integration.doctor.conftest import CONFIG, ODD, PXE, Doctor, Start, changed, nothing
from tests.lab import Dnsmasq, Host
from tests.lab.network import Segment
from tests.lab.odd import OddServer, offer
from tests.lab.topology import ALTIRIS, RIS, Network
from tests.lab.wire import FakeServer

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
        assert doctor.finds() == [("error", "answer-by-client-vlan", f"odd {ALTIRIS}")]
        network.relay.sysctl("net.ipv4.conf.vlan10.rp_filter", 1)
        report = doctor.report()
        (found,) = report["findings"]
        assert (found["severity"], found["code"], found["subject"]) == ("error", "rp-filter", "vlan10")
        assert f"the way back to {ALTIRIS} leaves by core" in found["message"]
        assert [advice.partition(",")[0] for advice in found["advice"]] == [
            f"have them come in where the route to {ALTIRIS} leaves"
        ]
    finally:
        network.relay.sysctl("net.ipv4.conf.vlan10.rp_filter", 0)
        host.detach("leg")


@pytest.mark.parametrize("by_daemon", [True, False])
def test_rule_28_answers_that_take_a_way_through_a_client_vlan(
    start: Start, doctor: Doctor, network: Network, odd: Callable[..., OddServer], by_daemon: bool
) -> None:
    """The relay drops them, whatever rp_filter thinks; with the route that is advised it takes them."""
    odd(lambda self, request: self.send(offer(request, ALTIRIS), "10.10.10.1", source=ALTIRIS))
    host = network.altiris.host
    host.attach(Segment("vlan10", network.lab.namespace("net")), "leg", addresses=["10.10.10.5/24"])
    if by_daemon:
        doctor.of(start(ODD))
    else:
        doctor.config.write_text(ODD)
    try:
        report = doctor.report()
        (found,) = (one for one in report["findings"] if one["code"] != "no-daemon")
        assert (found["severity"], found["code"]) == ("error", "answer-by-client-vlan")
        assert f"the way to {ALTIRIS} leaves by core" in found["message"]
        advice = found["advice"][1].removeprefix("or, if it is on vlan10: ip ")
        with changed(network.relay, [advice], [advice.replace(" add ", " del ")]):
            time.sleep(1.1)  # for as long an answer about a route holds
            assert {code for _, code, _ in doctor.finds()} - {"no-daemon"} == {"route-into-client-vlan"}
    finally:
        host.detach("leg")


@pytest.mark.parametrize("by_daemon", [True, False])
def test_rule_29_answers_from_another_port(
    start: Start, doctor: Doctor, network: Network, odd: Callable[..., OddServer], by_daemon: bool
) -> None:
    """As NAT makes them; with what is advised they are taken, and `doctor` goes on warning of that."""
    with closing(FakeServer(network.altiris.host, port=50067)) as other:
        odd(lambda _, request: other.send(offer(request, ALTIRIS), "10.10.10.1"))
        daemon = start(ODD) if by_daemon else None
        found = []
        for text in (ODD, f"{ODD}source_ports: any\n"):
            if daemon:
                daemon.reload(text)
                doctor.of(daemon)
            else:
                doctor.config.write_text(text)
            found.append([(severity, code) for severity, code, _ in doctor.finds() if code != "no-daemon"])
    assert found == [[("error", "answer-from-other-port")], [("warning", "any-source-port")]]


def test_rule_38_a_way_without_room_for_an_option_82_that_is_required(
    start: Start, doctor: Doctor, network: Network
) -> None:
    text = f'{CONFIG}option82: {{circuit_id: "{{interface}}", required: true}}\n'
    daemon = start(text)
    assert doctor.of(daemon).finds() == []
    with changed(
        network.relay, [f"route add {RIS}/32 dev core mtu 576"], [f"route del {RIS}/32 dev core mtu 576"]
    ):
        assert ("warning", "no-room-for-option82", f"ris {RIS}") in doctor.finds()


def test_silence(start: Start, doctor: Doctor, odd: Callable[..., OddServer]) -> None:
    server = odd(nothing)
    assert doctor.of(start(ODD)).finds() == [("error", "server-silent", f"odd {ALTIRIS}")]
    asked = [packet.architectures(Facts(message).options) for message in server.heard]
    assert asked == [(0,), (7,)]


def test_silence_of_one_of_two_addresses(start: Start, doctor: Doctor, odd: Callable[..., OddServer]) -> None:
    odd(nothing)
    both = f"odd: {{addresses: [{ALTIRIS}, {RIS}], strategy: failover}}"
    daemon = start(ODD.replace(f"odd: {ALTIRIS}", both))
    assert doctor.of(daemon).finds() == [("warning", "server-silent", f"odd {ALTIRIS}")]


def test_a_server_that_answers_uefi_only_is_fine(
    start: Start, doctor: Doctor, odd: Callable[..., OddServer]
) -> None:
    def answer(self: OddServer, request: bytes) -> None:
        if packet.architectures(Facts(request).options) == (7,):
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
    assert packet.message_type(Facts(asked).options) == 3


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
