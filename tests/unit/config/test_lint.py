"""Warnings: what is right and yet worth a second look."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.cli import main
from pxerelay.config import config, document, lint
from pxerelay.config.findings import ConfigError, Finding
from pxerelay.config.lint import Kind
from pxerelay.policy.days import parse_day
from pxerelay.wire.client import DescribedClient

TODAY = "2027-01-20"
SERVERS = "servers: {a: 10.0.0.1, b: 10.0.0.2, c: [10.0.0.1, 10.0.0.2]}\ndefault: [a, b, c]\n"
DOCS = Path(__file__).parents[3] / "docs" / "warnings.md"


def warnings(main: str, more: str | None = None, today: str = TODAY) -> list[Finding]:
    """Return the warnings of a main file and one that it includes."""
    first = document.parse("main.yml", main)
    others = [] if more is None else [document.parse("more.yml", more)]
    return lint.warnings(config.build(first, others), (first, *others), parse_day(today))


def of_rules(rules: str, today: str = TODAY) -> list[str]:
    """Return `LINE CODE` of each warning, of which the first rule is in line 1."""
    found = warnings(f"{SERVERS}rules:\n{rules}", today=today)
    return [f"{finding.line - 3} {finding.code}" for finding in found]


@pytest.mark.parametrize(
    ("glob", "all_of_them"), [("*", True), ("?*", True), ("vlan*", False), ("[!x]*", False)]
)
def test_a_glob_that_means_every_interface(glob: str, all_of_them: bool) -> None:
    main = f"{SERVERS}interfaces:\n  vlan10: {{}}\n  '{glob}': {{}}\n"
    assert [(f.line, f.code) for f in warnings(main)] == ([(5, "every-interface")] if all_of_them else [])


def test_every_warning_has_a_page() -> None:
    assert re.findall("^## (.*)$", DOCS.read_text("utf-8"), re.MULTILINE) == [kind.value for kind in Kind]


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("  02:80:64: a\n  02:80:64:00:00:01: a\n", ["2 shadowed-rule"]),
        ("  02:80:64: a\n  02:80:64:00:00:01: b\n", []),
        ("  02:80:64: c\n  02:80:64:00:00:01: [b, a]\n", ["2 shadowed-rule"]),
        ("  02:80:64: drop\n  02:80:64:00:00:01: drop\n", ["2 shadowed-rule"]),
        # in between something else is said
        ("  02:80:64: a\n  02:80:64:0: b\n  02:80:64:00:00:01: a\n", []),
        ("  02:80:*: a\n  02:80:64: b\n  02:80:64:0: a\n", []),
        # wildcards that cross
        ("  02:80:*: a\n  02:80:64: a\n", ["2 shadowed-rule"]),
        ("  02:80:*: a\n  02:8?:64:0?:*: b\n  02:80:64:00:*: a\n", []),
        ("  02:80:*: a\n  02:8?:64:0?:*: a\n  02:80:64:00:*: a\n", ["3 shadowed-rule"]),
        # an exact address of what is shadowed itself
        ("  02:80:*: a\n  02:80:64: a\n  02:80:64:00:00:01: a\n", ["2 shadowed-rule", "3 shadowed-rule"]),
        # ends: the wider one must last as long
        ("  02:80:64: {server: a, until: 2027-06-01}\n  02:80:64:00:00:01: a\n", []),
        (
            "  02:80:64: a\n  02:80:64:00:00:01: {server: a, until: 2027-06-01}\n",
            ["2 shadowed-rule"],
        ),
        ("  02:80:64: {server: a, until: 2027-01-19}\n  02:80:64:00:00:01: a\n", ["1 expired-rule"]),
        (
            "  02:80:*: a\n  02:80:64: {server: b, until: 2027-01-19}\n  02:80:64:00:00:01: a\n",
            ["2 expired-rule", "3 shadowed-rule"],
        ),
    ],
)
def test_shadowed_rules(rules: str, found: list[str]) -> None:
    assert of_rules(rules) == found


@pytest.mark.parametrize(
    ("today", "found"),
    [
        ("2027-01-16", []),
        ("2027-01-17", ["1 ending-rule"]),
        ("2027-01-31", ["1 ending-rule"]),
        ("2027-02-01", ["1 expired-rule"]),
        ("2029-01-01", ["1 expired-rule"]),
    ],
)
def test_ends_are_told_fourteen_days_ahead(today: str, found: list[str]) -> None:
    assert of_rules("  02:80:64: {server: a, until: 2027-01-31}\n", today) == found


def test_an_end_is_told_at_its_place_with_whom_to_ask() -> None:
    rules = "rules:\n  02:80:64: {server: a, until: 2027-01-21, owner: kiosk-team}\n"
    (finding,) = warnings(SERVERS, rules)
    assert str(finding) == (
        "more.yml:2:32: warning: the rule '02:80:64' ends tomorrow, with 2027-01-21; "
        "extend it or take it out then; ask kiosk-team [ending-rule]\n"
        "      02:80:64: {server: a, until: 2027-01-21, owner: kiosk-team}\n"
        "                                   ^"
    )


def test_servers_that_nothing_names() -> None:
    main = (
        "servers: {a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3, d: 10.0.0.4, e: 10.0.0.5, f: 10.0.0.6,\n"
        "  g: 10.0.0.7, h: 10.0.0.8}\n"
        "default: a\ndhcp_servers: [b]\ninterfaces: {vlan10: {default: c}, vlan20: }\n"
        "classes: [{name: x, arch: 7, server: [d]}]\nrules: {02-80-64: {server: [e, f]}}\n"
    )
    (finding,) = warnings(main, "rules: {02-80-65: g}")
    assert (finding.code, finding.line, finding.column) == ("unused-server", 2, 16)
    assert "'h'" in finding.message


def group(count: int, server: str = "a") -> str:
    return "".join(f"  02:80:64:00:00:{last:02x}: {server}\n" for last in range(count))


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (group(8), ["1 coverable-rules"]),
        (group(7), []),
        (group(8) + "  02:80:64:00:01:00: b\n", []),
        (group(8) + "  02:80:64:1: b\n", []),
        (group(8) + "  02:80:64:1: a\n", ["1 coverable-rules"]),
        (group(8) + "  '??:??:??:00:01:*': b\n", []),
        (group(8, "{server: a, until: 2027-12-31}"), []),
        (group(8) + "  02:80:*: b\n", []),
        (group(8) + "  02:80:65: b\n", ["1 coverable-rules"]),
        (
            group(8) + "  02:80:64:00:01:00: {server: b, until: 2027-01-01}\n",
            ["1 coverable-rules", "9 expired-rule"],
        ),
    ],
)
def test_groups_that_one_rule_would_cover(rules: str, found: list[str]) -> None:
    assert of_rules(rules) == found


KEYS = [
    *("02:80:64:00:00:01", "02:80:64:00:00:02", "02:80:64", "02:80:64:0", "02:80:*", "02:*"),
    *("02:8?:64:0?:*", "02:?0:64:00:*", "02:80:64:?0:00:*", "02:80:64:00:00:0?"),
]
CLIENTS = [
    bytes.fromhex(text)
    for text in (
        "028064000001",
        "028064000002",
        "028064000003",
        "028064010000",
        "028164000001",
        "029064000001",
    )
]
UNTIL = ["", ", until: 2027-01-19", ", until: 2027-01-20", ", until: 2027-01-22"]


@given(st.dictionaries(st.sampled_from(KEYS), st.tuples(st.sampled_from("ab"), st.sampled_from(UNTIL))))
def test_without_the_shadowed_rules_every_client_goes_where_it_went(
    rules: dict[str, tuple[str, str]],
) -> None:
    """Each one of them and all of them at once, on this day and on all that come."""

    def built(without: frozenset[str]) -> str:
        lines = (
            f"  '{key}': {{server: {server}{until}}}\n"
            for key, (server, until) in rules.items()
            if key not in without
        )
        return f"{SERVERS}rules:\n  fe:00:00: a\n" + "".join(lines)

    try:
        shadowed = [f for f in warnings(built(frozenset())) if f.code == Kind.SHADOWED_RULE.value]
    except ConfigError:
        return  # ambiguous
    keys = frozenset(re.findall("^'(.*?)' says", finding.message)[0] for finding in shadowed)
    full = config.build(document.parse("", built(frozenset())))
    for gone in (keys, *(frozenset((key,)) for key in keys)):
        try:
            less = config.build(document.parse("", built(gone)))
        except ConfigError:
            continue  # one of them settles which of two others wins
        for client in (DescribedClient(chaddr, None, b"", ()) for chaddr in CLIENTS):
            for later in range(4):
                day = (date.fromisoformat(TODAY) + timedelta(days=later)).toordinal()
                expected = full.on(day).policy.choose(client, None).choice.servers
                assert less.on(day).policy.choose(client, None).choice.servers == expected


def test_warnings_alone_are_no_findings_unless_they_are_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pxerelay.yml"
    path.write_text("servers: {a: 10.0.0.1, b: 10.0.0.2}\ndefault: a\n")
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{path}:1:24: warning: nothing in this configuration names the server 'b'")
    assert main(["check", "--strict", str(path)]) == 1
    assert capsys.readouterr().out == said
    assert main(["check", "--strict", "--format", "json", str(path)]) == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["severity"], finding["code"], finding["line"]) == ("warning", "unused-server", 1)
    assert main(["check", "--format", "github", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"::warning file={path},line=1,col=24,title=unused-server::")
    path.write_text("default: 10.0.0.1\n")
    assert main(["check", "--strict", str(path)]) == 0


def test_a_strategy_that_does_nothing() -> None:
    text = """\
