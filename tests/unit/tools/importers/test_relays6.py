"""Relays of DHCPv6: dhcrelay -6, dnsmasq, routers; alone and beside DHCPv4's, read or named."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.tools.importers.result import Importer, Result

RIS, ALTIRIS = "10.20.0.10", "10.20.0.20"
RIS6, ALTIRIS6 = "2001:db8:20::10", "2001:db8:20::20"


def read(result: Result, more: str = "") -> dict[str, Any]:
    """Return what was printed as plain data, with the default's names resolved."""
    result.loaded(more)
    plain: dict[str, Any] = yaml.load(result.out, yaml.BaseLoader)  # noqa: S506  # it makes text only
    names = plain.get("servers", {})

    def addresses(choice: Any) -> list[str]:
        found = []
        for name in choice if isinstance(choice, list) else [choice]:
            target = names.get(name, name)
            found += target if isinstance(target, list) else [target]
        return found

    if "default" in plain:
        plain["default"] = addresses(plain["default"])
    for entry in (plain.get("interfaces") or {}).values():
        if "default" in entry:
            entry["default"] = addresses(entry["default"])
    return plain


def dhcrelay(imports: Importer, *words: str) -> Result:
    return imports("--dhcrelay", "--", *words)


def test_dhcrelay_6(imports: Importer) -> None:
    words = ["-6", "-I", "-l", "2001:DB8:10::1%vlan10", "-l", "vlan20", "-u", f"{RIS6}%core", "-c", "5"]
    result = dhcrelay(imports, "/usr/sbin/dhcrelay", *words, "-u", "2001:db8:20:0::20%core", "-q")
    assert result.code == 0, result.err
    found = read(result)
    assert found["default"] == [RIS6, ALTIRIS6]
    assert found["interfaces"] == {"vlan10": {"link_address": "2001:db8:10::1"}, "vlan20": {}}
    assert (found["dhcpv4"], found["dhcpv6"], found["max_hops"]) == ("false", "true", "5")
    assert "the route to a server tells its interface, so %core is left out" in result.out
    assert "-I: nothing to set: pxerelay always says an Interface-Id" in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-l", "vlan10", "-u", "core"], "1:17: this asks the group ff05::1:3, all servers, on 'core'"),
        (["-l", "vlan10", "-u", "ff05::1:3%core"], "1:17: this asks the group ff05::1:3, on 'core'"),
        (["-l", "vlan10", "-u", "fe80::1%core"], "1:17: fe80::1 can't be a server"),
        (["-l", "vlan10", "-u", f"{RIS}%core"], f"1:17: '{RIS}' is no server: write an IPv6 address"),
        (["-l", "fe80::1%vlan10", "-u", f"{RIS6}%core"], "1:7: 'fe80::1' is no link-address"),
        (["-l", "201:db8::1%vlan10", "-u", f"{RIS6}%core"], "1:7: '201:db8::1' is no link-address"),
        (["-l", "vlan10"], "1:7: no server is named; write -u and its address"),
        (
            ["-l", "vlan10", "-u", f"{RIS6}%core", "-i", "eth0"],
            "-i is for DHCPv4, and dhcrelay -6 refuses",
        ),
        (["-l", "vlan10", "-u", f"{RIS6}%core", "-c", "0"], "'0' is no number of hops"),
        (["-l", "vlan10", "-u", f"{RIS6}%core", "-Z"], "'-Z' is no option of dhcrelay -6 4.4"),
        (["-l"], "1:4: -l needs a value behind it"),
        ([RIS], f"command line:1:4: '{RIS}' stands for no server with -6; write -u ADDRESS%INTERFACE"),
    ],
)
def test_dhcrelay_6_faults(words: list[str], message: str, imports: Importer) -> None:
    result = dhcrelay(imports, "-6", *words)
    assert result.code == 1
    assert message in result.err
    result.loaded("" if "\ndefault:" in result.out else "default: drop\n")


