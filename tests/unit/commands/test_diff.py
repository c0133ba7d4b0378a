"""`pxerelay diff` on files and revisions: what it says, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pxerelay.cli import main
from tests.tools.repositories import commit, write

OLD = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20, wds: 10.20.0.30}
default: ris
interfaces: {vlan10: {}, vlan20: {}}
rules:
  00:11:22:33:44:55: altiris
"""


class Lab:
    """Two files to write, and what `diff` says of them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the command; return its exit code and all that it printed."""
        code = main(["diff", *arguments])
        said = self._capsys.readouterr()
        return code, said.out + said.err

    def diff(self, old: str, new: str, *more: str) -> tuple[int, str]:
        """Compare two texts."""
        write(self.folder, {"old.yml": dedent(old), "new.yml": dedent(new)})
        return self.run("old.yml", "new.yml", *more)

    def json(self, old: str, new: str) -> dict[str, Any]:
        """Compare two texts and return the JSON."""
        found: dict[str, Any] = json.loads(self.diff(old, new, "--format", "json")[1])
        return found


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    monkeypatch.chdir(tmp_path)
    return Lab(tmp_path, capsys)


def test_another_spelling_and_order_is_no_difference(lab: Lab) -> None:
    new = OLD.replace("{ris: 10.20.0.10, altiris: 10.20.0.20,", "{altiris: [10.20.0.20], ris: 10.20.0.10,")
    code, said = lab.diff(OLD, f"# a remark\n{new.replace('00:11:22:33:44:55', '0011.2233.4455')}")
    assert (code, said) == (0, "no difference: every client goes where it went\n")


def test_moves_are_grouped_by_where_they_go(lab: Lab) -> None:
    listed = [f"  02:00:00:00:00:{number:02x}: " for number in range(30)]
    old, new = (OLD + "".join(f"{line}{server}\n" for line in listed) for server in ("ris", "altiris"))
    code, said = lab.diff(old, new)
    assert code == 1
    assert said.startswith("goes elsewhere: 30 listed addresses\n\nris -> altiris: 30 addresses\n")
    assert "  02:00:00:00:00:13  old.yml:25 -> new.yml:25\n  and 10 more; --all shows them\n" in said
    assert "02:00:00:00:00:1d" not in said
    assert "02:00:00:00:00:1d" in lab.diff(old, new, "--all")[1]
    assert len(lab.json(old, new)["addresses"]) == 30


def test_what_is_new_and_what_fell_to_a_default(lab: Lab) -> None:
    _, said = lab.diff(OLD, OLD.replace("33:44:55", "33:44:66"))
    assert "fell to a default: altiris -> class or default (default: ris): 1 address\n" in said
    assert "  00:11:22:33:44:55  old.yml:5 -> no rule\n" in said
    assert "new: class or default (default: ris) -> altiris: 1 address\n" in said


def test_a_rule_that_says_what_applies_anyway_moves_nobody(lab: Lab) -> None:
    code, said = lab.diff(OLD, f"{OLD}  02:00:00:00:00:01: ris\n")
    assert code == 1
    assert "nobody goes elsewhere; what differs:\n\nrules that move nobody\n" in said
    assert "02:00:00:00:00:01  added  (none) -> ris" in said


def test_a_default_tells_how_far_it_reaches(lab: Lab) -> None:
    _, said = lab.diff(OLD, OLD.replace("vlan20: {}", "vlan20: {default: altiris}"))
    assert "  every unlisted client on vlan20  ris -> altiris\n" in said
    assert "  vlan20: default  (none) -> altiris\n" in said
    new = OLD.replace("default: ris", "default: wds") + "accept_relayed_from: [10.0.0.0/8]\n"
    _, said = lab.diff(OLD + "accept_relayed_from: [10.0.0.0/8]\n", new)
    assert "  every unlisted client on vlan10, vlan20 and behind routers  ris -> wds\n" in said


def test_a_default_that_reaches_nobody_is_a_setting_only(lab: Lab) -> None:
    old = OLD.replace("vlan10: {}, vlan20: {}", "vlan10: {default: altiris}")
    code, said = lab.diff(old, old.replace("default: ris", "default: wds"))
    assert code == 1
    assert said == "nobody goes elsewhere; what differs:\n\nsettings\n  default  ris -> wds\n"


