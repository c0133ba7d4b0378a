"""Files that were broken at random: an import says what is wrong and where, and never ends otherwise."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from random import Random

import pytest

from pxerelay.config import config, document
from tests.unit.tools.importers.result import SAMPLES, Importer
from tests.unit.tools.importers.test_families import DHCPLB
from tests.unit.tools.importers.test_more_formats import (
    FORTIOS,
    HOSTS,
    IOS,
    JUNOS,
    JUNOS_SET,
    KEA,
    OPENWRT,
    TABLE,
    UNIT,
)
from tests.unit.tools.importers.test_relays6 import ROUTERS, SUSE

ROUNDS = int(os.environ.get("MUTATIONS", "40"))
"""Broken files of each format."""

DNSMASQ = """\
interface=vlan10,vlan20
dhcp-range=set:lab,10.1.1.100,10.1.1.200,255.255.255.0,1h
dhcp-match=set:efi,option:client-arch,7
dhcp-vendorclass=set:pxe,PXEClient
dhcp-userclass=set:ipxe,iPXE
tag-if=set:both,tag:efi,tag:!ipxe
dhcp-boot=tag:both,x,y,10.20.0.20
dhcp-boot=tag:lab,x,y,10.20.0.30
pxe-service=tag:thin,x86PC,"A menu",file,10.20.0.40
dhcp-ignore=tag:!known
dhcp-mac=set:thin,02:80:64:*:*:*
dhcp-host=02:00:00:10:00:01,set:thin,10.1.1.5,thin1  # reception
dhcp-relay=10.1.9.1,10.20.0.10
"""
KEA_VALUES = {
    "Dhcp4": {
        "next-server": "10.20.0.10",
        "subnet4": [
            {
                "subnet": "10.1.1.0/24",
                "pools": [{"pool": "x"}],
                "reservations": [
                    {
                        "hw-address": "02:00:00:10:00:01",
                        "next-server": "10.20.0.2",
                        "client-classes": ["a"],
                        "option-data": [{"name": "tftp-server-name", "data": "10.20.0.3"}],
                    }
                ],
            }
        ],
        "client-classes": [{"name": "a", "test": "option[93].hex == 0x0007", "next-server": "10.20.0.4"}],
        "shared-networks": [{"name": "s", "subnet4": []}],
        "reservations": [],
    }
}
KEA6 = """\
{"Dhcp6": {"option-data": [{"code": 59, "data": "tftp://[2001:db8:20::10]/x"}],
 "client-classes": [{"name": "efi", "test": "option[61].hex == 0x0007",
   "option-data": [{"name": "bootfile-url", "data": "http://[2001:db8:20::30]/x"}]},
  {"name": "http", "test": "substring(option[16].hex,6,10) == 'HTTPClient'",
   "option-data": [{"name": "bootfile-url", "data": "http://wds.example.net/x"}]}],
 "shared-networks": [{"name": "floor", "subnet6": [{"id": 1, "subnet": "2001:db8:1:1::/64",
   "pools": [{"pool": "2001:db8:1:1::/80", "option-data": [{"code": 59, "data": "tftp://[2001:db8:20::31]/x"}]}],
   "reservations": [{"hw-address": "02:00:00:10:00:01", "ip-addresses": ["2001:db8:1:1::5"],
     "option-data": [{"code": 59, "data": "tftp://[2001:db8:20::20]/x"}]}]}]}],
 "subnet6": [{"id": 2, "subnet": "2001:db8:1:2::/64", "reservations": [
   {"hw-address": "02:00:00:10:00:02", "client-classes": ["efi"]},
   {"hw-address": "02:00:00:10:00:03", "client-classes": ["DROP"]},
   {"duid": "00:03:00:01", "option-data": [{"code": 59, "data": "tftp://[2001:db8:20::20]/x"}]}]}]}}
