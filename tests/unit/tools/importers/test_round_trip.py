"""Files of each format, imported, loaded by the daemon's loader: each client has the server that it had."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.unit.tools.importers.result import SAMPLES, Importer, where

RIS, ALTIRIS, LAB, PHONES = "10.20.0.10", "10.20.0.20", "10.20.0.30", "10.20.0.40"


class Case(NamedTuple):
    """A sample, what to type besides its name, where clients go, and comments that must be there."""

    file: str
    arguments: list[str]
    clients: dict[str, tuple[str, ...]]
    comments: list[str]


CASES = [
    Case(
        "dhcrelay.hosts",
        ["--default", RIS],
        {
            "02:00:00:10:00:01": (ALTIRIS,),
            "02:00:00:10:00:02": (ALTIRIS,),
            "02:00:00:10:00:ab": (ALTIRIS,),
            "02:00:00:20:00:01": (LAB,),
            "02:00:00:20:00:02": (LAB,),
            "02:00:00:20:00:03": (LAB,),
            "02:80:64:00:00:01": (ALTIRIS,),
            "02:00:00:99:00:01": (RIS,),
        },
        [
            "\n  # dhcrelay.hosts: who does not boot from RIS\n  # kept by the second floor\n\n  02:00",
            "  # thin client 1, reception\n",
            "02:00:00:10:00:AB: server-10-20-0-20  # no blank before this one\n\n  ## the lab\n",
        ],
    ),
    Case(
        "dnsmasq.conf",
        [],
        {
            "02:00:00:10:00:01": (ALTIRIS,),
            "02:00:00:10:00:02": (ALTIRIS,),
            "02:00:00:10:00:03": (ALTIRIS,),
            "02:00:00:20:00:99": (LAB,),
            "02:80:64:00:00:01": (PHONES,),
            "02:81:55:00:00:01": (ALTIRIS,),
            "02:00:00:30:00:01": (RIS,),
            "02:00:00:30:00:02": (),
        },
        ["  # thin clients\n  02:00:00:10:00:01: thin  # reception\n", "lab    # the lab's bench\n"],
    ),
    Case(
        "dhcpd.conf",
        ["--interface", "10.10.20.0/24=vlan20"],
        {
            "02:00:00:10:00:01": (ALTIRIS,),
            "02:00:00:10:00:02": (ALTIRIS,),
            "02:00:00:10:00:03": ("wds.example.net",),
            "02:00:00:20:00:01": (LAB,),
            "02:00:00:99:00:01": (RIS,),
        },
        [
            "  # reception\n  02:00:00:10:00:01: server-10-20-0-20  # thin1\n",
            "  # on the counter\n",
            "  # thin2: bought in 2019\n",
        ],
    ),
    Case(
        "overrides.json",
        ["--server", f"canary={ALTIRIS},{LAB}", "--server", f"ris={RIS}", "--default", "ris"],
        {
            "02:00:00:10:00:01": (ALTIRIS,),
            "02:00:00:10:00:02": (LAB,),
            "02:00:00:10:00:03": (ALTIRIS, LAB),
            "02:00:00:99:00:01": (RIS,),
        },
        [
            "02:00:00:10:00:03: canary",
            "until: 2016-05-06}  # until 2016/05/06 13:33 +0000 in dhcplb",
            "# tier canary\n",
        ],
    ),
    Case(
        "isc-dhcp-relay",
        [],
        {"02:00:00:10:00:01": (RIS, "10.20.0.11")},
        ["# -A 1400: no counterpart", "# -m forward: nothing to set", "# -D: no counterpart"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.file for case in CASES])
def test_round_trip(case: Case, imports: Importer) -> None:
    result = imports(SAMPLES / case.file, *case.arguments)
    assert (result.code, [line for line in result.err.splitlines() if not line.startswith("note: ")]) == (
        0,
        [],
    )
    loaded = result.loaded()
    assert {mac: where(loaded, mac) for mac in case.clients} == case.clients
    for comment in case.comments:
        assert comment in result.out


def test_hosts_without_a_server_are_counted(imports: Importer) -> None:
    result = imports(SAMPLES / "dnsmasq.conf")
    assert "# Left out, lines of dhcp-host and dhcp-mac with no boot server: 1.\n" in result.out
    assert "  02:00:00:30:00:02: drop\n" in result.out
    assert "Left out, hosts with no next-server or no MAC: 1." in imports(SAMPLES / "dhcpd.conf").err


def test_without_a_default_it_says_what_to_add(imports: Importer) -> None:
    result = imports(SAMPLES / "dhcrelay.hosts", "--server", f"ris={RIS}")
    assert "# Missing: where all clients go that no rule names, such as\n# default: ris\n" in result.out
    assert where(result.loaded("default: ris\n"), "02:00:00:10:00:01") == (ALTIRIS,)


def test_names_are_the_users_where_there_are_any(imports: Importer) -> None:
    result = imports(
        SAMPLES / "dhcrelay.hosts",
        "--server",
        f"altiris={ALTIRIS}",
        "--server",
        f"ris={RIS}",
        "--default",
        "ris",
    )
    head = result.out[result.out.index("servers:") : result.out.index("rules:")]
    assert head == (
        f"servers:\n  altiris: {ALTIRIS}\n  ris: {RIS}\n  server-10-20-0-30: {LAB}\n\ndefault: ris\n\n"
    )
    assert "02:80:64:*: altiris" in result.out


def test_default_may_be_drop_or_several(imports: Importer) -> None:
    dropped = imports(SAMPLES / "dhcrelay.hosts", "--default", "drop")
    assert where(dropped.loaded(), "02:00:00:99:00:01") == ()
    both = imports(SAMPLES / "dhcrelay.hosts", "--default", f"{RIS},{LAB}")
    assert where(both.loaded(), "02:00:00:99:00:01") == (RIS, LAB)
    assert "\ndefault: [server-10-20-0-10, server-10-20-0-30]\n" in both.out


def test_tags_of_one_file_hold_in_another(imports: Importer) -> None:
    hosts = imports.folder / "hosts"
    hosts.write_text("02:00:00:10:00:07,set:thin\n")
    result = imports(SAMPLES / "dnsmasq.conf", hosts)
    assert where(result.loaded(), "02:00:00:10:00:07") == (ALTIRIS,)


def test_a_server_is_never_named_like_a_word_of_yaml(imports: Importer) -> None:
    lines = [
        f"dhcp-boot=tag:{tag},x,y,10.20.0.{at}\ndhcp-host=02:00:00:00:00:0{at},set:{tag}\n"
        for at, tag in enumerate(("true", "no", "drop", "1e3", "null", "a b", "ä"), 1)
    ]
    result = imports.text("".join(lines), "--default", "drop")
    loaded = result.loaded()
    for at in range(1, len(lines) + 1):
        assert where(loaded, f"02:00:00:00:00:0{at}") == (f"10.20.0.{at}",)
