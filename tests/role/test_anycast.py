"""Relays that share one address: what BIRD is told, with BIRD itself as the judge, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from tests.lab import debian
from tests.lab.command import run
from tests.role.anycast import rendered
from tests.role.plays import hosts, play
from tests.role.test_filters import FILTERS

bird = FILTERS["bird"]

PEER: dict[str, Any] = {"address": "10.20.0.254", "asn": 65000}
BGP: dict[str, Any] = {"address": "192.0.2.67", "asn": 65010, "peers": [PEER]}
BOTH: dict[str, Any] = {
    "address": ["192.0.2.67", "2001:db8::67"],
    "asn": 4200000010,
    "peers": [
        {**PEER, "password": "let me in", "bfd": True},
        {"address": "2001:db8:20::254", "asn": 65000},
    ],
    "bfd": {"interval": 50, "multiplier": 4},
    "router_id": "10.20.0.1",
    "hold": 3,
    "prepend": 3,
    "communities": ["65010:67", "4200000010:1:2"],
}
OSPF: dict[str, Any] = {
    "address": ["192.0.2.67", "2001:db8::67"],
    "ospf": {"interfaces": ["core", "eth*"], "area": "0.0.0.1", "hello": 1, "dead": 4, "bfd": True},
}


@pytest.mark.parametrize("anycast", [BGP, BOTH, OSPF], ids=["BGP", "both families", "OSPF"])
def test_bird_takes_what_it_is_told(anycast: dict[str, Any], tmp_path: Path) -> None:
    files = rendered(tmp_path, anycast)
    command = debian.program_with_libraries("bird2", "usr/sbin/bird")
    done = run([*command, "-p", "-c", str(tmp_path / "anycast.conf")], check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), files["anycast.conf"]
    assert "protocol kernel" not in files["anycast.conf"], "the host's routes are its own"


def test_what_is_asked_for_stands_there(tmp_path: Path) -> None:
    conf = rendered(tmp_path, BOTH)["anycast.conf"]
    assert conf.count("bgp_path.prepend(4200000010);") == 3 * 2
    assert conf.count('password "let me in";') == 1
    assert conf.count("bfd on;") == 1
    assert "interval 50 ms;\n        multiplier 4;" in conf
    assert conf.count("hold time 3;") == 2
    assert conf.count("bgp_community.add((65010, 67));") == 2
    assert conf.count("bgp_large_community.add((4200000010, 1, 2));") == 2
    assert "route 192.0.2.67/32 blackhole;" in conf
    assert "route 2001:db8::67/128 blackhole;" in conf
    assert "router id 10.20.0.1;" in conf
    assert "protocol bfd" not in rendered(tmp_path, BGP)["anycast.conf"]


def test_the_address_stands_on_lo_and_the_checker_has_its_times(tmp_path: Path) -> None:
    files = rendered(tmp_path, {**BOTH, "every": 0.5, "fall": 2, "rise": 20})
    unit = files["pxerelay-anycast.service"]
    for address in ("192.0.2.67/32", "2001:db8::67/128"):
        assert f"ip address replace {address} dev lo" in unit
    assert unit.startswith("# managed by Ansible")
    assert "# On lo: 192.0.2.67/32 2001:db8::67/128\n" in unit
    assert "/opt/pxerelay/current/bin/pxerelay 0.5 2 20\n" in files["pxerelay-anycast-check.service"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    rendered(tmp_path, BGP)
    for name in ("pxerelay-anycast.service", "pxerelay-anycast-check.service"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(
            text.replace("/usr/sbin/bird ", "/bin/true ").replace("/usr/sbin/birdcl ", "/bin/true ")
        )
    done = run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / "pxerelay-anycast.service")],
        check=False,
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "pxerelay-anycast" in line]
    assert complaints == []


def _findings(**changes: Any) -> list[str]:
    with pytest.raises(AnsibleFilterError) as caught:
        bird({key: value for key, value in {**BGP, **changes}.items() if value is not None})
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        (
            {"address": "192.0.2.300"},
            "address: 192.0.2.300 is no address that hosts can share, such as 192.0.2.67",
        ),
        (
            {"address": "127.0.0.1"},
            "address: 127.0.0.1 is no address that hosts can share, such as 192.0.2.67",
        ),
        ({"address": None}, "address: which address do the relays share?"),
        (
            {"address": ["192.0.2.67", "2001:db8::67"]},
            "address: 2001:db8::67 has no peer of its family: give one with an IPv6 address",
        ),
        ({"asn": None}, "asn: it is missing; it is 1 to 4294967295"),
        ({"asn": 0}, "asn: 0; it is 1 to 4294967295"),
        ({"peers": [{**PEER, "asn": "x"}]}, "peers: 10.20.0.254: asn: x; it is 1 to 4294967295"),
        (
            {"peers": [PEER, {"address": "router", "asn": 65000}]},
            "peers: router: it needs an address of a router, such as 10.20.0.254",
        ),
        (
            {"peers": [{**PEER, "password": 'a"b'}]},
            "peers: 10.20.0.254: password: BIRD takes none with a quote or a line break in it",
        ),
        ({"peers": []}, "peers, ospf: give one of them, by which routers are told of the address"),
        (
            {"ospf": {"interfaces": ["core"]}},
            "peers, ospf: give one of them, by which routers are told of the address",
        ),
        ({"hold": 0}, "hold: 0; it is 3 to 65535"),
        ({"prepend": 11}, "prepend: 11; it is 1 to 10"),
        ({"rise": 0}, "rise: 0; it is 1 to 3600"),
        ({"every": 0.1}, "every: 0.1 is none of 0.2 to 60 seconds"),
        (
            {"communities": ["65536:1"]},
            'communities: 65536:1 is none, such as "65010:67" or "4200000000:1:2", in quotes',
        ),
    ],
)
def test_what_cannot_be_meant_so_is_told(changes: dict[str, Any], finding: str) -> None:
    assert _findings(**changes) == [f"pxerelay_anycast: {finding}"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(_findings(address="x", hold=1, prepend=0, communities=["a"])) == 4


def test_an_interface_of_ospf_is_a_name() -> None:
    with pytest.raises(AnsibleFilterError, match='ospf: interfaces: a"b is no name of an interface'):
        bird({"address": "192.0.2.67", "ospf": {"interfaces": ['a"b']}})


def test_what_is_wrong_stops_the_play_before_a_host_is_touched(tmp_path: Path) -> None:
    playbook = tmp_path / "render.yml"
    playbook.write_text(
        "- hosts: pxerelay\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.include_role: {name: pxerelay.pxerelay.pxerelay, tasks_from: render}\n"
    )
    variables = {"pxerelay_default": "192.0.2.1", "pxerelay_anycast": {**BGP, "prepend": 99}}
    played = play(tmp_path, playbook, hosts(tmp_path, variables, "relay1"))
    assert played.returncode != 0
    assert "pxerelay_anycast: prepend: 99; it is 1 to 10" in played.stdout
    played = play(tmp_path, playbook, hosts(tmp_path, {**variables, "pxerelay_anycast": BGP}, "relay1"))
    assert played.returncode == 0, played.stdout