@pytest.mark.parametrize(("given", "hops"), [("1", "1"), ("8", "8"), ("10", "8"), ("255", "8")])
def test_hops_of_dhcrelay_6(given: str, hops: str, imports: Importer) -> None:
    result = dhcrelay(imports, "-6", "-l", "vlan10", "-u", f"{RIS6}%core", "-c", given)
    assert read(result)["max_hops"] == hops


def test_an_index_is_no_interface_id(imports: Importer) -> None:
    result = dhcrelay(imports, "-6", "-l", "vlan10#7", "-u", f"{RIS6}%core", "-s", "x", "-p", "1547")
    assert read(result)["interfaces"] == {"vlan10": {}}
    assert "no counterpart for #7; the Interface-Id is the interface's name" in " ".join(result.out.split())
    assert "-s x: no counterpart" in result.out
    assert "-p 1547: no counterpart" in result.out


SUSE = f"""\
DHCRELAY_INTERFACES="vlan10 vlan20 core"
DHCRELAY_SERVERS="{RIS}"
DHCRELAY6_LOWER_INTERFACES="2001:db8:10::1%vlan10 vlan30"
DHCRELAY6_UPPER_INTERFACES="{RIS6}%core"
DHCRELAY6_OPTIONS=""
"""


def test_both_relays_of_one_file(imports: Importer) -> None:
    """Each family is on where its own relay listened, and nowhere else."""
    result = imports.text(SUSE)
    assert result.code == 0, result.err
    found = read(result)
    assert found["default"] == [RIS, RIS6]
    assert found["interfaces"] == {
        "vlan10": {"link_address": "2001:db8:10::1"},
        "vlan20": {"dhcpv6": "false"},
        "core": {"dhcpv6": "false"},
        "vlan30": {"dhcpv4": "false"},
    }


def test_both_units_at_once(imports: Importer) -> None:
    four, six = imports.folder / "dhcrelay.service", imports.folder / "dhcrelay6.service"
    four.write_text(f"[Service]\nExecStart=/usr/sbin/dhcrelay -d --no-pid -id vlan10 {RIS}\n")
    six.write_text(f"[Service]\nExecStart=/usr/sbin/dhcrelay -6 -d -l vlan10 -u {RIS6}%core\n")
    result = imports(four, six)
    assert result.code == 0, result.err
    found = read(result)
    assert (found["default"], found["interfaces"], found["dhcpv6"]) == ([RIS, RIS6], {"vlan10": {}}, "true")


def test_everywhere_in_dhcpv4_and_somewhere_in_dhcpv6(imports: Importer) -> None:
    result = imports.text(SUSE.replace('"vlan10 vlan20 core"', '""'))
    found = read(result)
    assert found["interfaces"] == {
        "*": {"dhcpv6": "false"},
        "vlan10": {"link_address": "2001:db8:10::1"},
        "vlan30": {},
    }


def test_a_hosts_file_beside_dhcrelay_6(imports: Importer) -> None:
    """Its clients have the default in DHCPv6, as they did: dhcrelay -6 has no hosts file."""
    hosts, settings = imports.folder / "dhcrelay.hosts", imports.folder / "dhcrelay"
    hosts.write_text(f"02:00:00:10:00:01 {ALTIRIS}\n")
    settings.write_text(f'{SUSE}DHCRELAY_OPTIONS="-ch {hosts}"\n')
    result = imports(settings)
    assert result.code == 0, result.err
    assert f"server-10-20-0-20: [{ALTIRIS}, {RIS6}]" in result.out
    assert "02:00:00:10:00:01: server-10-20-0-20" in result.out


def test_dnsmasq_relays_both(imports: Importer) -> None:
    text = (
        f"dhcp-relay=10.10.10.1,{RIS}\ndhcp-relay=2001:DB8:10:10::1,{RIS6},core\n"
        f"dhcp-relay=2001:db8:10:10::1,{ALTIRIS6}\n"
    )
    where = ["--interface", "10.10.10.0/24=vlan10", "--interface", "2001:db8:10:10::/64=vlan10"]
    result = imports.text(text, *where)
    assert result.code == 0, result.err
    found = read(result)
    assert found["default"] == [RIS, RIS6, ALTIRIS6]
    assert found["interfaces"] == {"vlan10": {"link_address": "2001:db8:10:10::1"}}
    assert f"Left out: core behind {RIS6}, the interface that replies must come" in " ".join(
        result.out.split()
    )