"""
BOTH = f'{{"Dhcp4": {json.dumps(KEA_VALUES["Dhcp4"])}, {KEA6.strip()[1:]}'
TEXTS = {
    "kea6": KEA6,
    "kea of both families": BOTH,
    "relays of both families": SUSE,
    "dnsmasq relays": "dhcp-relay=10.1.9.1,10.20.0.10\ndhcp-relay=2001:db8::1,2001:db8:20::10,eth1\n",
    **ROUTERS,
    "overrides of both families": json.dumps(DHCPLB, indent=1),
    **{path.name: path.read_text() for path in SAMPLES.iterdir()},
    "kea": KEA.replace('<?include "hosts.json"?>', HOSTS),
    "table": TABLE,
    "ios": IOS,
    "junos": JUNOS,
    "junos-set": JUNOS_SET,
    "fortios": FORTIOS,
    "openwrt": OPENWRT,
    "unit": UNIT.replace("${SERVER}", "10.20.0.10"),
    "dnsmasq": DNSMASQ,
    "macs": "02:00:00:10:00:01\n0200.0010.0002 # x\n",
}
PIECES = (
    *(
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ",",
        ";",
        "=",
        ":",
        "#",
        "\\",
        "*",
        "/*",
        "<?include",
        "\n",
        "\t",
        " ",
        "\0",
    ),
    *("\x85", "\u2028", "ü", "0", "-1", "999999999999", "256", "0.0.0.0", "10.20.0.300", "::", "02:", "null"),
    *(
        "host",
        "include",
        "set:",
        "tag:!",
        "$X",
        "${",
        "interface",
        "dhcp-boot=",
        "option",
        "member('efi')",
        "(" * 30,
    ),
)


def broken(text: str, random: Random) -> str:
    """Return a text with some damage."""
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 0, 1, 1, 2, 8, 60)))
        lines = text.split("\n")
        what = random.random()
        if what < 0.5:
            text = text[:start] + random.choice(PIECES) + text[end:]
        elif what < 0.7:
            text = text[:start] + text[end:]
        elif what < 0.8:
            text = text[:start]
        else:
            at, to = random.randrange(len(lines)), random.randrange(len(lines))
            lines.insert(to, lines[at])
            text = "\n".join(lines)
    return text


@pytest.mark.parametrize("name", TEXTS)
def test_a_broken_file_is_named_with_its_place(name: str, imports: Importer) -> None:
    random = Random(name)
    for _ in range(ROUNDS):
        text = broken(TEXTS[name], random)
        more = ["--server", "ris=10.20.0.10"] if random.random() < 0.5 else []
        result = imports.text(text, *more)
        assert result.code in (0, 1, 2), text
        assert result.err or result.code == 0, text
        if result.code == 2:
            assert result.out == ""
            continue
        lines = Path(imports.folder / "given").read_bytes().decode("utf-8", "replace").count("\n") + 2
        for line in re.findall(r"given:(\d+):\d+: ", result.err):
            assert 1 <= int(line) <= lines * 2, (text, result.err)
        whole = result.out if "\ndefault:" in result.out else f"{result.out}default: drop\n"
        config.build(document.parse("result", whole))


def test_json_of_any_kind(imports: Importer) -> None:
    """Values of other kinds than Kea has, wherever they may stand."""
    random = Random(0)
    others: tuple[object, ...] = (
        None,
        5,
        -1.5,
        True,
        "",
        "x",
        [],
        {},
        [[]],
        [{}],
        {"a": []},
        "0.0.0.0",
        ["10.20.0.1"],
    )

    def changed(value: object) -> object:
        if random.random() < 0.06:
            return random.choice(others)
        if isinstance(value, dict):
            return {key: changed(inner) for key, inner in value.items() if random.random() > 0.03}
        return [changed(inner) for inner in value] if isinstance(value, list) else value

    both = KEA_VALUES | json.loads(KEA6)
    for values in (KEA_VALUES, json.loads(KEA6), both):
        for _ in range(5 * ROUNDS):
            result = imports.text(json.dumps(changed(values)), "--from", "kea")
            assert result.code in (0, 1)