def test_a_moved_wildcard_shows_the_listed_addresses_it_catches(lab: Lab) -> None:
    old = OLD + "  02:*: ris\n  02:00:00:00:00:01: altiris\n  02:00:00:00:00:02: altiris\n"
    new = OLD + "  02:*: wds\n  02:00:00:00:00:02: altiris\n"
    (move,) = lab.json(old, new)["patterns"]
    assert (move["key"], move["caught"], move["kept"]) == ("02:*", ["02:00:00:00:00:01"], 1)
    _, said = lab.diff(old, new)
    assert "02:* (wildcard)" in said
    assert "altiris -> wds  old.yml:7 -> 02:* in new.yml:6\n" in said
    assert "1 listed address keeps a rule of its own" in said


def test_servers_that_moved_or_were_renamed(lab: Lab) -> None:
    _, said = lab.diff(OLD, OLD.replace("10.20.0.20", "10.20.0.21").replace("wds:", "mdt:"))
    assert "altiris 10.20.0.20 -> altiris 10.20.0.21: 1 address\n  --all shows them\n" in said
    assert "  altiris  is now 10.20.0.21, was 10.20.0.20: 1 rule names it\n" in said
    assert "  wds      is called mdt now, with the same addresses\n" in said
    _, said = lab.diff(OLD, OLD.replace("{ris:", "{old:").replace(": ris", ": old"))
    assert said.startswith("nobody goes elsewhere")


CLASSES = (
    OLD
    + """\
classes:
  - {name: arm, arch: [11], server: altiris}
  - {name: http, vendor_class: HTTPClient, server: wds}
"""
)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("server: wds", "server: ris", "unlisted clients of class http on vlan10, vlan20  wds -> ris\n"),
        ("server: wds", "server: ris", "http: server  wds -> ris\n"),
        ("arch: [11]", "arch: [11, 19]", "arm: arch  11 -> 11, 19\n"),
        ("arch: [11]", "arch: [19]", "unlisted clients of class arm before, of no class now, on vlan10"),
        ("name: arm, ", "name: aarch64, ", "aarch64  (none) -> altiris (arch 11)\n"),
    ],
)
def test_classes(lab: Lab, old: str, new: str, told: str) -> None:
    assert told in lab.diff(CLASSES, CLASSES.replace(old, new))[1]


def test_the_order_of_classes_counts(lab: Lab) -> None:
    lines = CLASSES.splitlines(keepends=True)
    _, said = lab.diff(CLASSES, "".join([*lines[:-2], lines[-1], lines[-2]]))
    assert "order  arm, http -> http, arm\n" in said
    assert (
        "unlisted clients of class arm before, of class http now, on vlan10, vlan20  altiris -> wds\n" in said
    )


def test_other_settings(lab: Lab) -> None:
    more = "max_hops: 5\npxe_only: true\naccept_replies_from: [10.9.0.0/16]\n"
    new = OLD.replace("vlan20: {}", "vlan30: {giaddr: 10.0.0.9}") + more
    _, said = lab.diff(OLD, new)
    assert "  max_hops             (none) -> 5\n" in said
    assert "  pxe_only             (none) -> true\n" in said
    assert '  accept_replies_from  (none) -> ["10.9.0.0/16"]\n' in said
    assert "  vlan20            unlisted clients go to ris -> (none)\n" in said
    assert "  vlan10: pxe_only  false -> true\n" in said


def test_settings_of_dhcpv6(lab: Lab) -> None:
    """That a family is switched on, or trusts others, is told; an interface only where it differs."""
    new = OLD.replace("vlan20: {}", "vlan20: {dhcpv6: false}, vlan10: {link_address: 2001:db8:10::1}")
    new = new.replace("vlan10: {}, ", "") + "dhcpv6: true\naccept_relayed_from: [2001:db8:10::/48]\n"
    code, said = lab.diff(OLD, new)
    assert code == 1
    for told in (
        "dhcpv6: true",
        'accept_relayed_from: ["2001:db8:10::/48"]',
        "vlan10: link_address: 2001:db8:10::1",
        "vlan20: dhcpv6: true -> false",
    ):
        key, _, value = told.rpartition(": ")
        assert key in said, told
        assert value in said, told
    assert "vlan10: dhcpv6" not in said
    new = new.replace("vlan20: {dhcpv6: false}", "vlan20: {}")
    only6 = new + "dhcpv4: false\nsource_address: [10.20.0.1, 2001:db8:20::1]\n"
    changed = only6.replace("2001:db8:20::1]", "2001:db8:20::2]").replace(
        "2001:db8:10::/48", "2001:db8:11::/48"
    )
    assert "dhcpv4" in lab.diff(new, only6)[1]
    said = lab.diff(only6, changed)[1]
    assert "source_address" in said
    assert "accept_relayed_from" in said


