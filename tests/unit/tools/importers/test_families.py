"""Files of DHCPv6, alone and beside DHCPv4's: one mapping for both, or what it can't say, named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pxerelay.tools.simulate.review import Explanation, explain
from pxerelay.wire.mac import parse_mac
from tests.unit.tools.importers.result import TODAY, Importer, Result

ONE, TWO, THREE, OTHER = (f"02:00:00:10:00:{number:02}" for number in (1, 2, 3, 99))
RIS, ALTIRIS, LAB = "10.20.0.10", "10.20.0.20", "10.20.0.30"
RIS6, ALTIRIS6, LAB6 = "2001:db8:20::10", "2001:db8:20::20", "2001:db8:20::30"
ON_VLAN1 = ["--interface", "10.1.1.0/24=vlan1", "--interface", "2001:db8:1:1::/64=vlan1"]


def url(server: str) -> list[dict[str, Any]]:
    """Return option 59 with a server."""
    host = f"[{server}]" if ":" in server else server
    return [{"name": "bootfile-url", "data": f"tftp://{host}/boot.efi"}]


EFI6 = [{"name": "efi", "test": "option[61].hex == 0x0007", "option-data": url(LAB6)}]


def kea4(*reservations: dict[str, Any], **more: Any) -> str:
    """Return a kea-dhcp4.conf with a subnet of these reservations."""
    subnet = {"id": 1, "subnet": "10.1.1.0/24", "reservations": reservations}
    return json.dumps({"Dhcp4": {"next-server": RIS, **more, "subnet4": [subnet]}})


def kea6(*reservations: dict[str, Any], **more: Any) -> str:
    """Return a kea-dhcp6.conf with a subnet of these reservations."""
    subnet = {"id": 1, "subnet": "2001:db8:1:1::/64", "reservations": reservations}
    serving = {"option-data": url(RIS6), **more, "subnet6": [subnet]}
    return json.dumps({"Dhcp6": serving})


def together(imports: Importer, four: str, six: str, *more: str) -> Result:
    """Import both files."""
    paths = imports.folder / "kea-dhcp4.conf", imports.folder / "kea-dhcp6.conf"
    for path, text in zip(paths, (four, six), strict=True):
        path.write_text(text)
    return imports(*paths, *ON_VLAN1, *more)


def explained(
    result: Result, mac: str, arch: tuple[int, ...] = (), vendor: bytes = b"PXEClient"
) -> Explanation:
    """Explain a client of vlan1."""
    loaded = result.loaded()
    return explain(loaded.config, loaded.documents, parse_mac(mac), TODAY, "vlan1", vendor, arch)


def servers(result: Result, mac: str, *arch: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where a client of vlan1 goes in each family."""
    explanation = explained(result, mac, arch)
    of4, of6 = explanation.of4, explanation.of6
    return of4.sent_to if of4 else (), of6.sent_to if of6 else ()


def test_a_client_has_the_server_of_each_file(imports: Importer) -> None:
    four = kea4({"hw-address": ONE, "next-server": ALTIRIS}, {"hw-address": TWO, "next-server": ALTIRIS})
    six = kea6(
        {"hw-address": ONE, "option-data": url(ALTIRIS6)}, {"hw-address": THREE, "option-data": url(LAB6)}
    )
    result = together(imports, four, six)
    assert result.code == 0, result.err
    assert servers(result, ONE) == ((ALTIRIS,), (ALTIRIS6,))
    assert servers(result, TWO) == ((ALTIRIS,), (RIS6,))
    assert servers(result, THREE) == ((RIS,), (LAB6,))
    assert servers(result, OTHER) == ((RIS,), (RIS6,))
    assert f"  server-10-20-0-20: [{ALTIRIS}, {ALTIRIS6}]\n" in result.out
    assert "\ndhcpv6: true" in result.out