def test_dnsmasq_relays_dhcpv6_to_another_server_on_each_vlan(imports: Importer) -> None:
    text = f"dhcp-relay=2001:db8:10:10::1,{RIS6}\ndhcp-relay=2001:db8:10:20::1,{ALTIRIS6}\n"
    where = ["--interface", "2001:db8:10:10::/64=vlan10", "--interface", "2001:db8:10:20::/64=vlan20"]
    result = imports.text(text, *where, "--default", RIS6)
    assert result.code == 0, result.err
    found = read(result)
    assert (found["default"], found["dhcpv4"]) == ([RIS6], "false")
    assert found["interfaces"] == {
        "vlan10": {"link_address": "2001:db8:10:10::1"},
        "vlan20": {"default": [ALTIRIS6], "link_address": "2001:db8:10:20::1"},
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dhcp-relay=2001:db8::1", "1:12: this relays by multicast; write the server's address"),
        ("dhcp-relay=2001:db8::1,ff05::1:3,eth1", "1:24: ff05::1:3 is a group of servers"),
        (
            f"dhcp-relay=2001:db8::1,{RIS6}#1547",
            "port '1547' has no counterpart: servers are asked at",
        ),
        (f"dhcp-relay=2001:db8::1,{RIS}", f"'{RIS}' is no server: write an IPv6 address"),
        (
            f"dhcp-relay=2001:db8::x,{RIS6}",
            "'2001:db8::x' is no address of this host, such as",
        ),
        (
            f"dhcp-option=option6:bootfile-url,tftp://[{RIS6}]/x",
            "1:13: this says where clients boot from by DHCPv6, which is not imported of dnsmasq",
        ),
    ],
)
def test_dnsmasq_of_dhcpv6_that_is_named(line: str, message: str, imports: Importer) -> None:
    result = imports.text(f"{line}\n", "--from", "dnsmasq", "--default", "drop")
    assert result.code == 1
    assert message in result.err
    result.loaded()


ROUTERS = {
    "ios": f"""\
interface Loopback0
 ipv6 address 2001:db8:ff::1/128
interface Vlan10
 ip address 10.10.10.1 255.255.255.0
 ip helper-address {RIS}
 ipv6 address 2001:db8:10:10::1/64
 ipv6 dhcp relay destination {RIS6}
interface Vlan20
 ipv6 address 2001:db8:10:20::1/64
 ipv6 address FE80::1 link-local
 ipv6 dhcp relay destination 2001:DB8:20::10 Vlan99
interface Vlan30
 shutdown
 ipv6 address 2001:db8:10:30::1/64
 ipv6 dhcp relay destination 2001:db8:20::99
""",
    "nx-os": f"""\
interface loopback0
  ipv6 address 2001:db8:ff::1/128
interface Vlan10
  no shutdown
  ip address 10.10.10.1/24
  ip dhcp relay address {RIS}
  ipv6 address 2001:db8:10:10::1/64
  ipv6 dhcp relay address {RIS6} use-vrf core
interface Vlan20
  ipv6 address 2001:db8:10:20::1/64
  ipv6 dhcp relay address {RIS6}
""",
    "eos": f"""\
interface Loopback0
   ipv6 address 2001:db8:ff::1/128
interface Vlan10
   ip address 10.10.10.1/24
   ip helper-address {RIS}
   ipv6 address 2001:db8:10:10::1/64
   ipv6 dhcp relay destination {RIS6} source-address 2001:db8:ff::1
interface Vlan20
   ipv6 address 2001:db8:10:20::1/64
   ipv6 dhcp relay destination vrf core {RIS6}
""",
    "junos": f"""\
set interfaces lo0 unit 0 family inet6 address 2001:db8:ff::1/128
set interfaces irb unit 10 family inet address 10.10.10.1/24
set interfaces irb unit 10 family inet6 address 2001:db8:10:10::1/64
set interfaces irb unit 20 family inet6 address 2001:db8:10:20::1/64
set forwarding-options dhcp-relay server-group boot {RIS}
set forwarding-options dhcp-relay active-server-group boot
set forwarding-options dhcp-relay group vlans interface irb.10
set forwarding-options dhcp-relay dhcpv6 server-group boot {RIS6}
set forwarding-options dhcp-relay dhcpv6 group vlans active-server-group boot
set forwarding-options dhcp-relay dhcpv6 group vlans interface irb.10
set forwarding-options dhcp-relay dhcpv6 group vlans interface irb.20
""",
    "fortios": f"""\
config system interface
    edit "vlan10"
        set ip 10.10.10.1 255.255.255.0
        set dhcp-relay-service enable
        set dhcp-relay-ip "{RIS}"
        config ipv6
            set ip6-address 2001:db8:10:10::1/64
            set dhcp6-relay-service enable
            set dhcp6-relay-type regular
            set dhcp6-relay-ip "{RIS6}"
        end
    next
    edit "vlan20"
        config ipv6
            set ip6-address 2001:db8:10:20::1/64
            set dhcp6-relay-service enable
            set dhcp6-relay-ip "{RIS6}"
        end
    next
    edit "loop"
        config ipv6
            set ip6-address 2001:db8:ff::1/128
        end
    next
    edit "vlan40"
        config ipv6
            set dhcp6-relay-ip "2001:db8:20::99"
        end
    next
end
""",
}