def test_a_rule_that_is_spelled_otherwise_is_the_same_one(lab: Lab) -> None:
    _, said = lab.diff(
        OLD.replace("00:11:22:33:44:55", "0011.2233.4455"), OLD.replace(": altiris\n", ": wds\n")
    )
    assert "  00:11:22:33:44:55  old.yml:5 -> new.yml:5\n" in said


def test_another_address_of_a_dhcp_server_is_told_once(lab: Lab) -> None:
    old = OLD + "dhcp_servers: [wds]\n"
    code, said = lab.diff(old, old.replace("10.20.0.30", "10.20.0.31"))
    assert code == 1
    assert said.splitlines()[2:] == ["servers", "  wds  is now 10.20.0.31, was 10.20.0.30: no rule names it"]


def test_an_owner_and_an_end_are_no_move_until_it_has_come(lab: Lab) -> None:
    rule = "{{server: altiris, owner: {}, until: {}}}"
    before = OLD.replace(": altiris\n", f": {rule.format('me', '2990-01-01')}\n")
    after = OLD.replace(": altiris\n", f": {rule.format('you', '2991-01-01')}\n")
    _, said = lab.diff(before, after)
    assert "  00:11:22:33:44:55  owner  me -> you\n" in said
    assert "  00:11:22:33:44:55  until  2990-01-01 -> 2991-01-01\n" in said
    over = OLD.replace(": altiris\n", f": {rule.format('me', '2000-01-01')}\n")
    assert "fell to a default: altiris" in lab.diff(before, over)[1]


def test_markdown_is_a_table_that_no_text_gets_out_of(lab: Lab) -> None:
    rule = ': {server: altiris, note: "a | <b> @all \\e[1m `c`"}\n'
    _, said = lab.diff(OLD, OLD.replace(": altiris\n", rule), "--format", "markdown")
    assert (
        "| 00:11:22:33:44:55 | note | (none) | a &#124; &#60;b&#62; &#64;all &#92;x1b&#91;1m &#96;c&#96; |"
        in said
    )
    _, said = lab.diff(OLD, OLD.replace(": altiris", ": wds"), "--format", "markdown")
    assert said.startswith("**pxerelay: goes elsewhere: 1 listed address**\n\n**altiris → wds: 1 address**\n")
    new = OLD + "".join(f"  02:00:00:00:00:{number:02x}: wds\n" for number in range(120))
    _, said = lab.diff(OLD, new, "--format", "markdown")
    assert "<details><summary>new: class or default (default: ris) → wds: 120 addresses</summary>" in said
    assert "| 02:00:00:00:00:31 | no rule → new.yml:55 |\n\nand 70 more\n\n</details>" in said


def test_revisions_and_their_includes(lab: Lab) -> None:
    rules = "rules: {02:00:00:00:00:01: altiris}\n"
    commit(lab.folder, {"etc/pxerelay.yml": f"{OLD}include: rules.d/*.yml\n", "etc/rules.d/a.yml": rules})
    assert lab.run("HEAD:etc/pxerelay.yml", "etc/pxerelay.yml")[0] == 0
    commit(lab.folder, {"etc/rules.d/a.yml": rules.replace("altiris", "wds")})
    code, said = lab.run("HEAD~1:etc/pxerelay.yml", "HEAD:etc/pxerelay.yml")
    assert code == 1
    assert "02:00:00:00:00:01  HEAD~1:etc/rules.d/a.yml:1 -> HEAD:etc/rules.d/a.yml:1\n" in said
    write(lab.folder, {"HEAD:etc/pxerelay.yml": OLD})
    assert "02:00:00:00:00:01" in lab.run("HEAD~1:etc/pxerelay.yml", "HEAD:etc/pxerelay.yml")[1]


def test_what_does_not_load_could_not_be_compared(lab: Lab) -> None:
    assert lab.diff(OLD, OLD.replace(": altiris\n", ": altris\n")) == (
        2,
        "new.yml:5:22: unknown server 'altris'; did you mean 'altiris'?\n"
        "      00:11:22:33:44:55: altris\n"
        "                         ^\n",
    )
    assert len(lab.run("new.yml", "new.yml")[1].splitlines()) == 6
    assert lab.run("old.yml", "nope.yml") == (2, "nope.yml: can't be read: No such file or directory\n")
    code, said = lab.run("HEAD:old.yml", "old.yml")
    assert (code, "is in no git repository" in said) == (2, True)
    commit(lab.folder, {})
    assert lab.run("HEAD:nope.yml", "old.yml") == (
        2,
        "HEAD:nope.yml: can't be read: that revision has no such file\n",
    )
    code, said = lab.run("HEAD:new.yml", "old.yml")
    assert (code, said.splitlines()[0][:17]) == (2, "HEAD:new.yml:5:22")