def test_dhcpv6_alone_relays_no_dhcpv4(imports: Importer) -> None:
    result = imports.text(kea6({"hw-address": ONE, "option-data": url(ALTIRIS6)}), *ON_VLAN1)
    assert result.code == 0, result.err
    assert servers(result, ONE) == ((), (ALTIRIS6,))
    assert servers(result, OTHER) == ((), (RIS6,))
    assert "dhcpv4: false" in result.out
    assert "the result relays no DHCPv4" in result.err


def test_dhcpv4_alone_says_nothing_of_dhcpv6(imports: Importer) -> None:
    result = imports.text(kea4({"hw-address": ONE, "next-server": ALTIRIS}), *ON_VLAN1)
    assert result.code == 0
    assert not any(line.startswith(("dhcpv4:", "dhcpv6:")) for line in result.out.splitlines())


def test_the_same_classes_in_both_files_stay_as_they_are(imports: Importer) -> None:
    four = [
        {"name": "efi", "test": "option[93].hex == 0x0007", "next-server": LAB},
        {"name": "http", "test": "substring(option[60].hex,0,10) == 'HTTPClient'", "next-server": ALTIRIS},
    ]
    six = [
        {"name": "efi", "test": "option[61].hex == 0x0007", "option-data": url(LAB6)},
        {
            "name": "http",
            "test": "substring(option[16].hex,6,10) == 'HTTPClient'",
            "option-data": url(ALTIRIS6),
        },
    ]
    result = together(imports, kea4(**{"client-classes": four}), kea6(**{"client-classes": six}))
    assert result.code == 0, result.err
    classes = result.out[result.out.index("classes:") : result.out.index("dhcpv6:")]
    assert classes.count("- name:") == 2
    assert servers(result, ONE, 7) == ((LAB,), (LAB6,))
    http = explained(result, ONE, (16,), b"HTTPClient")
    assert http.of6 is not None
    assert (http.sent_to, http.of6.sent_to) == ((ALTIRIS,), (ALTIRIS6,))


def test_a_class_of_one_file_leaves_the_other_familys_defaults(imports: Importer) -> None:
    four = json.loads(kea4())
    four["Dhcp4"]["subnet4"][0]["next-server"] = ALTIRIS
    result = together(imports, json.dumps(four), kea6(**{"client-classes": EFI6}))
    assert result.code == 0, result.err
    assert servers(result, ONE, 7) == ((ALTIRIS,), (LAB6,))
    assert servers(result, ONE) == ((ALTIRIS,), (RIS6,))
    assert 'name: "efi on vlan1"' in result.out


def test_a_vlan_goes_before_a_class_in_dhcpv6(imports: Importer) -> None:
    """Unlike next-server in DHCPv4: they are options there."""
    data = json.loads(
        kea6(**{"client-classes": [{"name": "e", "test": "option[61].hex == 7", "option-data": url(LAB6)}]})
    )
    data["Dhcp6"]["subnet6"][0]["option-data"] = url(ALTIRIS6)
    result = imports.text(json.dumps(data), *ON_VLAN1)
    assert result.code == 0, result.err
    assert servers(result, ONE, 7) == ((), (ALTIRIS6,))
    behind = explain(
        result.loaded().config, result.loaded().documents, parse_mac(ONE), TODAY, None, b"PXEClient", (7,)
    )
    assert behind.of6 is not None
    assert behind.of6.sent_to == (LAB6,)