servers:
  a: {addresses: 10.0.0.1, strategy: failover}
  b: {addresses: [10.0.0.1, 10.0.0.2], strategy: hash}
  c: {addresses: [10.0.0.1, 10.0.0.2], strategy: failover, probe: true}
  d: {addresses: d.example.net, strategy: hash, probe: true}
  e: {addresses: [10.0.0.1, 10.0.0.2], strategy: all}
default: [a, b, c, d, e]
"""
    routers, vlans = "accept_relayed_from: [10.0.0.0/8]\n", "interfaces: {vlan10: {}}\n"
    lone, unseen = (2, 38, "lone-server"), (3, 50, "unseen-servers")
    assert [(f.line, f.column, f.code) for f in warnings(text + routers)] == [lone, unseen]
    assert [(f.line, f.column, f.code) for f in warnings(text + routers + vlans)] == [lone]


def codes(text: str) -> list[str]:
    """Return `LINE:COLUMN CODE` of each warning about a main file."""
    return [f"{one.line}:{one.column} {one.code}" for one in warnings(text)]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("accept_relayed_from: [10.0.0.0/8, 10.0.0.0/7]", ["2:35 wide-network"]),
        ("accept_replies_from: [0.0.0.0/0]", ["2:23 wide-network"]),
        ("accept_replies_from: [10.0.0.0/8]", []),
        ("max_requests: 0", ["2:15 unbounded-requests"]),
        ("max_requests: 1", []),
        ("pxe_only: true", ["2:11 no-dhcp-servers"]),
        ("pxe_only: true\ndhcp_servers: 10.0.0.2", []),
        ("interfaces: {vlan10: {pxe_only: true}}", ["2:33 no-dhcp-servers"]),
        ("interfaces: {'*': {}}", ["2:14 every-interface"]),
        ("interfaces: {'?*': {}, 'vlan*': {}, '[ev]*': {}}", ["2:14 every-interface"]),
    ],
)
def test_what_believes_too_much_is_told(more: str, found: list[str], tmp_path: Path) -> None:
    text = f"default: 10.0.0.1\n{more}\n"
    assert codes(text) == found
    path = tmp_path / "pxerelay.yml"
    path.write_text(text)
    assert main(["check", "--strict", str(path)]) == bool(found)
    assert main(["check", str(path)]) == 0


def test_a_glob_of_include_that_stands_for_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pxerelay.yml"
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "a.yaml").write_text("rules: {02:00:00:12:34:56: drop}\n")
    path.write_text("default: drop\ninclude: [rules.d/*.yml, rules.d/*.yaml, 'rules.d\\*.yaml']\n")
    assert main(["check", str(path)]) == 0
    first, second = re.findall(r"^(\S+) warning: (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert first[0] == f"{path}:2:11:"
    assert first[1].startswith("'rules.d/*.yml' stands for no file, so no rules come from there; ")
    assert first[1].endswith("take it out [empty-include]")
    assert second[0] == f"{path}:2:42:"
    assert second[1].endswith("a \\ parts no folders here, write rules.d/*.yaml [empty-include]")
    assert main(["check", "--strict", str(path)]) == 1


def test_a_path_with_backslashes_says_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pxerelay.yml"
    for include in (r"rules.d\a.yml", r"rules.d\sub/*.yml"):
        path.write_text(f"default: drop\ninclude: {include}\n")
        assert main(["check", str(path)]) == 1
        slashed = include.replace("\\", "/")
        assert f"a \\ parts no folders here, write {slashed}" in capsys.readouterr().out


DUAL = """\
servers:
  ris: [10.20.0.10, 2001:db8:20::10]
  old: 10.20.0.30
  new: 2001:db8:20::40
  named: wds.example.net
  pool: {addresses: [10.20.0.20, 10.20.0.21], strategy: failover}
