"""IPv6 addresses as files spell them."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as some

from pxerelay.config import addresses, config, document, schema
from pxerelay.config.findings import ConfigError
from pxerelay.policy.model import ROUTE, Dhcpv6Setting
from pxerelay.policy.servers import Pool, Strategy
from tests.unit.configs import build

GROUPS = some.sampled_from(["0", "1", "db8", "FFFF", "abCd", "00a", "12345", "g", ""])
QUADS = some.sampled_from(["192.0.2.1", "255.255.255.255", "256.0.0.1", "1.2.3", "01.2.3.4"])
PIECES = some.one_of(GROUPS, some.just(":"), some.just("::"), QUADS, some.sampled_from("%/[] \n"))


@some.composite
def spellings(draw: some.DrawFn) -> str:
    """Draw what has the looks of an IPv6 address, and often is one."""
    groups = draw(some.lists(GROUPS, max_size=9))
    if draw(some.booleans()):
        groups.append(draw(QUADS))
    if draw(some.booleans()):
        return ":".join(groups)
    at = draw(some.integers(0, len(groups)))
    return f"{':'.join(groups[:at])}::{':'.join(groups[at:])}"


@given(some.one_of(spellings(), some.lists(PIECES, max_size=12).map("".join)))
@example("1:2:3:4:5:6:7::")
@example("::2:3:4:5:6:7:8")
@example("1:2:3:4:5:6:7:8::")
@example("1:2:3:4:5:6:7::8")
@example("::1.2.3.4")
@example("1:2:3:4:5:6:1.2.3.4")
@example("1:2:3:4:5:6:7:1.2.3.4")
@example("1::3:4:5:6:7:1.2.3.4")
@example("::\n")
def test_the_schema_takes_every_spelling_of_rfc_4291_and_no_other(text: str) -> None:
    try:
        known = "%" not in text and bool(IPv6Address(text))
    except AddressValueError:
        known = False
    assert bool(schema.pattern_of("address6").search(text)) == known
    assert bool(schema.pattern_of("network6").search(f"{text}/64")) == known
    if known:
        assert addresses.parse(text) == IPv6Address(text)


@given(some.integers(0, 2000))
def test_a_prefix_has_at_most_128_bits(bits: int) -> None:
    assert bool(schema.pattern_of("network6").search(f"2001:db8::/{bits}")) == (bits <= 128)


def test_an_address_that_yaml_1_1_has_for_a_number_is_an_address() -> None:
    built = build("servers: {ris: 2001:10:20:30:0:0:0:10}\ndefault: ris")
    assert built.servers["ris"] == (IPv6Address("2001:10:20:30::10"),)


def test_both_families_are_read() -> None:
    built = build(
        """
        servers:
          ris: [10.20.0.10, 2001:db8:20::10]
          altiris: {addresses: [10.20.0.20, 2001:db8:20::20, 10.20.0.21], strategy: failover}
        default: ris
        dhcpv6: true
        interfaces:
          vlan10: {}
          vlan20: {dhcpv6: false, link_address: 2001:db8:10:20::1}
          vlan30: {dhcpv4: false}
        accept_relayed_from: [10.10.0.0/16, 2001:db8:10::/48]
        accept_replies_from: [2001:db8:20::/64]
        source_address: [2001:db8:20::1, 10.20.0.1]
        """
    )
    first, second = IPv4Address("10.20.0.10"), IPv6Address("2001:db8:20::10")
    assert built.servers["ris"] == (first, second)
    pool = built.pools["altiris"]
    assert pool == Pool(
        "altiris",
        Strategy.FAILOVER,
        (IPv4Address("10.20.0.20"), IPv6Address("2001:db8:20::20"), IPv4Address("10.20.0.21")),
    )
    assert built.dhcpv4
    assert built.dhcpv6 == Dhcpv6Setting("{interface}", client_mac=True)
    assert [(one.dhcpv4, one.dhcpv6) for one in built.interfaces] == [
        (True, True),
        (True, False),
        (False, True),
    ]
    assert built.interfaces[1].link_address == IPv6Address("2001:db8:10:20::1")
    assert [str(one) for one in built.accept_relayed_from] == ["10.10.0.0/16"]
    assert built.accept_relayed_from6 == (IPv6Network("2001:db8:10::/48"),)
    assert built.accept_replies_from == ()
    assert built.accept_replies_from6 == (IPv6Network("2001:db8:20::/64"),)
    assert (built.source_address, built.source_address6) == (
        IPv4Address("10.20.0.1"),
        IPv6Address("2001:db8:20::1"),
    )


def test_dhcpv6_is_off_unless_it_is_asked_for() -> None:
    built = build("default: 10.20.0.10\ninterfaces: {vlan10: {}}")
    assert built.dhcpv4
    assert built.dhcpv6 is None
    assert [(one.dhcpv4, one.dhcpv6) for one in built.interfaces] == [(True, False)]
    assert build("default: 10.20.0.10\ndhcpv6: false").dhcpv6 is None


def test_settings_of_dhcpv6_are_read() -> None:
    built = build(
        """
        default: 2001:db8:20::10
        interfaces: {vlan10: {}}
        dhcpv6:
          interface_id: false
          client_mac: false
          remote_id: "{hostname}"
          enterprise: 32473
          relay_id: 00:03:00:01:02:00:00:00:00:01
          dhcp_servers: all
          trusted: ["vlan*"]
        """
    )
    setting = built.dhcpv6
    assert setting is not None
    assert (setting.interface_id, setting.client_mac) == (None, False)
    assert (setting.remote_id, setting.enterprise) == ("{hostname}", 32473)
    assert setting.relay_id == bytes.fromhex("00030001020000000001")
    assert setting.dhcp_servers_for_all
    assert "vlan10" in setting.trusted
    assert "core" not in setting.trusted


@pytest.mark.parametrize("value", ["route", "giaddr"])
def test_a_source_address_in_words_holds_for_both_families(value: str) -> None:
    built = build(f"default: 10.20.0.10\nsource_address: {value}")
    assert (built.source_address, built.source_address6) == (value, value)


def test_a_source_address_of_one_family_leaves_the_other_to_the_route() -> None:
    built = build("default: 10.20.0.10\nsource_address: 2001:db8:20::1")
    assert (built.source_address, built.source_address6) == (ROUTE, IPv6Address("2001:db8:20::1"))


def test_of_one_address_of_each_family_nothing_is_chosen() -> None:
    built = build("servers: {ris: {addresses: [10.20.0.10, 2001:db8:20::10], strategy: hash}}\ndefault: ris")
    assert not built.pools
    assert built.servers["ris"] == (IPv4Address("10.20.0.10"), IPv6Address("2001:db8:20::10"))


def test_server_override_does_not_count_ipv6_addresses() -> None:
    text = (
        "servers: {ris: [10.20.0.10, 2001:db8:20::10, 2001:db8:20::11]}\ndefault: ris\n"
        "option82: {server_override: true}"
    )
    assert build(text).option82
    with pytest.raises(ConfigError, match="several servers"):
        build(text.replace("2001:db8:20::11", "10.20.0.11"))


def test_yaml_without_the_c_library_has_a_mapping_for_an_address_that_ends_in_colons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    text = "servers:\n  ris: [2001:db8:20::]\ndefault: ris"
    with pytest.raises(ConfigError, match=r'quote it: "2001:db8:20::"|must be quoted, such as "2001:db8::"'):
        config.build(document.parse("pxerelay.yml", text))