FAULTS = {
    "a rule in one family, and classes in the other": (
        kea4({"hw-address": ONE, "next-server": ALTIRIS}),
        kea6(**{"client-classes": EFI6}),
        "this client has a server of its own in DHCPv4 only; in DHCPv6 it has "
        f"{RIS6} or {LAB6}, by its class or VLAN",
    ),
    "a name stands for both families": (
        kea4(),
        kea6({"hw-address": ONE, "option-data": url("wds.example.net")}),
        "'wds.example.net' is a DNS name, which gets the requests of both families",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_where_they_do_not_agree(name: str, imports: Importer) -> None:
    four, six, message = FAULTS[name]
    result = together(imports, four, six)
    assert result.code == 1
    assert message in result.err
    assert f"{imports.folder}/kea-dhcp{4 if 'server of its own' in message else 6}.conf:1:" in result.err
    result.loaded()


def test_a_client_that_is_dropped_in_one_family_boots_in_the_other(imports: Importer) -> None:
    four = kea4(
        {"hw-address": ONE, "client-classes": ["DROP"]}, {"hw-address": TWO, "client-classes": ["DROP"]}
    )
    six = kea6({"hw-address": ONE, "option-data": url(LAB6)}, {"hw-address": TWO, "client-classes": ["DROP"]})
    result = together(imports, four, six)
    assert result.code == 0, result.err
    assert servers(result, ONE) == ((), (LAB6,))
    assert servers(result, TWO) == ((), ())


KEA6_FAULTS = [
    ([{"code": 59, "data": "boot.efi"}], "this is no URL with a host in it"),
    ([{"code": 59, "data": f"tftp://{RIS}/x"}], f"fetch this from {RIS}, which is an IPv4 address"),
    ([{"code": 59, "data": "tftp://[fe80::1]/x"}], "fe80::1 can't be a server"),
    (
        [{"code": 59, "data": "http://wds/x"}],
        "'wds' is no server: write an IPv6 address such as",
    ),
    ([{"code": 59, "csv-format": False, "data": "zz"}], "this is no URL with a host in it"),
]


@pytest.mark.parametrize(("option", "message"), KEA6_FAULTS)
def test_urls_that_tell_no_server(option: list[dict[str, Any]], message: str, imports: Importer) -> None:
    result = imports.text(kea6({"hw-address": ONE, "option-data": option}), *ON_VLAN1)
    assert result.code == 1
    assert message in result.err
    assert result.err.count("given:1:") == 1
    result.loaded()


def test_a_reservation_by_duid_is_named(imports: Importer) -> None:
    """A DUID never tells the MAC, not even one that is made of one."""
    result = imports.text(kea6({"duid": f"00:03:00:01:{ONE}", "option-data": url(LAB6)}), *ON_VLAN1)
    assert result.code == 1
    assert "this reservation has a server, and no hw-address" in result.err


def test_a_server_in_hex_and_in_any_spelling(imports: Importer) -> None:
    octets = b"http://user@[2001:DB8:20:0:0:0:0:30]:8080/a?b".hex()
    option = [{"code": 59, "csv-format": False, "data": octets}]
    result = imports.text(kea6({"hw-address": ONE, "option-data": option}), *ON_VLAN1)
    assert result.code == 0, result.err
    assert servers(result, ONE) == ((), (LAB6,))


DHCPLB = {
    "v4": {ONE: {"host": ALTIRIS, "expiration": "2031/05/06 13:33 +0200"}, TWO: {"tier": "lab"}},
    "v6": {ONE: {"host": ALTIRIS6, "expiration": "2031/05/06 13:33 +0200"}, THREE: {"tier": "lab"}},
}
TIER = ["--server", f"lab={LAB},{LAB6}", "--server", f"ris={RIS},{RIS6}", "--default", "ris"]


def test_dhcplb_in_both_families(imports: Importer) -> None:
    result = imports.text(json.dumps(DHCPLB), *TIER)
    assert result.code == 0, result.err
    loaded = result.loaded("interfaces: {vlan1: {}}\n")
    found = {}
    for mac in (ONE, TWO, THREE, OTHER):
        one = explain(loaded.config, loaded.documents, parse_mac(mac), TODAY, "vlan1")
        assert one.of6 is not None
        found[mac] = one.sent_to, one.of6.sent_to
    assert found == {
        ONE: ((ALTIRIS,), (ALTIRIS6,)),
        TWO: ((LAB,), (RIS6,)),
        THREE: ((RIS,), (LAB6,)),
        OTHER: ((RIS,), (RIS6,)),
    }
    assert "until: 2031-05-06}" in result.out


DAYS = {
    "2031/05/06 00:00 +0200": "2031-05-05",
    "2031/05/06 00:01 +0200": "2031-05-06",
    "2031/03/01 00:00 -0700": "2031-02-28",
}


@pytest.mark.parametrize("text", DAYS)
def test_the_time_of_dhcplb_becomes_a_day(text: str, imports: Importer) -> None:
    result = imports.text(json.dumps({"v4": {ONE: {"host": RIS, "expiration": text}}}), "--default", "drop")
    assert (result.code, f"until: {DAYS[text]}}}" in result.out) == (0, True), result.out


@pytest.mark.parametrize("text", ["2031-05-06", "2031/02/30 10:00 +0000", "2031/05/06 24:00 +0000", "soon"])
def test_what_is_no_time_of_dhcplb_is_named(text: str, imports: Importer) -> None:
    result = imports.text(json.dumps({"v4": {ONE: {"host": RIS, "expiration": text}}}), "--default", "drop")
    assert result.code == 1
    assert f"'{text}' is no time of dhcplb" in result.err


def test_days_that_differ_between_families_are_named(imports: Importer) -> None:
    data = {"v4": {ONE: {"host": RIS, "expiration": "2031/05/06 13:33 +0000"}}, "v6": {ONE: {"host": RIS6}}}
    result = imports.text(json.dumps(data), "--default", "drop")
    assert result.code == 1
    assert (
        "servers do not end on the same day in both families; a rule has one `until`, now 2031-05-06"
        in result.err
    )


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        (f"mac,server\n{ONE},{ALTIRIS6}\n", ["--default", "drop"]),
        (f"{ONE}\n", ["--server", f"altiris={ALTIRIS6}", "--default", "drop"]),
        (f"mac,server\n{ONE},2001:DB8:20:0::20\n", ["--default", "drop"]),
    ],
)
def test_a_server_with_ipv6_switches_dhcpv6_on(file: str, arguments: list[str], imports: Importer) -> None:
    result = imports.text(file, *arguments)
    assert result.code == 0, result.err
    assert "\ndhcpv6: true  # some servers have an IPv6 address\n" in result.out
    loaded = result.loaded("interfaces: {vlan1: {}}\n")
    one = explain(loaded.config, loaded.documents, parse_mac(ONE), TODAY, "vlan1")
    assert one.of6 is not None
    assert one.of6.sent_to == (ALTIRIS6,)


