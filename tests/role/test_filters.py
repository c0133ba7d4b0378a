"""The role's filters: what Ansible's variables mean, and what stops the play because it cannot mean that."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.config import document
from pxerelay.linux.sockets import RECEIVE_BUFFER, SEND_BUFFER
from tests.role.modules import plugin

COLLECTION = Path(__file__).parents[2] / "ansible"
ROLE = COLLECTION / "roles" / "pxerelay"


def _filters() -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for path in (COLLECTION / "plugins" / "filter").glob("*.py"):
        filters |= plugin(f"filter.{path.stem}").FilterModule().filters()
    return filters


FILTERS = _filters()
config = FILTERS["config"]
mismatches = FILTERS["mismatches"]
misspelled = FILTERS["misspelled"]
rendered = FILTERS["rendered"]
text = FILTERS["text"]


def _findings(variables: dict[str, Any]) -> list[str]:
    with pytest.raises(AnsibleFilterError) as caught:
        config(variables)
    return str(caught.value).splitlines()[1:]


def _read_by_yaml_1_1(text: str) -> Any:
    return yaml.safe_load(text)


def test_what_is_rendered_is_made_once_for_the_same_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    variables = {"pxerelay_default": "ris", "pxerelay_rules": {"52:54:00": "ris"}}
    first = rendered(variables)
    assert first == text(config(variables))
    (kept,) = tmp_path.iterdir()
    kept.write_text("of another host")
    assert rendered(dict(variables)) == "of another host"
    others = [variables | {"pxerelay_default": "drop"}, variables | {"pxerelay_max_hops": "4"}]
    for other in others:
        assert rendered(other) == text(config(other))
    assert rendered(variables, include="rules.d/*.yml") == text(config(variables, include="rules.d/*.yml"))
    assert rendered(variables | {"pxerelay_max_hops": 4}) == rendered(others[1])
    # A number that was a MAC is no text that looks like it.
    rendered(variables | {"pxerelay_rules": {"52": "ris"}})
    with pytest.raises(AnsibleFilterError):
        rendered(variables | {"pxerelay_rules": {52: "ris"}})


def test_what_is_rendered_can_be_made_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path / "nowhere"))
    assert rendered({"pxerelay_default": "ris"}) == "default: ris\n"


def test_only_variables_that_are_set_become_keys_in_the_order_of_the_file() -> None:
    document = config(
        {
            "pxerelay_max_hops": 4,
            "pxerelay_rules": {"00:80:64": "ris"},
            "pxerelay_default": "ris",
            "pxerelay_classes": None,
            "pxerelay_servers": {"ris": "10.20.0.10"},
        },
        include="rules.d/*.yml",
    )
    assert list(document.items()) == [
        ("servers", {"ris": "10.20.0.10"}),
        ("default", "ris"),
        ("rules", {"00:80:64": "ris"}),
        ("max_hops", 4),
        ("include", "rules.d/*.yml"),
    ]


def test_rules_are_merged_by_name_and_keep_their_own_order() -> None:
    document = config(
        {
            "pxerelay_rules__kiosks": {"02:00:00:00:00:09": "b", "02:00:00:00:00:01": "b"},
            "pxerelay_rules__another": {"02:00:00:00:00:08": "a"},
            "pxerelay_rules": {"02:00:00:00:00:07": "a"},
            "pxerelay_rules__empty": None,
        }
    )
    assert list(document["rules"]) == [
        "02:00:00:00:00:07",
        "02:00:00:00:00:08",
        "02:00:00:00:00:09",
        "02:00:00:00:00:01",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("02:00:5e:10:00:01", "02-00-5E-10-00-01"),
        ("02:00:5e:10:00:01", "0200.5e10.0001"),
        ("02:80:64", "0280.64"),
        ("02:80:64", "02:80:64:*"),
        ("70:b3:d5:12:3", "70B3.D512.3"),
        ("52:54:00:12:3?:*", "52-54-00-12-3?-*"),
        ("52:54:00:12:3?:??", "52:54:00:12:3?:*"),
    ],
)
def test_one_mac_mapped_two_ways_names_both_variables_and_both_spellings(one: str, other: str) -> None:
    (finding,) = _findings(
        {"pxerelay_rules": {one: "ris"}, "pxerelay_rules__kiosks": {other: ["altiris", "ris"]}}
    )
    assert finding == (
        f"pxerelay_rules maps {one} to ris, but pxerelay_rules__kiosks maps {other} to [altiris, ris]: "
        "one MAC, two answers; remove one of the two"
    )


def test_one_mac_mapped_twice_to_the_same_servers_is_one_rule() -> None:
    document = config(
        {
            "pxerelay_rules": {"02:00:5e:10:00:01": ["a", "b"], "02:80:64": "a"},
            "pxerelay_rules__kiosks": {"0200.5E10.0001": ["b", "a"], "02-80-64": ["a"]},
        }
    )
    assert document["rules"] == {"02:00:5e:10:00:01": ["a", "b"], "02:80:64": "a"}


def test_a_rule_with_an_end_is_written_so_that_the_daemon_reads_the_same() -> None:
    rules = _read_by_yaml_1_1(
        "{'02:80:64': {server: ris, owner: kiosk-team, until: 2027-01-31, note: trial},"
        " '0280.65': {server: [a, b], until: '2027-01-31'}, '02:80:66': {server: drop}}"
    )
    written = {
        "02:80:64": {"server": "ris", "owner": "kiosk-team", "until": "2027-01-31", "note": "trial"},
        "02:80:65": {"server": ["a", "b"], "until": "2027-01-31"},
        "02:80:66": {"server": "drop"},
    }
    made = config({"pxerelay_rules": rules})
    assert made["rules"] == written
    assert document.parse("", text(made)).data["rules"] == written
    assert _read_by_yaml_1_1(text(made))["rules"] == written


def test_one_mac_with_two_ends_is_a_finding() -> None:
    (finding,) = _findings(
        {
            "pxerelay_rules": {"02:80:64": {"server": "ris", "until": date(2027, 1, 31)}, "02:80:65": "ris"},
            "pxerelay_rules__kiosks": {
                "02-80-64": {"server": ["ris"], "until": "2027-02-28"},
                "02-80-65": {"server": "ris", "owner": "kiosk-team"},
            },
        }
    )
    assert finding == (
        "pxerelay_rules maps 02:80:64 to ris until 2027-01-31, but pxerelay_rules__kiosks maps 02-80-64 to "
        "[ris] until 2027-02-28: one MAC, two answers; remove one of the two"
    )


def test_one_mac_with_one_end_in_two_spellings_is_one_rule() -> None:
    made = config(
        {
            "pxerelay_rules": {"02:80:64": {"server": "ris", "until": date(2027, 1, 31)}},
            "pxerelay_rules__kiosks": {"0280.64": {"server": "ris", "until": "2027-01-31"}},
        }
    )
    assert made["rules"] == {"02:80:64": {"server": "ris", "until": "2027-01-31"}}


def test_one_mac_mapped_two_ways_in_one_variable_is_a_finding_too() -> None:
    (finding,) = _findings({"pxerelay_rules": {"02:80:64": "a", "02-80-64": "b"}})
    assert finding.count("pxerelay_rules maps") == 2


def test_different_wildcards_are_different_rules() -> None:
    rules = {"52:54:00:12:3?:*": "a", "52:54:00:12:?3:*": "b", "52:54:00:12:*": "c"}
    assert config({"pxerelay_rules": rules})["rules"] == rules


@pytest.mark.parametrize(
    ("spelled", "written"),
    [
        ("00-80-64-12-34-AB", "00:80:64:12:34:ab"),
        ("0080.6412.34ab", "00:80:64:12:34:ab"),
        ("0080.64", "00:80:64"),
        ("5254.0e1", "52:54:0e:1"),
        ("70:B3:D5:12:3", "70:b3:d5:12:3"),
        ("52:54:00:12:3?:*", "52:54:00:12:3?:*"),
        ("02:00:5e:10:00:0g", "02:00:5e:10:00:0g"),
        ("02:00:5e:10:0001", "02:00:5e:10:0001"),
    ],
)
def test_macs_are_written_with_colons_and_what_is_none_is_left_to_check(spelled: str, written: str) -> None:
    assert list(config({"pxerelay_rules": {spelled: "ris"}})["rules"]) == [written]


def test_an_unquoted_mac_is_named_with_the_number_it_became() -> None:
    rules = _read_by_yaml_1_1("52:54:00:12:34:56: altiris")
    assert rules == {41135085296: "altiris"}
    assert _findings({"pxerelay_rules__kiosks": rules}) == [
        "pxerelay_rules__kiosks: the number 41135085296 was the MAC 52:54:00:12:34:56 until YAML 1.1 read it "
        'in base 60; quote it: "52:54:00:12:34:56"'
    ]


def test_a_block_that_ends_in_one_digit_could_have_been_spelled_two_ways() -> None:
    (finding,) = _findings({"pxerelay_rules": _read_by_yaml_1_1("70:35:12:1: ris")})
    assert "was the MAC 70:35:12:1 or 70:35:12:01 until" in finding


@given(st.integers(10, 99), st.lists(st.integers(0, 59), min_size=2, max_size=5))
def test_every_mac_that_yaml_1_1_takes_for_a_number_is_restored(head: int, tail: list[int]) -> None:
    mac = ":".join(f"{group:02d}" for group in [head, *tail])
    rules = _read_by_yaml_1_1(f"{mac}: ris")
    assert isinstance(next(iter(rules)), int)
    (finding,) = _findings({"pxerelay_rules": rules})
    assert re.search(rf"\b{mac} until", finding)


@given(st.integers())
def test_no_number_is_taken_for_a_mac_that_does_not_read_as_it(number: int) -> None:
    (finding,) = _findings({"pxerelay_rules": {number: "ris"}})
    for mac in re.findall(r'"([0-9:]+)"', finding):
        assert _read_by_yaml_1_1(mac) == number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0080.64: ris", "the number 80.64 where a MAC address should be; quote it"),
        ("12345: ris", "the number 12345 where a MAC address should be; quote it"),
        ("on: ris", "the truth value true where a MAC address should be; quote it"),
        ("~: ris", "an empty value where a MAC address should be; quote it"),
        ("2024-01-01: ris", "the date 2024-01-01 where a MAC address should be; quote it"),
        ("'02:80:64':", "02:80:64 has no server"),
        ("'02:80:64': []", "02:80:64 has no server"),
        ("'02:80:64': off", "the server of 02:80:64 is the truth value false; quote it"),
        ("'02:80:64': 5", "the server of 02:80:64 is the number 5; quote it"),
        ("'02:80:64': [ris, 10.2]", "the server of 02:80:64 is the number 10.2; quote it"),
        ("'02:80:64': {server: {server: ris}}", "the server of 02:80:64 is a mapping"),
        ("'02:80:64': {owner: kiosk-team}", "02:80:64 has no server"),
        ("'02:80:64': {server: [ris, 5]}", "the server of 02:80:64 is the number 5; quote it"),
        ("'02:80:64': {server: ris, owner: 5}", "the owner of 02:80:64 is the number 5; quote it"),
        ("'02:80:64': {server: ris, note: yes}", "the note of 02:80:64 is the truth value true; quote it"),
        (
            "'02:80:64': {server: ris, until: 20270131}",
            "the last day of 02:80:64 is the number 20270131; write it as in until: 2027-01-31",
        ),
        (
            "'02:80:64': {server: ris, until: 2027-01-31 12:00:00}",
            "the last day of 02:80:64 is the datetime 2027-01-31 12:00:00; write it as in until: 2027-01-31",
        ),
        ("[02:80:64]", "must map MAC addresses to servers, and is a list"),
        ("ris", "must map MAC addresses to servers, and is the str ris"),
    ],
)
def test_what_yaml_made_of_a_rule_is_said_in_words(text: str, said: str) -> None:
    (finding,) = _findings({"pxerelay_rules__kiosks": _read_by_yaml_1_1(text)})
    assert finding.startswith(f"pxerelay_rules__kiosks: {said}")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pxerelay_servers", "{off: 10.20.0.10}", "the truth value false where a name should be"),
        ("pxerelay_servers", "{ris: 10.2}", "the number 10.2 where a name or an address should be"),
        ("pxerelay_servers", "{ris: [10.20.0.10, 7]}", "the number 7 where a name or an address should be"),
        (
            "pxerelay_servers",
            "{ris: {addresses: [10.20.0.10, 7]}}",
            "the number 7 where a name or an address should be",
        ),
        (
            "pxerelay_servers",
            "{ris: {addresses: a.example, probe: {every: 5, mac: 52:54:00:12:34:56}}}",
            "the number 41135085296 where a MAC should be",
        ),
        ("pxerelay_interfaces", "{10: {}}", "the number 10 where a name should be"),
        ("pxerelay_default", "no", "the truth value false where a name or an address should be"),
        ("pxerelay_dhcp_servers", "[5]", "the number 5 where a name or an address should be"),
        ("pxerelay_accept_relayed_from", "[10.10]", "the number 10.1 where a name or an address should be"),
        ("pxerelay_accept_replies_from", "[10.10]", "the number 10.1 where a name or an address should be"),
        (
            "pxerelay_interfaces",
            "{v: {default: no}}",
            "the truth value false where a name or an address should be",
        ),
        ("pxerelay_interfaces", "{v: {giaddr: 5}}", "the number 5 where a name or an address should be"),
        ("pxerelay_classes", "[{name: a, server: 5}]", "the number 5 where a name or an address should be"),
        (
            "pxerelay_classes",
            "[{name: a, server: [b, 5]}]",
            "the number 5 where a name or an address should be",
        ),
    ],
)
def test_names_and_addresses_that_yaml_took_for_something_else(name: str, text: str, said: str) -> None:
    (finding,) = _findings({name: _read_by_yaml_1_1(text)})
    assert finding == f"{name}: {said}; quote it"


SPELLED = "2001:10:20:30:0:0:0:10"
WAS = f"the number 5602001860800010, which was {SPELLED} until YAML 1.1 read it in base 60,"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pxerelay_servers", f"{{ris: {SPELLED}}}"),
        ("pxerelay_servers", f"{{ris: [10.20.0.10, {SPELLED}]}}"),
        ("pxerelay_servers", f"{{ris: {{addresses: [10.20.0.10, {SPELLED}], strategy: hash}}}}"),
        ("pxerelay_default", SPELLED),
        ("pxerelay_dhcp_servers", f"[{SPELLED}]"),
        ("pxerelay_interfaces", f"{{vlan10: {{link_address: {SPELLED}}}}}"),
        ("pxerelay_interfaces", f"{{vlan10: {{default: [ris, {SPELLED}]}}}}"),
        ("pxerelay_classes", f"[{{name: a, arch: 7, server: {SPELLED}}}]"),
        ("pxerelay_source_address", f"[10.20.0.1, {SPELLED}]"),
        ("pxerelay_accept_replies_from", f"[{SPELLED}]"),
    ],
)
def test_an_ipv6_address_that_yaml_1_1_had_for_a_number_is_named(name: str, text: str) -> None:
    (finding,) = _findings({name: _read_by_yaml_1_1(text)})
    assert finding == f"{name}: {WAS} where a name or an address should be; quote it"


def test_so_is_one_that_a_rule_sends_to() -> None:
    rules = _read_by_yaml_1_1(f'"02:80:64": {SPELLED}')
    (finding,) = _findings({"pxerelay_rules": rules})
    assert finding == f"pxerelay_rules: the server of 02:80:64 is {WAS}; quote it if it is a name"


@given(st.integers(1, 9999), st.lists(st.integers(0, 59), min_size=7, max_size=7))
def test_every_address_that_yaml_1_1_has_for_a_number_is_found_again(first: int, others: list[int]) -> None:
    text = ":".join(map(str, [first, *others]))
    (finding,) = _findings({"pxerelay_default": _read_by_yaml_1_1(text)})
    assert f"which was {text} until" in finding


def test_both_families_are_rendered_so_that_every_reader_of_yaml_means_the_same() -> None:
    variables = {
        "pxerelay_servers": {
            "ris": ["10.20.0.10", SPELLED, "2001:db8:20::"],
            "dhcp": {"addresses": ["2001:db8:20::2", "::ffff:10.20.0.1"], "strategy": "failover"},
        },
        "pxerelay_default": "2001:db8:20::",
        "pxerelay_dhcpv4": "yes",
        "pxerelay_dhcpv6": {"interface_id": "{interface}", "relay_id": "10:03:00:01", "trusted": ["vlan10"]},
        "pxerelay_interfaces": {"vlan10": {"link_address": SPELLED, "dhcpv6": False}},
        "pxerelay_accept_relayed_from": ["2001:db8:10::/48", "::/0"],
        "pxerelay_source_address": ["10.20.0.1", "2001:db8:20::1"],
        "pxerelay_rules": {"02:80:64": SPELLED},
    }
    rendered = FILTERS["text"](FILTERS["config"](variables))
    ours, theirs = document.parse("pxerelay.yml", rendered).data, yaml.safe_load(rendered)
    assert ours == theirs
    assert ours["servers"]["ris"] == ["10.20.0.10", SPELLED, "2001:db8:20::"]
    assert ours["default"] == "2001:db8:20::"
    assert ours["dhcpv4"] is True
    assert list(ours)[:5] == ["servers", "default", "dhcpv4", "dhcpv6", "interfaces"]


@pytest.mark.parametrize("name", ["pxerelay_rules_kiosks", "pxerelay_rule__kiosks", "pxerelay_rule_kiosks"])
def test_a_variable_whose_name_adds_no_rules_by_a_hair_is_named(name: str) -> None:
    (finding,) = _findings({name: {"02:80:64": "ris"}})
    assert finding == f"{name}: would be ignored; did you mean pxerelay_rules__kiosks?"


def test_all_findings_come_at_once() -> None:
    assert (
        len(
            _findings(
                {
                    "pxerelay_default": False,
                    "pxerelay_rules": {41135085296: "ris", "02:80:64": None, "02:80:65": "ris"},
                    "pxerelay_rules__a": {"02:80:65": "altiris", 190800: 5},
                }
            )
        )
        == 6
    )


def test_a_daemon_that_runs_what_was_written_has_no_mismatch() -> None:
    assert mismatches({"files": {"/a.yml": "1"}, "last_error": None}, {"/a.yml": "1"}) == []


def test_every_difference_between_daemon_and_play_is_a_line() -> None:
    running = {"files": {"/a.yml": "1", "/c.yml": "3"}, "last_error": "/a.yml:1:1: no"}
    assert mismatches(running, {"/a.yml": "2", "/b.yml": "3"}) == [
        "its last reload was refused: /a.yml:1:1: no",
        "/a.yml: sha256 1 is loaded, 2 was written",
        "/b.yml: not loaded",
        "/c.yml: loaded, though this play does not write it",
    ]


def test_a_daemon_that_names_no_files_proves_nothing() -> None:
    assert mismatches({}, {"/a.yml": "1"}) == ["/a.yml: not loaded"]


def _yaml_of_role(path: str) -> Any:
    return yaml.safe_load((ROLE / path).read_text())


def test_role_and_schema_know_the_same_keys() -> None:
    schema = json.loads((ROLE.parents[2] / "schemas" / "pxerelay.schema.json").read_text())
    keys = set(schema["properties"]) - {"include"}  # the role's own doing
    options = _yaml_of_role("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    values = {f"pxerelay_{key}": {} if key == "rules" else "x" for key in keys}
    assert set(_yaml_of_role("vars/main.yml")["__pxerelay_keys"]) == keys
    assert set(config(values)) == keys
    assert values.keys() <= options.keys()


def test_argument_specs_and_defaults_agree() -> None:
    specs = _yaml_of_role("meta/argument_specs.yml")["argument_specs"].values()
    options = [item for spec in specs for item in spec["options"].items()]
    declared = {name: option["default"] for name, option in options if "default" in option}
    assert declared == _yaml_of_role("defaults/main.yml")


def test_the_host_allows_the_buffers_that_the_daemon_asks_for() -> None:
    defaults = _yaml_of_role("defaults/main.yml")
    assert defaults["pxerelay_receive_buffer"] == RECEIVE_BUFFER
    assert defaults["pxerelay_send_buffer"] == SEND_BUFFER


def test_variables_that_are_nearly_the_roles_are_named() -> None:
    known = ["pxerelay_servers", "pxerelay_interfaces", "pxerelay_rules", "pxerelay_rule_files"]
    given = [
        "pxerelay_serverss",
        "pxerelay_interface",
        "pxerelay_rulez",
        "pxerelay_servers",
        "pxerelay_north_vlans",
    ]
    assert misspelled([*given, "pxerelay_rules__kiosks"], known) == [
        "pxerelay_interface: there is no such variable; did you mean pxerelay_interfaces?",
        "pxerelay_rulez: there is no such variable; did you mean pxerelay_rules?",
        "pxerelay_serverss: there is no such variable; did you mean pxerelay_servers?",
    ]


def test_strings_of_the_command_line_become_what_is_declared() -> None:
    given = {"pxerelay_pxe_only": "yes", "pxerelay_max_hops": "6", "pxerelay_max_requests": "many"}
    assert config(given) == {"pxe_only": True, "max_hops": 6, "max_requests": "many"}


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3),
        st.one_of(
            st.text("0123456789abcdefoxEe+-.:_", max_size=8),
            st.sampled_from(
                ["1e3", "0o17", "08", "0x1f", "yes", "null", "~", "1_0", "52:54:00:12:34:56", ".inf"]
            ),
            st.integers(),
            st.booleans(),
            st.none(),
            st.floats(allow_nan=False),
        ),
        max_size=4,
    )
)
def test_what_is_written_is_what_the_daemon_reads(values: dict[str, object]) -> None:
    read = document.parse("f.yml", text({"rules": values, "list": list(values.values())}))
    assert not read.faults
    assert read.data == {"rules": values, "list": list(values.values())}


def _vlan_files(*addresses: str) -> str:
    interfaces = {"vlan10": {"vlan": {"id": 10, "parent": "eth1", "address": list(addresses)}}}
    listing = json.dumps(
        {"Interfaces": [{"Name": "eth1", "NetworkFile": "/etc/systemd/network/50-eth1.network"}]}
    )
    files = FILTERS["vlan_files"](FILTERS["vlans"](interfaces), listing)
    return str(files["/etc/systemd/network/60-pxerelay-vlan10.network"])


def test_a_vlan_with_an_ipv6_address_has_a_link_local_one_too() -> None:
    """Replies to clients come from it; and nothing else of IPv6 is learnt there."""
    both = _vlan_files("10.10.10.1/24", "2001:db8:10::1/64")
    assert (
        "Address=10.10.10.1/24\nAddress=2001:db8:10::1/64\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n"
        in both
    )
    assert "LinkLocalAddressing=no\n" in _vlan_files("10.10.10.1/24")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("2001:db8:10::1", "must be an address with its prefix length"),
        ("2001:db8:10::1/129", "must be an address with its prefix length"),
        ("2001:db8:10::g/64", "must be an address with its prefix length"),
        ("2001:db8:10::/64", "is an end of its network"),
        ("fe80::1/64", "must be a global IPv6 address"),
        ("ff02::1/64", "must be a global IPv6 address"),
        ("10.10.10.255/24", "is an end of its network"),
    ],
)
def test_an_address_that_no_vlan_can_have_is_named(address: str, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(said)):
        _vlan_files(address)
    assert _vlan_files("2001:db8:10:0:ffff:ffff:ffff:ffff/64", "2001:db8:20::/127")