POOLED = OLD.replace(
    "altiris: 10.20.0.20", "altiris: {addresses: [10.20.0.20, 10.20.0.21], strategy: failover}"
)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "failover",
            "hash",
            "is now 10.20.0.20 or 10.20.0.21 by hash, was 10.20.0.20 else 10.20.0.21: 1 rule",
        ),
        (
            "20, 10.20.0.21",
            "21, 10.20.0.20",
            "is now 10.20.0.21 else 10.20.0.20, was 10.20.0.20 else 10.20.0.21",
        ),
        ("failover", "all", "is now 10.20.0.20, 10.20.0.21, was 10.20.0.20 else 10.20.0.21"),
    ],
)
def test_another_strategy_or_order_moves_clients(lab: Lab, old: str, new: str, told: str) -> None:
    code, said = lab.diff(POOLED, POOLED.replace(old, new))
    assert code == 1
    assert said.startswith("goes elsewhere: 1 listed address\n")
    assert told in said


def test_the_order_of_a_hash_moves_nobody(lab: Lab) -> None:
    old = POOLED.replace("failover", "hash")
    code, said = lab.diff(old, old.replace("20, 10.20.0.21", "21, 10.20.0.20"))
    assert (code, said) == (0, "no difference: every client goes where it went\n")


def test_a_probe_is_told_and_moves_nobody(lab: Lab) -> None:
    found = lab.json(POOLED, POOLED.replace("failover}", "failover, probe: {every: 30}}"))
    assert (found["addresses"], found["patterns"], found["unlisted"]) == ([], [], [])
    (change,) = found["servers"]
    assert change["after"] == ["10.20.0.20 else 10.20.0.21", "asked every 30 s for 02:70:78:65:00:00"]


def test_one_address_with_a_strategy_is_that_address(lab: Lab) -> None:
    one = "altiris: {addresses: [10.20.0.20], strategy: failover}"
    assert lab.diff(OLD, OLD.replace("altiris: 10.20.0.20", one))[0] == 0


def test_html_is_one_file_with_a_picture_that_loads_and_runs_nothing(lab: Lab) -> None:
    listed = [f"  02:00:00:00:00:{number:02x}: " for number in range(30)]
    hostile = "  02:80:64: {server: wds, owner: '<script>alert(1)</script>'}\n"
    old, new = (OLD + "".join(f"{line}{server}\n" for line in listed) for server in ("ris", "altiris"))
    code, said = lab.diff(old, new + hostile, "--format", "html")
    assert code == 1
    assert said.startswith("<!doctype html>\n")
    assert said.count("<svg") == 2
    assert "ris to altiris: 30" in said
    assert "02:00:00:00:00:1d" in said
    assert "default-src 'none'" in said
    body = said.partition("<body>")[2]
    assert not re.search(r"<script|<link|<img| style=| on[a-z]+=|javascript:", body)
    assert [
        url for url in re.findall(r"https?://[^\"' ]+", said) if url != "http://www.w3.org/2000/svg"
    ] == []
    assert "&lt;script&gt;" not in said, "owners of rules that are new are told by `explain`"
    _, same = lab.diff(OLD, OLD, "--format", "html")
    assert "no difference: every client goes where it went" in same
    assert "<svg" not in same


def test_html_spells_out_what_somebody_wrote(lab: Lab) -> None:
    hostile = "  00:80:64: {server: altiris, note: '<script>alert(1)</script>'}\n"
    _, said = lab.diff(OLD + hostile, OLD + hostile.replace("alert(1)", "alert(2)"), "--format", "html")
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in said
    assert "<script" not in said


BOTH = """\
servers: {ris: [10.20.0.10, "2001:db8:20::10"], altiris: [10.20.0.20, "2001:db8:20::20"], wds: 10.20.0.30}
default: ris
dhcpv6: true
interfaces: {vlan10: {}, vlan20: {}}
rules:
  00:11:22:33:44:55: altiris
  00:11:22:33:44:66: wds
"""