default: %s
dhcpv6: true
interfaces: {vlan10: {default: named}, vlan20: {default: pool}, vlan30: {default: drop}}
classes: [{name: some, arch: 7, server: new}]
"""


def told(main: str, more: str | None = None) -> list[str]:
    return [f"{f.line} {f.code}" for f in warnings(main, more) if f.code != "unused-server"]


def test_servers_that_lack_a_family_are_told_with_who_sends_there() -> None:
    rules = "".join(f"  02:00:00:00:00:0{at}: old\n" for at in range(1, 5))
    found = warnings(DUAL % "old" + f"rules:\n  02:80:64: ris\n{rules}", "rules: {02:90:64: old}")
    assert [f"{f.line} {f.code}" for f in found] == [
        "3 no-ipv6-server",
        "4 no-ipv4-server",
        "6 no-ipv6-server",
    ]
    assert found[0].message == (
        "'old' has no IPv6 address, and 6 entries send clients there, whose DHCPv6 requests then reach no "
        "boot server: main.yml:7, main.yml:13, main.yml:14 and 3 more; add one if they are to boot by DHCPv6"
    )
    assert "one entry sends" in found[1].message
    assert "main.yml:10" in found[1].message


def test_a_list_lacks_a_family_if_all_of_it_does_and_an_ended_rule_sends_nobody() -> None:
    main = DUAL.replace("pool}", "ris}").replace("server: new", "server: ris") % "ris"
    assert told(main + "rules: {02:00:00:00:00:01: [old, ris]}") == []
    assert told(main + "rules: {02:00:00:00:00:01: [old, pool]}") == ["11 no-ipv6-server"]
    ended = "rules: {02:00:00:00:00:01: {server: old, until: 2027-01-19}}"
    assert told(main + ended) == ["11 expired-rule"]


def test_without_a_family_nobody_lacks_it() -> None:
    assert told(DUAL.replace("dhcpv6: true", "dhcpv6: true\ndhcpv4: false") % "new") == ["6 no-ipv6-server"]
    off = told(DUAL.replace("dhcpv6: true", "dhcpv6: false") % "old")
    assert off == ["2 ipv6-unused", "4 ipv6-unused"]


def test_dhcp_servers_for_all_may_have_firmware_boot_nothing() -> None:
    text = (
        "default: 2001:db8:20::10\ndhcpv4: false\ndhcp_servers: 2001:db8:20::2\ndhcpv6: {dhcp_servers: %s}\n"
    )
    assert told(text % "all") == ["4 first-answer-wins"]
    assert told(text % "others") == []
    assert told(text.replace("dhcp_servers: 2001:db8:20::2\n", "") % "all") == []
    assert told(text % "all" + "pxe_only: true\n") == []
    assert told(text % "all" + "pxe_only: true\ninterfaces: {vlan10: {pxe_only: false}}") == [
        "4 first-answer-wins"
    ]


def test_rules_need_routers_that_tell_the_mac() -> None:
    text = "default: 2001:db8:20::10\ndhcpv4: false\ndhcpv6: %s\n"
    text += "accept_relayed_from: [10.0.0.0/24, '2001:db8::/32']\n"
    assert told(text % "true") == [], "without rules nobody needs it"
    text += "rules: {02:80:64: 2001:db8:20::20}\n"
    found = [f for f in warnings(text % "true") if f.code == "router-without-mac"]
    assert [(f.line, f.column) for f in found] == [(4, 36)]
    assert "2001:db8::/32" in found[0].message
    assert "router-without-mac" not in str(told(text.replace("dhcpv4: false\n", "") % "false"))


def test_a_wide_network_of_either_family_is_told_where_it_stands() -> None:
    text = "default: 10.0.0.1\naccept_relayed_from: [10.0.0.0/8, 'fd00::/8', '2000::/3', 0.0.0.0/0]\n"
    found = [(f.column, f.message.split()[0]) for f in warnings(text) if f.code == "wide-network"]
    assert found == [(47, "2000::/3"), (59, "0.0.0.0/0")]


def test_a_strategy_of_one_server_a_family_does_nothing() -> None:
    text = "servers: {a: {addresses: [10.0.0.1, 2001:db8::1], strategy: hash}}\ndefault: a\ndhcpv6: true\n"
    (found,) = warnings(text)
    assert (found.code, "one address a family" in found.message) == ("lone-server", True)