@pytest.mark.parametrize("name", ROUTERS)
def test_routers(name: str, imports: Importer) -> None:
    result = imports.text(ROUTERS[name])
    assert result.code == 0, result.err
    found = read(result)
    assert found["default"] == [RIS, RIS6]
    assert found["dhcpv6"] == "true"
    assert sorted(found["accept_relayed_from"]) == [
        "10.10.10.1",
        "2001:db8:10:10::1",
        "2001:db8:10:20::1",
        "2001:db8:ff::1",
    ]
    assert "Have the routers tell the MAC (option 79)" in result.err


def test_a_router_of_dhcpv6_alone(imports: Importer) -> None:
    lines = [line for line in ROUTERS["ios"].splitlines() if " ip " not in line]
    result = imports.text("\n".join(lines))
    assert result.code == 0, result.err
    found = read(result)
    assert (found["default"], found["dhcpv4"]) == ([RIS6], "false")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "ipv6 dhcp relay destination FF05::1:3 Vlan99",
            "Vlan10 relays to FF05::1:3, which is no server",
        ),
        ("ipv6 dhcp relay destination FE80::9 Vlan99", "Vlan10 relays to fe80::9, which is no server's own"),
        (f"ipv6 dhcp relay destination {RIS6}", "no IPv6 address is here that Vlan10's router may ask from"),
        ("ipv6 address 2001:db8::z/64", "'2001:db8::z/64' is no address with its length"),
    ],
)
def test_routers_faults(lines: str, message: str, imports: Importer) -> None:
    result = imports.text(f"interface Vlan10\n {lines}\n", "--from", "cisco", "--default", "drop")
    assert result.code == 1
    assert message.lower() in result.err.lower()
    result.loaded()


def test_an_address_that_is_made_of_a_mac_is_accepted_as_its_network(imports: Importer) -> None:
    text = f"interface Vlan10\n ipv6 address 2001:db8:10::/64 eui-64\n ipv6 dhcp relay destination {RIS6}\n"
    assert read(imports.text(text))["accept_relayed_from"] == ["2001:db8:10::/64"]


def test_nested_blocks_of_fortios_end_no_interface(imports: Importer) -> None:
    text = (
        'config system interface\n edit "vlan10"\n  set dhcp-relay-service enable\n'
        "  config secondaryip\n   edit 1\n    set ip 10.10.11.1 255.255.255.0\n   next\n  end\n"
        f'  set ip 10.10.10.1 255.255.255.0\n  set dhcp-relay-ip "{RIS}"\n next\nend\n'
    )
    result = imports.text(text)
    assert result.code == 0, result.err
    found = read(result)
    assert found["default"] == [RIS]
    assert "10.10.10.1" in found["accept_relayed_from"]