def test_a_move_in_both_families_is_told_once(lab: Lab) -> None:
    code, said = lab.diff(BOTH, BOTH.replace("44:55: altiris", "44:55: ris"))
    assert code == 1
    assert said == (
        "goes elsewhere: 1 listed address\n\naltiris -> ris: 1 address\n"
        "  00:11:22:33:44:55  old.yml:6 -> new.yml:6\n"
    )


def test_who_gains_an_ipv6_address_moves_in_dhcpv6_alone(lab: Lab) -> None:
    code, said = lab.diff(BOTH, BOTH.replace("wds: 10.20.0.30", 'wds: [10.20.0.30, "2001:db8:20::30"]'))
    assert code == 1
    assert said.startswith("goes elsewhere: in DHCPv6 alone: 1 listed address\n")
    assert "\nin DHCPv6 alone: wds nobody (no IPv6 address) -> wds 2001:db8:20::30: 1 address\n" in said
    assert "\nservers\n  wds  is now 10.20.0.30, 2001:db8:20::30, was 10.20.0.30: 1 rule names it\n" in said


def test_who_moves_to_a_server_without_ipv6_loses_it(lab: Lab) -> None:
    """It goes from one name to another in both families, which is one move; the warning tells the rest."""
    code, said = lab.diff(BOTH, BOTH.replace("44:55: altiris", "44:55: wds"))
    assert (code, said.count("altiris -> wds: 1 address")) == (1, 1)
    found = lab.json(BOTH, BOTH.replace("44:55: altiris", "44:55: wds"))
    (four,), (six,) = found["addresses"], found["dhcpv6"]["addresses"]
    assert (four["after"]["servers"], six["after"]["servers"]) == (
        ["10.20.0.30"],
        ["nobody (no IPv6 address)"],
    )
    assert six["before"]["servers"] == ["2001:db8:20::20"]


def test_another_ipv4_address_moves_nobody_in_dhcpv6(lab: Lab) -> None:
    _, said = lab.diff(BOTH, BOTH.replace("10.20.0.10,", "10.20.0.11,"))
    assert said.startswith("goes elsewhere: in DHCPv4 alone: unlisted clients\n")
    assert "every unlisted client on vlan10, vlan20  ris 10.20.0.10 -> ris 10.20.0.11\n" in said
    assert "DHCPv6" not in said


def test_an_ipv6_address_that_is_not_used_moves_nobody(lab: Lab) -> None:
    off = BOTH.replace("dhcpv6: true\n", "")
    code, said = lab.diff(off, off.replace("wds: 10.20.0.30", 'wds: [10.20.0.30, "2001:db8:20::30"]'))
    assert code == 1
    assert said.startswith("nobody goes elsewhere; what differs:\n\nservers\n  wds ")
    found = lab.json(off, off)
    assert ("dhcpv6" in found, found["differs"]) == (False, False)


def test_switching_dhcpv6_on_is_a_setting(lab: Lab) -> None:
    off = BOTH.replace("dhcpv6: true\n", "")
    code, said = lab.diff(off, BOTH)
    assert (code, said) == (
        1,
        "nobody goes elsewhere; what differs:\n\nsettings\n  dhcpv6  (none) -> true\n",
    )


def test_only_dhcpv6_is_relayed(lab: Lab) -> None:
    only = f"{BOTH}dhcpv4: false\n"
    code, said = lab.diff(only, only.replace("20::20", "20::21"))
    assert code == 1
    assert said.startswith("goes elsewhere: 1 listed address\n")
    assert "\naltiris 2001:db8:20::20 -> altiris 2001:db8:20::21: 1 address\n" in said


def test_interfaces_without_dhcpv6_have_no_moves_in_it(lab: Lab) -> None:
    old = BOTH.replace("vlan20: {}", "vlan20: {dhcpv6: false}")
    _, said = lab.diff(old, old.replace("2001:db8:20::10", "2001:db8:20::11"))
    assert "every unlisted client on vlan10  ris" in said
    assert "vlan20" not in said


def test_html_has_a_picture_of_what_moves_in_one_family_alone(lab: Lab) -> None:
    new = BOTH.replace("wds: 10.20.0.30", 'wds: [10.20.0.30, "2001:db8:20::30"]')
    _, said = lab.diff(BOTH, new, "--format", "html")
    assert 'aria-label="Picture: in DHCPv6 alone: listed addresses"' in said
    assert said.count("<svg") == 1