def test_addresses_that_other_yaml_takes_for_numbers_are_quoted(imports: Importer) -> None:
    result = imports.text(
        f"mac,server\n{ONE},2001:10:20:30:1:1:1:10\n{TWO},2001:db8::\n", "--default", "drop"
    )
    assert result.code == 0, result.err
    assert '"2001:10:20:30:1:1:1:10"' in result.out
    assert '"2001:db8::"' in result.out


def test_a_table_whose_macs_come_first_is_no_file_of_dnsmasq(imports: Importer) -> None:
    result = imports.text(f"mac,server\n{ONE},{ALTIRIS}\n", "--default", "drop")
    assert result.code == 0
    assert f"{ONE}: server-10-20-0-20" in result.out


GUARD = "this server is for the clients that 'client-class' lets in; write one of `classes:` or rules"


@pytest.mark.parametrize("family", [4, 6])
def test_a_subnet_for_some_clients_alone_is_named(family: int, imports: Importer) -> None:
    data = json.loads(kea4() if family == 4 else kea6())
    subnet = data[f"Dhcp{family}"][f"subnet{family}"][0]
    subnet["client-class"] = "efi"
    assert imports.text(json.dumps(data), *ON_VLAN1).code == 0  # its server is everybody's
    subnet |= {"next-server": LAB} if family == 4 else {"option-data": url(LAB6)}
    result = imports.text(json.dumps(data), *ON_VLAN1)
    assert (result.code, result.err.count(GUARD)) == (1, 1)
